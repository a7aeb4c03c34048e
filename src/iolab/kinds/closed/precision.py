"""How well medians are known, while a benchmark runs: whether another round is needed, and what may be asked for."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from iolab.errors import UsageError
from iolab.kinds.closed.plan import Trial
from iolab.kinds.closed.records import ClosedRecord
from iolab.report.numbers import share, users
from iolab.results.samples import Sample
from iolab.theory.statistics import RESOLUTION_S, Array, median_interval

LEAST_ROUNDS = 5  # three repeats that agree by chance have a short interval, and would end the benchmark too early
ROUNDING = 1e-9  # of computing with floats
CellKey = tuple[str, int, float, str]
Interval = tuple[float, float]


class Median(NamedTuple):
    """The median of a cell, and whose it is."""

    seconds: float
    model: str
    users: int


def reach(interval: Interval | None, median: float | None) -> float | None:
    """Return how far a 95% interval reaches from its median, as a share of that; None where there is none."""
    return max(interval[1] / median - 1, 1 - interval[0] / median) if interval and median else None


def at_least(interval: Interval, median: float, wanted: float) -> Interval:
    """Return an interval of a benchmark that ends when its intervals are short: none is shorter than was asked for.

    Such a benchmark ends early where the repeats happen to agree, so the short intervals at its end are too short.
    The interval of the width asked for covers the true value as often as it says (benchmarks/coverage.py).
    Source: Chow, Robbins, On the Asymptotic Theory of Fixed-Width Sequential Confidence Intervals for the Mean (1965).
    """
    return min(interval[0], median * (1 - wanted)), max(interval[1], median * (1 + wanted))


@dataclass
class Precision:
    """Collects the response times of valid trials, a cell at a time.

    `wanted` is how far the 95% interval of every cell's median may reach from it, as a share of the median.
    """

    wanted: float
    resolution_s: float
    repeats: dict[CellKey, list[Array]] = field(default_factory=dict)
    _answers: dict[tuple[CellKey, int], bool] = field(default_factory=dict)

    def add(self, record: ClosedRecord, samples: Sequence[Sample]) -> None:
        """Take note of a trial."""
        latencies = [one.latency_s for one in samples if one.status == 200 and one.latency_s is not None]
        mine = self.repeats.setdefault((record.model, record.concurrency, record.cpus, record.variant), [])
        if record.valid and latencies:
            mine.append(np.array(latencies))

    def check(self, generator: str) -> None:
        """Raise UsageError where the medians measured so far are too short for the precision."""
        known = {key: float(np.median(np.concatenate(each))) for key, each in self.repeats.items() if each}
        if known:
            check_resolution(self.wanted, generator, [Median(s, *key[:2]) for key, s in known.items()], "measured")

    def reached(self) -> bool:
        """Say whether every cell has enough repeats, and was known as well as wanted in the last two rounds."""
        return bool(self.repeats) and all(
            len(repeats) >= LEAST_ROUNDS and self._known(key, len(repeats)) and self._known(key, len(repeats) - 1)
            for key, repeats in self.repeats.items()
        )

    def _known(self, key: CellKey, count: int) -> bool:
        """Say whether the first `count` repeats of a cell tell its median well enough; each is asked about twice."""
        if (key, count) not in self._answers:
            repeats = self.repeats[key][:count]
            width = reach(median_interval(repeats, self.resolution_s), float(np.median(np.concatenate(repeats))))
            self._answers[key, count] = width is not None and width <= self.wanted
        return self._answers[key, count]


def check_resolution(wanted: float, generator: str, medians: Iterable[Median], how: str = "expected") -> None:
    """Raise UsageError where the load generator cannot tell response times apart that differ by so little.

    `how` the medians are known: expected by theory, or measured.
    """
    resolution_s = RESOLUTION_S[generator]
    median_s, model, count = min(medians)
    if wanted * median_s >= resolution_s * (1 - ROUNDING):
        return
    raise UsageError(
        f"PRECISION={share(wanted)}: {generator} measures in steps of {resolution_s * 1000:g} ms, and that share of the"
        f" shortest {how} median ({model} with {users(count)}, {median_s * 1000:.3g} ms) is"
        f" {wanted * median_s * 1000:.2g} ms: ask for {_least(resolution_s / median_s)} or more"
        f"{', or use LOADGEN=locust' if generator == 'hey' else ''}"
    )


def _least(least: float) -> str:
    """Return a share as PRECISION takes it, rounded up."""
    return f"{math.ceil(least * (1 - ROUNDING) * 10_000) / 100:g}%"


def rounds_until(
    rounds: Iterator[Sequence[Trial]],
    least: int,
    enough: Callable[[], bool],
    out_of_time: Callable[[], bool],
    after_one: Callable[[], None] = lambda: None,
) -> Iterator[Trial]:
    """Yield the trials of at least `least` rounds, and then of others until it is enough or time is out.

    Whether time is out is asked before each round: a round that has begun is ended, so that all cells have as many
    repeats. `after_one` is called after the first.
    """
    for number, trials in enumerate(rounds):
        if number == 1:
            after_one()
        if number >= least and (enough() or out_of_time()):
            return
        yield from trials
