"""The objects of summary.json of a search for the highest rate."""

from typing import Any

from iolab.kinds.slo import findings
from iolab.kinds.slo.analysis import Found, SloAnalysis
from iolab.kinds.slo.steps import TriedRate
from iolab.report.summary import rounded
from iolab.theory.enough import CONFIDENCE


def objects(analysis: SloAnalysis) -> list[dict[str, Any]]:
    """Return an object for each model, with all its rates."""
    return [
        {**_cell(each), "findings": [one.model_dump() for one in findings.of_server(analysis, each)]}
        for each in analysis.found
    ]


def _cell(found: Found) -> dict[str, Any]:
    bracket = found.bracket
    return {
        "model": found.letter,
        "service": found.name,
        "holds_rps": bracket.holds_rps,
        "fails_rps": bracket.fails_rps,
        "undecided_rps": list(bracket.open_rps),
        "client_ended_rps": bracket.client_rps,
        "confidence_of_each_rate": CONFIDENCE,
        "theory_rps": rounded(found.theory_rps, 6),
        "calibration": found.calibration.model_dump(),
        "rates": [_rate(each) for each in found.tried],
        "valid": not found.reason,
        "reason": found.reason or None,
    }


def _rate(tried: TriedRate) -> dict[str, Any]:
    last = tried.last
    return {
        "rate_rps": tried.rate_rps,
        "verdict": tried.verdict,
        "value_s": last.bounded_s if last else None,
        "interval_s": [last.low_s, last.high_s] if last else None,
        "requests": last.counted if last else 0,
        "independent": last.independent if last else 0,
        "unanswered": last.unanswered if last else 0,
        "trials": len(tried.good),
        "disturbed": len(tried.disturbed),
        "disturbance": tried.disturbance.message if tried.disturbance else None,
    }
