"""Intervals from values that depend on each other, such as the response times of requests behind one queue.

A series of n such values tells as much as fewer independent ones: n / g, where g is the integrated autocorrelation. The
intervals are those of n / g independent values. Pure functions.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iolab.theory import order_statistics
from iolab.theory.statistics import Array, t_quantile

LEAST_OF_A_MEAN = 50  # independent values


class Known(NamedTuple):
    """A value, in its unit, its interval, and how many independent values know as much; an end may be unknown."""

    value: float
    low: float | None
    high: float | None
    independent: int


def count_as_one(series: Sequence[Array]) -> float:
    """Return how many successive values count as one: 1 plus twice the sum of all autocorrelations, at least 1.

    The series are independent of each other and of the same process. The sum ends before the first pair of neighbouring
    autocorrelations that is not positive, and pairs may not grow, because what follows is noise.
    Source: Geyer, Practical Markov Chain Monte Carlo (1992), section 3.3: the initial monotone sequence estimator.
    """
    total, longest = sum(map(len, series)), max(map(len, series))
    mean = sum(float(each.sum()) for each in series) / total
    size = 1 << (2 * longest - 1).bit_length()
    covariances = np.zeros(longest)
    for each in series:
        transformed = np.fft.rfft(each - mean, size)
        covariances[: len(each)] += np.fft.irfft(np.abs(transformed) ** 2, size)[: len(each)]
    if covariances[0] <= 1e-18 * total * mean**2 or longest < 4:
        return 1.0
    pairs = (covariances[: longest // 2 * 2] / covariances[0]).reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    kept = np.minimum.accumulate(pairs[: ends[0]] if len(ends) else pairs)
    # Each autocovariance is too low by the variance of the mean that was subtracted, which is g / n of the first.
    return max(1.0, (2 * float(kept.sum()) - 1) * (1 + 4 * len(kept) / total))


def quantile(series: Sequence[Array], share: float, confidence: float, times: float = 1.0) -> Known | None:
    """Return the quantile `share` (0 to 1) of all values, and its interval; None without values.

    The ranks are those of order statistics of n / g values, and lie at the same shares of all n. An end is None where
    even the largest or the smallest of so few values would not be enough. The interval is that of `times` as many
    values that are distributed as these are.
    """
    filled = [each for each in series if len(each)]
    if not filled:
        return None
    values = np.sort(np.concatenate(filled))
    number = len(values)
    independent = max(1, int(times * number / count_as_one(filled)))
    low, high = order_statistics.sides(independent, share, confidence)
    scale = (number + 1) / (independent + 1)
    return Known(
        float(np.quantile(values, share)),
        None if low is None else float(values[max(1, math.floor(low * scale)) - 1]),
        None if high is None else float(values[min(number, math.ceil(high * scale)) - 1]),
        independent,
    )


def mean(series: Sequence[Array], confidence: float, times: float = 1.0) -> Known | None:
    """Return the mean of all values and its interval by Student's t of its logarithm; None without values.

    Both ends are None with fewer than LEAST_OF_A_MEAN independent values: response times are far from normal, and from
    few of them neither their spread nor their correlation is known. The interval is that of `times` as many values.
    """
    filled = [each for each in series if len(each)]
    if not filled:
        return None
    values = np.concatenate(filled)
    found, independent = float(values.mean()), max(1, int(times * len(values) / count_as_one(filled)))
    if independent < LEAST_OF_A_MEAN:
        return Known(found, None, None, independent)
    deviation = float(values.std(ddof=1)) / math.sqrt(independent)
    spread = math.exp(t_quantile(independent - 1, (1 + confidence) / 2) * deviation / found)
    return Known(found, found / spread, found * spread, independent)
