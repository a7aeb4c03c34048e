"""Statistics of latencies: percentiles that say when they cannot be known, intervals that resample repeats."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def least_count(quantile: float, confidence: float = 0.95) -> int:
    """Return how many values it takes to bound the `quantile` from above with `confidence`.

    The largest of n values exceeds the quantile q with probability 1 - q^n: 59 values for 0.95, 299 for 0.99.
    Source: Wilks, Determination of Sample Sizes for Setting Tolerance Limits (1941).
    """
    return math.ceil(math.log(1 - confidence) / math.log(quantile))


def percentile(values: Array, quantile: float) -> float | None:
    """Return the `quantile` (0 to 1) of `values`, or None where they are too few to know it."""
    if len(values) < least_count(quantile):
        return None
    return float(np.quantile(values, quantile))


def median_interval(repeats: Sequence[Array], seed: int = 0) -> tuple[float, float] | None:
    """Return a 95% bootstrap interval of the median over all `repeats`, or None with fewer than three repeats.

    Whole repeats are resampled, never single requests: requests of one load are correlated, and an
    interval made of them would be far too narrow. With three repeats this is close to their range.
    Source: Davison, Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap  # noqa: PLC0415 (0.6 s: too long for `iolab up`)

    filled = [values for values in repeats if len(values)]
    if len(filled) < 3:
        return None

    def pooled_median(indices: NDArray[np.int64]) -> float:
        return float(np.median(np.concatenate([filled[index] for index in indices])))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # equal medians: the interval is a point
        interval = bootstrap(
            (np.arange(len(filled)),),
            pooled_median,
            vectorized=False,
            n_resamples=999,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return float(interval.low), float(interval.high)
