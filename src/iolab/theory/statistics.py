"""Statistics of response times: percentiles (None with too few values), and intervals that resample repeats."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iolab.theory.enough import least_count

Array = NDArray[np.float64]

RESAMPLES = 999
RESOLUTION_S = {"hey": 1e-4, "locust": 1e-6}  # the resolution of the load generators' response times


def percentile(values: Array, quantile: float) -> float | None:
    """Return the `quantile` (0 to 1) of `values`, or None with too few values."""
    if len(values) < least_count(quantile):
        return None
    return quantile_of(values, quantile)


def quantile_of(values: Array, quantile: float) -> float:
    """Return the `quantile` (0 to 1) of `values`, of which there is at least one, as numpy.quantile does.

    A bootstrap needs a thousand of them, and of some hundred values each numpy.quantile takes ten times as long.
    """
    place = (len(values) - 1) * quantile
    low = int(place)
    high = min(low + 1, len(values) - 1)
    ordered = np.partition(values, (low, high))
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


@dataclass(frozen=True)
class Estimate:
    """A quantile over repeats, the standard error of its logarithm, and the degrees of freedom of that error."""

    value: float
    log_error: float
    freedom: float

    def interval(self, resolution: float = 0.0) -> tuple[float, float]:
        """Return the 95% interval; `resolution` is that of the response times, in their unit."""
        spread = math.exp(t_quantile(self.freedom) * self.log_error)
        return self.value / spread - resolution / 2, self.value * spread + resolution / 2


def quantile_estimate(repeats: Sequence[Array], seed: int = 0, quantile: float = 0.5) -> Estimate | None:
    """Return a quantile (the median) over all `repeats` and its error, or None with fewer than three repeats.

    Whole repeats are resampled, never single requests: requests of one load are correlated, and an interval made of
    them would be far too narrow. The bootstrap's standard error is of n repeats with only n - 1 independent
    differences, so it is widened by sqrt(n / (n - 1)) and used with Student's t: the percentiles of a bootstrap of
    three repeats would cover the true value in three of four cases, not in 95 of 100.
    Source: Davison, Hinkley, Bootstrap Methods and their Application (1997), section 3.8; Hesterberg, What Teachers
    Should Know about the Bootstrap (2015), sections 3.2 and 4.5.
    """
    filled = [values for values in repeats if len(values)]
    count = len(filled)
    if count < 3:
        return None

    draws = np.sort(np.random.default_rng(seed).integers(0, count, (RESAMPLES, count)))
    places = Counter(map(tuple, draws.tolist()))  # three repeats can be drawn in ten ways, six in 462
    logs = np.log(np.maximum(_resampled(filled, np.array(list(places)), quantile), 1e-9))
    error = np.std(np.repeat(logs, list(places.values())), ddof=1)
    return Estimate(
        value=quantile_of(np.concatenate(filled), quantile),
        log_error=float(error) * math.sqrt(count / (count - 1)),
        freedom=count - 1,
    )


def _resampled(repeats: Sequence[Array], drawn: NDArray[np.int64], quantile: float) -> Array:
    """Return the quantile of each resample, as `quantile_of` does; a row of `drawn` has the repeats of one, by index.

    Each repeat is sorted once. A binary search among all values finds that of each resample: how many of a resample's
    values come up to a value is a sum over its repeats.
    """
    ordered = [np.sort(each) for each in repeats]
    values = np.unique(np.concatenate(ordered))
    cells = drawn + len(repeats) * np.arange(len(drawn))[:, np.newaxis]
    times = np.bincount(cells.ravel(), minlength=drawn.size).reshape(drawn.shape).T  # a row a repeat

    def places_up_to(limits: Array) -> NDArray[np.int64]:
        return np.array([np.searchsorted(each, limits, side="right") for each in ordered])

    last = np.array([len(each) for each in ordered]) @ times - 1
    place = last * quantile
    low = place.astype(np.int64)
    first, final = np.zeros_like(low), np.full_like(low, len(values) - 1)
    while (first < final).any():
        middle = (first + final) // 2
        reached = (places_up_to(values[middle]) * times).sum(axis=0) > low
        first, final = np.where(reached, first, middle + 1), np.where(reached, middle, final)
    below = values[first]
    places = places_up_to(below)
    following = [np.append(each, np.inf)[at] for each, at in zip(ordered, places, strict=True)]
    same = (places * times).sum(axis=0) > np.minimum(low + 1, last)
    above = np.where(same, below, np.where(times > 0, following, np.inf).min(axis=0))
    return below + (above - below) * (place - low)


def median_interval(repeats: Sequence[Array], resolution: float = 0.0, seed: int = 0) -> tuple[float, float] | None:
    """Return the 95% interval of the median over all `repeats`, or None with fewer than three repeats."""
    estimate = quantile_estimate(repeats, seed)
    return estimate.interval(resolution) if estimate else None


def ratio_interval(
    these: Sequence[Array],
    those: Sequence[Array],
    resolution: float = 0.0,
    quantile: float = 0.5,
    confidence: float = 0.95,
) -> tuple[float, float, float] | None:
    """Return the ratio of two quantiles (`these` to `those`) and its interval; None with fewer than three repeats.

    Errors of logarithms add up as `welch` says.
    """
    one, other = quantile_estimate(these, 0, quantile), quantile_estimate(those, 1, quantile)
    if one is None or other is None:
        return None
    ratio = one.value / other.value
    # What is told in steps may be half a step off on either side.
    steps = resolution / 2 * (1 / one.value + 1 / other.value)
    if one.log_error == other.log_error == 0:
        return ratio, ratio * (1 - steps), ratio * (1 + steps)
    variance, freedom = welch([(each.log_error**2, each.freedom) for each in (one, other)])
    spread = math.exp(t_quantile(freedom, (1 + confidence) / 2) * math.sqrt(variance))
    return ratio, ratio / spread * (1 - steps), ratio * spread * (1 + steps)


def welch(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the variance of a difference and its degrees of freedom, from those of its parts, one of them above 0.

    Source: Welch, The generalization of Student's problem when several different population variances are involved
    (1947).
    """
    total = sum(variance for variance, _ in parts)
    return total, total**2 / sum(variance**2 / freedom for variance, freedom in parts)


def t_quantile(freedom: float, probability: float = 0.975) -> float:
    """Return the quantile of Student's t distribution; 0.975 bounds a two-sided interval of 95%."""
    from scipy.special import stdtrit  # noqa: PLC0415 (a third of a second: too long for `iolab up`)

    return float(stdtrit(freedom, probability))
