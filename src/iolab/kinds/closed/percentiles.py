"""The percentiles of a cell, with two kinds of interval, and beside them those of each repeat."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from iolab.kinds.closed.precision import Interval, at_least
from iolab.theory.order_statistics import interval
from iolab.theory.statistics import Array, median_interval, percentile

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def figures(repeats_s: Sequence[Array], resolution_s: float, precision: float | None) -> dict[str, Any]:
    """Return the fields of a Cell for its median, p95 and p99, in ms, from the response times of its repeats.

    `resolution_s` is that of the load generator, `precision` what was asked for (None: nothing).
    """
    every = np.concatenate(repeats_s) if repeats_s else np.empty(0)
    found: dict[str, Any] = {"median_ci_ms": _ms_of(_wide(median_interval(repeats_s, resolution_s), every, precision))}
    for name, quantile in QUANTILES.items():
        found["median_ms" if name == "p50" else f"{name}_ms"] = _ms(percentile(every, quantile))
        found[f"{name}_ci_ms"] = _ms_of(_wide(interval(every, quantile), every, precision if name == "p50" else None))
        found[f"repeat_{name}_ms"] = tuple(_ms(percentile(each, quantile)) for each in repeats_s)
    return found


def _wide(found: Interval | None, every: Array, precision: float | None) -> Interval | None:
    """Return an interval of the median that is not shorter than the precision asked for."""
    median_s = percentile(every, 0.5)
    if found is None or median_s is None or precision is None:
        return found
    return at_least(found, median_s, precision)


def _ms_of(seconds: Interval | None) -> Interval | None:
    return None if seconds is None else (round(seconds[0] * 1000, 3), round(seconds[1] * 1000, 3))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
