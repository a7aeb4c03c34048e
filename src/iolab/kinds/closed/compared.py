"""The cells of a closed loop as runs are compared: their figures with the errors within the run."""

import math

import numpy as np

from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.report.cells import RunCell
from iolab.theory.between_runs import Within
from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import RESOLUTION_S, quantile_estimate, t_quantile

QUANTILES = {"median_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
RATE = "steady_rps"


def run_cells(analysis: Analysis) -> list[RunCell]:
    """Return the cells of a run; the errors come from resampling its repeats, at least three of them."""
    resolution_ms = 1000 * RESOLUTION_S[analysis.run.generator]
    return [
        RunCell(
            values=each.cell.model_dump(mode="json", exclude={"findings"}),
            findings=each.cell.findings,
            within=_within(each, analysis.experiment.precision),
            resolution=dict.fromkeys(QUANTILES, resolution_ms),
            times_s=each.latencies_s,
        )
        for each in analysis.cells
    ]


def _within(each: AnalysedCell, precision: float | None) -> dict[str, Within]:
    """Return the errors of a cell; that of its median makes no interval shorter than the precision asked for."""
    found = {name: quantile_estimate(each.repeats_s, quantile=quantile) for name, quantile in QUANTILES.items()}
    found[RATE] = quantile_estimate([np.array([rate]) for rate in each.steady_rps])
    errors = {name: Within(one.log_error, one.freedom) for name, one in found.items() if one}
    if precision is not None and (median := errors.get("median_ms")):
        least = math.log1p(precision) / t_quantile(median.freedom, (1 + CONFIDENCE) / 2)
        errors["median_ms"] = Within(max(median.log_error, least), median.freedom)
    return errors
