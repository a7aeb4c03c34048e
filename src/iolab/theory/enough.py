"""How many values a percentile needs: one rule for all kinds of experiment, and for the live page. Needs no numpy."""

import math

CONFIDENCE = 0.95


def least_count(quantile: float, confidence: float = CONFIDENCE) -> int:
    """Return with how many values a `quantile` (0 to 1) is known: from there on it has a distribution-free interval.

    The ends of that interval are two of the values (order_statistics.ranks). All n values lie below the quantile q with
    probability q^n, and above it with (1 - q)^n; where one of these exceeds half of 1 - `confidence`, no value is far
    enough away: 6 values are needed for the median, 72 for p95, 368 for p99.
    Source: David, Nagaraja, Order Statistics (2003), section 7.1.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(quantile, 1 - quantile)))
