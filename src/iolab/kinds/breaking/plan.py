"""Work that blocks, and where it is done: settings, what theory expects, and what was seen; pure.

An event loop serves nobody while a callback runs: what blocks the loop blocks everyone.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from iolab.results.records import Sample, ServerUsage
from iolab.theory.closed_loop import ClosedLoop, closed_loop
from iolab.theory.statistics import Array, percentile


class Way(BaseModel):
    """A way to do a request's work: `service` does it in `place`, a pool of so many threads or processes, if in one.

    The work is a wait or computing, as long as the experiment's `server` says; `await` is the wait that does not block.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=40)]
    service: str = "broken"
    work: Literal["wait", "compute"]
    place: Literal["await", "loop", "thread", "process"]
    pool: Annotated[int, Field(ge=1, le=64)] = 8

    def at_once(self, cpus: float) -> float:
        """Return how many requests' work can go on at once; of threads that compute, one has the interpreter lock."""
        if self.place == "await":
            return math.inf
        if self.place == "loop" or (self.place == "thread" and self.work == "compute"):
            return 1
        return self.pool if self.work == "wait" else min(self.pool, max(1, math.floor(cpus)))


class Broken(BaseModel):
    """What is compared, for some `seconds` each; meanwhile a bystander asks for the server's health again and again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: Annotated[float, Field(gt=0, le=600)] = 3.0
    bystander_ms: Annotated[float, Field(ge=1, le=10_000)] = 50.0  # after each answer
    ways: Annotated[tuple[Way, ...], Field(min_length=1)]


def expected(way: Way, users: int, work_s: float, cpus: float) -> ClosedLoop:
    """Return what theory says of `users` users whose requests each take `work_s` of work."""
    return closed_loop(users, way.at_once(cpus), work_s)


@dataclass(frozen=True)
class Seen:
    """What users and the bystander of one way saw, what theory expects, and what the server used."""

    way: Way
    expected: ClosedLoop
    samples: tuple[Sample, ...]
    bystander: tuple[Sample, ...]
    usage: ServerUsage

    @property
    def median_ms(self) -> float | None:
        """The median latency of the users."""
        return _median_ms(self.samples)

    @property
    def p95_ms(self) -> float | None:
        """Their 95th percentile; None where they are too few."""
        value = percentile(_latencies_s(self.samples), 0.95)
        return None if value is None else value * 1000

    @property
    def rate_rps(self) -> float:
        """How many of them were answered a second."""
        begun = [one.start_s for one in self.samples if one.start_s is not None]
        ended = [one.start_s + one.latency_s for one in self.samples if one.start_s is not None and one.latency_s]
        return len(ended) / (max(ended) - min(begun)) if ended else 0.0

    @property
    def bystander_median_ms(self) -> float | None:
        """The median latency of the bystander, whose request does no work at all."""
        return _median_ms(self.bystander)

    @property
    def bystander_slowest_ms(self) -> float | None:
        """Their longest wait."""
        values = _latencies_s(self.bystander)
        return float(values.max()) * 1000 if len(values) else None


def _latencies_s(samples: Sequence[Sample]) -> Array:
    return np.array([one.latency_s for one in samples if one.status == 200 and one.latency_s is not None])


def _median_ms(samples: Sequence[Sample]) -> float | None:
    values = _latencies_s(samples)
    return float(np.median(values)) * 1000 if len(values) else None


_COROUTINE = re.compile(
    r"^Executing <Task [^<]*coro=<(?P<what>[\w.]+\(\)) .*?(?:defined|running) at (?:\S*/)?(?P<where>[\w.]+:\d+)>"
)
_LINE = re.compile(r" ms, (?P<where>[\w.]+:\d+) (?P<what>.*?) \(in \w+\)")


@dataclass(frozen=True)
class Named:
    """Who was named most often in a server's log, `count` times of `of`: where, and what is there; `said` is a line."""

    where: str
    what: str
    count: int
    of: int
    said: str


@dataclass(frozen=True)
class Blame:
    """What a server's own log says of who blocks its loop, for one kind of work; None where it says nothing.

    `coroutine` is whom asyncio's debug mode warns of (where: file and line of its definition), `line` where the
    watchdog saw the loop stand.
    """

    work: Literal["wait", "compute"]
    coroutine: Named | None
    line: Named | None


def blame(work: Literal["wait", "compute"], log: str) -> Blame:
    """Read a server's log."""
    lines = log.splitlines()
    warnings = [line for line in lines if line.startswith("Executing <")]
    looks = [line for line in lines if line.startswith("watchdog: ")]
    return Blame(work, _most(warnings, _COROUTINE), _most(looks, _LINE))


def _most(lines: Sequence[str], pattern: re.Pattern[str]) -> Named | None:
    """Return who is named most often; lines that name nobody count among all."""
    found = [match for line in lines if (match := pattern.search(line))]
    if not found:
        return None
    ((where, what), count), *_ = Counter((match["where"], match["what"]) for match in found).most_common(1)
    said = next(match.string for match in found if (match["where"], match["what"]) == (where, what))
    return Named(where, what, count, len(lines), said)
