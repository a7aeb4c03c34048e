"""How well medians are known, while a benchmark runs: whether another round is needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from iolab.kinds.closed.plan import Trial
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.samples import Sample
from iolab.theory.statistics import Array, median_interval

CellKey = tuple[str, int, float, str]
NONE: Array = np.zeros(1)


def half_width(interval: tuple[float, float] | None, median: float | None) -> float | None:
    """Return half the width of a 95% interval as a share of its median; None where there is none."""
    return (interval[1] - interval[0]) / 2 / median if interval and median else None


@dataclass
class Precision:
    """Collects the response times of valid trials, a cell at a time.

    `wanted` is the half-width of the 95% interval that every cell's median is to have, as a share of the median.
    """

    wanted: float
    resolution_s: float
    repeats: dict[CellKey, list[Array]] = field(default_factory=dict)

    def add(self, record: ClosedRecord, samples: Sequence[Sample]) -> None:
        """Take note of a trial."""
        latencies = [one.latency_s for one in samples if one.status == 200 and one.latency_s is not None]
        mine = self.repeats.setdefault((record.model, record.concurrency, record.cpus, record.variant), [])
        if record.valid and latencies:
            mine.append(np.array(latencies))

    def reached(self) -> bool:
        """Say whether every cell's median is known as well as wanted."""
        widths = [
            half_width(median_interval(repeats, self.resolution_s), float(np.median(np.concatenate(repeats or [NONE]))))
            for repeats in self.repeats.values()
        ]
        return bool(widths) and all(width is not None and width <= self.wanted for width in widths)


def rounds_until(
    rounds: Iterator[Sequence[Trial]], least: int, enough: Callable[[], bool], out_of_time: Callable[[], bool]
) -> Iterator[Trial]:
    """Yield the trials of at least `least` rounds, and then of others until it is enough or time is out.

    Whether time is out is asked before each round: a round that has begun is ended, so that all cells have as many
    repeats.
    """
    for number, trials in enumerate(rounds):
        if number >= least and (enough() or out_of_time()):
            return
        yield from trials
