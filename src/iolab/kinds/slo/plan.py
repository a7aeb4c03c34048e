"""A service-level objective such as p99<100ms, and the search for the highest rate of arrivals at which it holds."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.slo.records import SloRecord
from iolab.results.samples import OpenSample
from iolab.theory.capacity import Bound, Distribution
from iolab.theory.enough import least_count

ENDS = 2  # the highest and the lowest rate, which are tried first
BISECTIONS = 6  # the answer is known to 1.6% of the first interval
LOW, HIGH = 0.2, 0.98  # of what a model can serve; a lower rate takes minutes to measure a percentile
NO_QUEUE_RPS = 1500.0  # the highest rate to try with a model without a queue, which theory does not limit
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class Objective:
    """A bound on a percentile, or on the mean (`quantile` None)."""

    text: str
    quantile: float | None
    limit_s: float

    @classmethod
    def parse(cls, text: str) -> "Objective":
        """Parse an objective, such as p99<100ms or mean<0.2s; raises UsageError."""
        match = re.fullmatch(r"\s*(mean|p50|p95|p99|p99\.9)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*", text)
        if not match or not 0 < float(match[2]) < math.inf:
            raise UsageError(f"SLO={text}: must be such as p99<100ms, p95<0.2s or mean<50ms")
        return cls(text.strip(), QUANTILES.get(match[1]), float(match[2]) / (1000 if match[3] == "ms" else 1))

    def check(self, server: ServerSettings) -> None:
        """Raise UsageError if a request takes longer without any queue."""
        random = self.quantile is not None and server.wait_distribution == "exponential"
        wait_ms = server.wait_ms * (-math.log(1 - (self.quantile or 0.0)) if random else 1.0)
        least_ms = wait_ms + server.cpu_ms
        if self.limit_s * 1000 <= least_ms:
            raise UsageError(f"SLO={self.text}: without any queue it is {least_ms:.3g} ms, so no rate can meet it")

    def value_s(self, samples: Sequence[OpenSample]) -> float | None:
        """Return the value that the objective bounds; None without requests, or if a request has no answer."""
        responses = [sample.done_s - sample.planned_s for sample in samples if sample.status == 200]
        if not responses or len(responses) < len(samples):
            return None
        return float(np.mean(responses) if self.quantile is None else np.quantile(responses, self.quantile))

    def least_requests(self) -> int:
        """Return how many requests are needed to measure that value."""
        return 100 if self.quantile is None else least_count(self.quantile)


@dataclass(frozen=True)
class TriedRate:
    """A rate that the search tried, and the result."""

    rate_rps: float
    value_s: float | None
    holds: bool


@dataclass(frozen=True)
class SloTrial:
    """A trial for one model: at `rate_rps`; None: at the highest rate to try, before the model is calibrated."""

    index: int
    model: str
    seed: int
    calibration: Calibration | None = None
    rate_rps: float | None = None

    @property
    def title(self) -> str:
        """Its name in progress messages."""
        return f"{self.model}, {'the highest rate' if self.rate_rps is None else f'{self.rate_rps:.0f} a second'}"


@dataclass(frozen=True)
class Found:
    """The result of a model's search: the highest rate at which the objective held, the lowest at which it did not.

    `theory_rps` is what an M/D/c queue sustains, or M/M/c with exponential service; None if the model has no queue.
    `reason` says why the search did not end; "" if it did.
    """

    letter: str
    name: str
    workers: float
    trials: tuple[TriedRate, ...]
    calibration: Calibration
    theory_rps: float | None
    reason: str = ""

    @property
    def best(self) -> TriedRate | None:
        """The highest trial that holds, of those below the lowest that does not."""
        broken = min((trial.rate_rps for trial in self.trials if not trial.holds), default=float("inf"))
        held = [trial for trial in self.trials if trial.holds and trial.rate_rps < broken]
        return max(held, key=lambda trial: trial.rate_rps, default=None)

    @property
    def broken(self) -> TriedRate | None:
        """The lowest trial that does not hold."""
        return min((trial for trial in self.trials if not trial.holds), key=lambda trial: trial.rate_rps, default=None)


def tried(record: SloRecord) -> TriedRate:
    """Return what a trial found."""
    return TriedRate(record.rate_rps, record.value_s, record.holds)


def next_trial(model: str, records: Sequence[SloRecord], seed: int, first: int = 0) -> SloTrial | None:
    """Return a model's next trial, given the records of all; None if its search has ended.

    Its indices begin with `first`. The search also ends with an invalid trial, because its result is not known.
    """
    own = [record for record in records if record.model == model]
    index = first + len(own)
    if not own:
        return SloTrial(index, model, seed + index)
    if not all(record.valid for record in own):
        return None
    rate_rps = next_rate([tried(record) for record in own], own[0].rate_rps)
    if rate_rps is None:
        return None
    return SloTrial(index, model, seed + index, own[0].calibration, rate_rps)


def next_rate(trials: Sequence[TriedRate], highest_rps: float) -> float | None:
    """Return the rate of the trial after these, None if the search has ended.

    The ends are first, then the middles, on a logarithmic scale; the lowest rate is a fixed share of the highest.
    """
    low_rps, high_rps = highest_rps * LOW / HIGH, highest_rps
    if not trials:
        return high_rps
    if trials[0].holds:
        return None
    if len(trials) == 1:
        return low_rps
    if not trials[1].holds:
        return None
    for trial in trials[2:]:
        low_rps, high_rps = (trial.rate_rps, high_rps) if trial.holds else (low_rps, trial.rate_rps)
    return (low_rps * high_rps) ** 0.5 if len(trials) < ENDS + BISECTIONS else None


def search(holds: Callable[[float], TriedRate], highest_rps: float) -> Iterator[TriedRate]:
    """Yield the trials to the highest rate that holds."""
    trials: list[TriedRate] = []
    while (rate_rps := next_rate(trials, highest_rps)) is not None:
        trials.append(holds(rate_rps))
        yield trials[-1]


def by_theory(objective: Objective, calibration: Calibration, workers: float, distribution: Distribution) -> float:
    """Return the rate up to which an M/D/c or M/M/c queue of this service time meets the objective; 0 if none does."""
    limit_s = objective.limit_s - calibration.transit_s
    return Bound(objective.quantile, limit_s, distribution, calibration.service_s).highest_rps(workers)
