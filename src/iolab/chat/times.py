"""Percentiles of times, some of which are infinite: a click without an answer counts as longer than any other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iolab.theory.statistics import least_count

LEAST_P99 = 100  # values, of which one lies beyond it


@dataclass(frozen=True)
class Times:
    """Percentiles of times in seconds; infinite for a time that never ended, None with too few values."""

    count: int
    never: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Times":
        """Compute them; None among `values` is a time that never ended, and counts as longer than any other."""
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
    """Return the value of that rank, without interpolation, which infinite values do not allow."""
    return ordered[math.ceil(quantile * len(ordered)) - 1]
