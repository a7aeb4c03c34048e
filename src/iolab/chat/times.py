"""Percentiles of times, some of which are infinite: a click without an answer counts as longer than any other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iolab.theory.enough import least_count


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
        median_s = _known(ordered, 0.5)
        return cls(
            count=len(ordered),
            never=sum(map(math.isinf, ordered)),
            p50_s=median_s,
            # Above a median that never ended, nothing ended.
            p99_s=median_s if median_s == math.inf else _known(ordered, 0.99),
            max_s=ordered[-1] if ordered else None,
        )


def ranked(ordered: Sequence[float], quantile: float) -> float:
    """Return the value of that rank, without interpolation, which infinite values do not allow.

    It describes these values, however few they are; `_known` says what they tell of others.
    """
    return ordered[math.ceil(quantile * len(ordered)) - 1]


def _known(ordered: Sequence[float], quantile: float) -> float | None:
    return ranked(ordered, quantile) if len(ordered) >= least_count(quantile) else None
