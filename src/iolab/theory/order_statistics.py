"""Distribution-free intervals of percentiles, from the order statistics of independent values. Pure functions.

Of n values of any continuous distribution, the number below its quantile q is binomial, B(n, q). The value of rank l is
above the quantile if fewer than l values are below it, the value of rank u is below it if at least u are. So an
interval from rank l to rank u misses on each side with a probability that depends on n and q alone.
Source: David, Nagaraja, Order Statistics (2003), section 7.1.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import Array


def ranks(count: int, quantile: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Return the ranks (1 is the smallest value) between which the `quantile` (0 to 1) lies, or None with too few.

    The tails are equal: l is the highest rank with P(B < l) <= (1 - confidence) / 2, u the lowest with P(B >= u) no
    more than that, for B ~ binomial(count, quantile). So the interval holds the quantile with at least `confidence`,
    and it is None where even the largest or the smallest value is not enough: below 368 values for 0.99 at 95%.
    Raises ValueError if a quantile or confidence is not between 0 and 1.
    """
    low, high = sides(count, quantile, confidence)
    return None if low is None or high is None else (low, high)


@lru_cache(maxsize=4096)
def sides(count: int, quantile: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Return each of the ranks by itself, None where no rank is low or high enough.

    With few values a high quantile may have a lower bound only. Raises ValueError as `ranks` does.
    """
    if not (0 < quantile < 1 and 0 < confidence < 1):
        raise ValueError(f"quantile {quantile:g}, confidence {confidence:g}: both must be between 0 and 1")
    tail = (1 - confidence) / 2
    low = _highest(count, lambda rank: _fewer(rank, count, quantile) <= tail)
    # At least u of n are below q: fewer than n - u + 1 are above it, and that is binomial too. No 1 - p near 1.
    high = count + 1 - _highest(count, lambda rank: _fewer(rank, count, 1 - quantile) <= tail)
    return (low if low >= 1 else None, high if high <= count else None)


def interval(values: Array, quantile: float, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the interval of a quantile from independent `values`, in their unit; None with too few of them.

    Values that depend on each other, such as response times behind one queue, need a wider one.
    """
    found = ranks(len(values), quantile, confidence)
    if found is None:
        return None
    low, high = (rank - 1 for rank in found)
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def _fewer(rank: int, count: int, probability: float) -> float:
    """Return the probability that fewer than `rank` of `count` values are below a quantile of that probability."""
    from scipy.special import bdtr  # noqa: PLC0415 (a third of a second: too long for `iolab up`)

    return float(bdtr(rank - 1, count, probability))


def _highest(count: int, holds: Callable[[int], bool]) -> int:
    """Return the highest rank from 1 to `count` that holds, if all below it do; 0 if none does."""
    low, high = 0, count + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
