"""The cells of a closed loop as runs are compared: their figures with the errors within the run."""

import numpy as np

from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.report.cells import RunCell
from iolab.theory.between_runs import Within
from iolab.theory.statistics import RESOLUTION_S, quantile_estimate

QUANTILES = {"median_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
RATE = "steady_rps"


def run_cells(analysis: Analysis) -> list[RunCell]:
    """Return the cells of a run; the errors come from resampling its repeats, at least three of them."""
    resolution_ms = 1000 * RESOLUTION_S[analysis.run.generator]
    return [
        RunCell(
            values=each.cell.model_dump(mode="json", exclude={"findings"}),
            findings=each.cell.findings,
            within=_within(each),
            resolution=dict.fromkeys(QUANTILES, resolution_ms),
            times_s=each.latencies_s,
        )
        for each in analysis.cells
    ]


def _within(each: AnalysedCell) -> dict[str, Within]:
    found = {name: quantile_estimate(each.repeats_s, quantile=quantile) for name, quantile in QUANTILES.items()}
    found[RATE] = quantile_estimate([np.array([rate]) for rate in each.steady_rps])
    return {name: Within(one.log_error, one.freedom) for name, one in found.items() if one}
