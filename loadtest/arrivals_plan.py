"""Plans of arrivals: when each request is to be sent, whether or not the server keeps up.

A plan is one stream of arrivals. Streams of several workers add up, and Poisson streams add up to a Poisson stream.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Arrivals at `rate_rps` for `duration_s` (None: without end); or at `moments`, in seconds from the start."""

    process: str = "poisson"
    rate_rps: float = 10.0
    duration_s: float | None = 10.0
    seed: int | str = 1
    moments: Sequence[float] | None = None

    def stream(self, number: int = 0, streams: int = 1) -> Iterator[float]:
        """Return the arrival times of one of the streams that are the plan together."""
        if self.moments is not None:
            return iter(self.moments[number::streams])
        rate_rps = self.rate_rps / streams
        first_s = number / self.rate_rps if self.process == "constant" else 0.0
        moments = itertools.accumulate(gaps(self.process, rate_rps, f"{self.seed} {number}"), initial=first_s)
        if self.process != "constant":
            next(moments)  # a Poisson stream has no arrival at its very start
        end_s = self.duration_s
        return moments if end_s is None else itertools.takewhile(lambda moment: moment < end_s, moments)


def gaps(process: str, rate_rps: float, seed: str) -> Iterator[float]:
    """Return the seconds from each arrival to the next, without end."""
    if process == "constant":
        return itertools.repeat(1 / rate_rps)
    draw = random.Random(f"arrivals {seed}")  # noqa: S311 (arrivals, not secrets)
    return iter(lambda: draw.expovariate(rate_rps), None)
