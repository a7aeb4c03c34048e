"""Finished requests of a lane, and what is measured of the last ones."""

import math
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from iolab.theory.enough import least_count

WINDOW_S, OF_LAST = 10.0, 200  # throughput is of these seconds, median and p95 of so many requests
LEAST_S = 1.0


class Row(NamedTuple):
    """A finished request: moments in seconds since the lane began; an error is "" or a sentence."""

    number: int
    user: int
    sent_s: float
    connected_s: float | None
    first_s: float | None
    done_s: float
    status: int
    error: str


def measured(rows: Iterable[Row], since_s: float, now_s: float) -> dict[str, float | None]:
    """Return throughput, median and p95; a null is not known. The last two are of requests sent after `since_s`.

    Both moments are in seconds since the lane began; at `since_s`, the settings changed last.
    """
    answered = [row for row in rows if row.status == 200]
    latencies = sorted([row.done_s - row.sent_s for row in answered if row.sent_s >= since_s][-OF_LAST:])
    span_s = min(WINDOW_S, now_s - since_s)
    recent = sum(row.done_s >= now_s - span_s for row in answered)
    return {
        "rps": recent / span_s if recent and span_s >= LEAST_S else None,
        "median_s": statistics.median(latencies) if len(latencies) >= least_count(0.5) else None,
        "p95_s": latencies[math.ceil(0.95 * len(latencies)) - 1] if len(latencies) >= least_count(0.95) else None,
    }
