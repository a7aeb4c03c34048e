"""Percentiles of times of which some never end: a click that is never answered is longer than any other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iolab.theory.statistics import least_count

LEAST_P99 = 100  # values, of which one lies beyond it


@dataclass(frozen=True)
class Times:
    """Percentiles of times in seconds. Infinite: so many never came to their end; None: too few to know it."""

    count: int
    never: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Times":
        """Work them out; None among `values` is a time without end, which counts as longer than any other."""
        ordered = sorted(math.inf if value is None else value for value in values)
        count = len(ordered)
        return cls(
            count=count,
            never=sum(map(math.isinf, ordered)),
            p50_s=_ranked(ordered, 0.5) if count >= least_count(0.5) else None,
            p99_s=_ranked(ordered, 0.99) if count >= LEAST_P99 else None,
            max_s=ordered[-1] if ordered else None,
        )


def _ranked(ordered: Sequence[float], quantile: float) -> float:
    """Return the value of that rank: between a time and none at all there is nothing to interpolate."""
    return ordered[math.ceil(quantile * len(ordered)) - 1]
