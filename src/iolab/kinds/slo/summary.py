"""The objects of summary.json of a search for the highest rate."""

from dataclasses import asdict
from typing import Any

from iolab.kinds.slo import findings
from iolab.kinds.slo.analysis import SloAnalysis
from iolab.kinds.slo.plan import Found


def objects(analysis: SloAnalysis) -> list[dict[str, Any]]:
    """Return an object for each model, with all its trials."""
    return [{**_cell(each), "findings": _findings(analysis, each)} for each in analysis.found]


def _findings(analysis: SloAnalysis, found: Found) -> list[dict[str, Any]]:
    return [finding.model_dump() for finding in findings.of_server(analysis, found)]


def _cell(found: Found) -> dict[str, Any]:
    return {
        "model": found.letter,
        "service": found.name,
        "highest_rps": found.best.rate_rps if found.best else None,
        "broken_rps": found.broken.rate_rps if found.broken else None,
        "theory_rps": found.theory_rps,
        "calibration": found.calibration.model_dump(),
        "trials": [asdict(trial) for trial in found.trials],
        "valid": not found.reason,
        "reason": found.reason or None,
    }
