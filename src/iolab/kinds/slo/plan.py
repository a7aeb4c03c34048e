"""The trials of a search: the next one follows from those on disk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from iolab.kinds import arrivals
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.search import DIGITS, MOST_STEPS, Range, next_rate
from iolab.kinds.slo.settings import Search, SloExperiment
from iolab.kinds.slo.steps import AGAIN, LOOKS, tried
from iolab.report import numbers
from iolab.report.numbers import slow_rate
from iolab.results.run_info import RunInfo

FIRST = 0.5  # of what the workers can serve
NO_QUEUE_RPS = 1500.0  # the first rate of a model without a queue
NO_QUEUE_LEAD_S = 2.0  # of such a model: its CPU can have one
MOST_TRIALS = MOST_STEPS * (LOOKS + AGAIN)  # of a model


@dataclass(frozen=True)
class SloTrial:
    """A trial for one model at `rate_rps`; None: at the first rate, which the calibration tells.

    `earlier` are the undisturbed trials at that rate; `again` says that the one before was disturbed.
    `run` is what its findings need, and `left_s` about how long the search still takes.
    """

    index: int
    model: str
    seed: int
    calibration: Calibration | None = None
    rate_rps: float | None = None
    earlier: tuple[SloRecord, ...] = ()
    again: bool = False
    left_s: float | None = None
    run: RunInfo | None = None

    @property
    def title(self) -> str:
        """Its name in progress messages: the rate, what is known there, and about how long the search still takes."""
        parts = [f"{self.model}, {'the first rate' if self.rate_rps is None else slow_rate(self.rate_rps)}"]
        if self.earlier:
            parts.append(f"{self.earlier[-1].objective} not decided yet")
        if self.again:
            parts.append("again, because the last trial was disturbed")
        if self.left_s is not None:
            parts.append(f"about {numbers.duration(self.left_s)} left")
        return ", ".join(parts)


def spans_s(search: Search) -> tuple[float, ...]:
    """Return how long each trial at one rate is measured: together `least_s`, a middle, and `most_s` at last."""
    if search.least_s >= search.most_s:
        return (search.least_s,)
    ends = [search.least_s * (search.most_s / search.least_s) ** (look / (LOOKS - 1)) for look in range(LOOKS)]
    return tuple(end - before for before, end in zip([0.0, *ends], ends, strict=False))


def longest_lead_s(search: Search, workers: float) -> float:
    """Return the longest time that a trial takes to reach its steady state."""
    return min(search.lead_s, NO_QUEUE_LEAD_S) if math.isinf(workers) else search.lead_s


def most_rps(search: Search, workers: float) -> float:
    """Return the highest rate of which a run holds the requests of the shortest trial."""
    return arrivals.MOST_REQUESTS / (longest_lead_s(search, workers) + search.least_s)


def limits(first: SloRecord, workers: float) -> Range:
    """Return the range of a search whose first trial this is."""
    capacity_rps = workers / first.calibration.service_s
    return Range(first.rate_rps, first.highest_rps, capacity_rps)


def first_rps(calibration: Calibration, workers: float, highest_rps: float) -> float:
    """Return the first rate of a search."""
    wanted = NO_QUEUE_RPS if math.isinf(workers) else FIRST * workers / calibration.service_s
    return round(min(wanted, highest_rps), DIGITS)


class Searched(Protocol):
    """A model that is searched."""

    @property
    def letter(self) -> str:
        """Its letter."""

    @property
    def places(self) -> float:
        """How many requests can wait in it at once; it may be infinite."""


def next_trial(
    experiment: SloExperiment, model: Searched, run: RunInfo, records: Sequence[SloRecord], first: int = 0
) -> SloTrial | None:
    """Return a model's next trial, given the records of all; None if its search has ended.

    Its indices begin with `first`. The search also ends with an invalid trial, because its result is not known.
    """
    own = [record for record in records if record.model == model.letter]
    index = first + len(own)
    seed = experiment.seed + index
    if not own:
        return SloTrial(index, model.letter, seed)
    if not all(record.valid for record in own) or len(own) >= MOST_TRIALS:
        return None
    known = tried(run, own, experiment.wanted)
    last = next(each for each in known if own[-1] in (*each.good, *each.disturbed))
    if last.verdict is None:
        again = own[-1] in last.disturbed
        return SloTrial(index, model.letter, seed, own[0].calibration, last.rate_rps, last.good, again)
    rate_rps = next_rate([each.step for each in known], limits(own[0], model.places), experiment.search.within)
    if rate_rps is None:
        return None
    return SloTrial(index, model.letter, seed, own[0].calibration, rate_rps)
