"""summary.json of a search for the highest rate."""

from dataclasses import asdict
from typing import Any

from iolab.kinds.slo.analysis import SloAnalysis
from iolab.kinds.slo.plan import Found
from iolab.report.summary import summary as run_summary


def summary(analysis: SloAnalysis) -> str:
    """Return summary.json: an object for each model, with all its steps."""
    cells = [_cell(each) for each in analysis.found]
    return run_summary(analysis.run, cells, objective=analysis.objective.text)


def _cell(found: Found) -> dict[str, Any]:
    return {
        "model": found.letter,
        "service": found.name,
        "highest_rps": found.best.rate_rps if found.best else None,
        "broken_rps": found.broken.rate_rps if found.broken else None,
        "theory_rps": found.theory_rps,
        "calibration": found.calibration.model_dump(),
        "steps": [asdict(step) for step in found.steps],
        "valid": not found.reason,
        "reason": found.reason or None,
    }
