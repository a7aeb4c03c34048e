"""How often does the bracket of a search hold the true rate? Simulates `make slo` on ideal queues.

    python -m benchmarks.coverage_slo

Each search is the lab's own: its rates, its trials, its verdicts, on response times of an M/D/c or M/M/c queue that
begins each trial empty. The truth is the exact rate of theory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from iolab.kinds.slo.judgement import decided, judge
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.plan import FIRST, spans_s
from iolab.kinds.slo.run import times
from iolab.kinds.slo.search import Bracket, Range, Step, Verdict, bracket, next_rate
from iolab.kinds.slo.settings import Search
from iolab.theory import queueing
from iolab.theory.capacity import Distribution
from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import Array

SEARCHES = 300


@dataclass(frozen=True)
class Ideal:
    """An ideal queue and an objective for it."""

    objective: str
    service_s: float
    workers: int = 1
    distribution: Distribution = "constant"

    @property
    def name(self) -> str:
        """Its name in the table."""
        letter = "D" if self.distribution == "constant" else "M"
        return f"{self.objective}, M/{letter}/{self.workers}, S = {self.service_s * 1000:g} ms"

    @property
    def truth_rps(self) -> float:
        """The rate at which the objective breaks."""
        return Objective.parse(self.objective).by_theory(self.service_s, 0.0, self.workers, self.distribution)

    def responses(self, draw: np.random.Generator, rate_rps: float, lead_s: float, plan_s: float) -> Array:
        """Return the response times of one trial, without those planned before `lead_s`."""
        arrivals = np.sort(draw.uniform(0, plan_s, draw.poisson(rate_rps * plan_s)))
        constant = np.full(len(arrivals), self.service_s)
        services = constant if self.distribution == "constant" else draw.exponential(self.service_s, len(arrivals))
        found: Array = queueing.many_servers(arrivals, services, self.workers)[arrivals >= lead_s]
        return found


IDEALS = (
    Ideal("p99<100ms", 0.02026),
    Ideal("p95<100ms", 0.02026),
    Ideal("p99<1s", 0.02026),
    Ideal("p50<30ms", 0.02026),
    Ideal("mean<60ms", 0.02026),
    Ideal("p95<100ms", 0.02026, 1, "exponential"),
    Ideal("p99<100ms", 0.02009, 8),
)


@dataclass(frozen=True)
class Searched:
    """The brackets of simulated searches, and how long each would have taken."""

    ideal: Ideal
    brackets: Sequence[Bracket]
    took_s: Sequence[float]

    @property
    def holds(self) -> int:
        """How many brackets hold the truth; one without an upper end ends at what the workers can serve."""
        return sum(
            (each.holds_rps or 0.0) <= self.ideal.truth_rps <= (each.fails_rps or float("inf"))
            for each in self.brackets
        )

    def ends(self) -> tuple[float, float]:
        """Return the medians of both ends, as shares of the truth."""
        capacity_rps = self.ideal.workers / self.ideal.service_s
        low = [each.holds_rps or 0.0 for each in self.brackets]
        high = [each.fails_rps or capacity_rps for each in self.brackets]
        return float(np.median(low)) / self.ideal.truth_rps, float(np.median(high)) / self.ideal.truth_rps


def searches(ideal: Ideal, count: int, search: Search, seed: int = 0) -> Searched:
    """Simulate that many searches."""
    draw = np.random.default_rng(seed)
    found = [_search(ideal, search, draw) for _ in range(count)]
    return Searched(ideal, [each for each, _ in found], [took_s for _, took_s in found])


def _search(ideal: Ideal, search: Search, draw: np.random.Generator) -> tuple[Bracket, float]:
    capacity_rps = ideal.workers / ideal.service_s
    limits, steps, total_s = Range(FIRST * capacity_rps, float("inf"), capacity_rps), list[Step](), 0.0
    while (rate_rps := next_rate(steps, limits, search.within)) is not None:
        verdict, took_s = _measure(ideal, rate_rps, search, draw)
        steps.append(Step(rate_rps, verdict))
        total_s += took_s
    return bracket(steps), total_s


def _measure(ideal: Ideal, rate_rps: float, search: Search, draw: np.random.Generator) -> tuple[Verdict, float]:
    """Return the verdict of a rate, and how long that took."""
    objective, spans = Objective.parse(ideal.objective), spans_s(search)
    trials, took_s, measured_s = list[Array](), 0.0, 0.0
    while True:
        lead_s, plan_s = times(search, rate_rps, ideal.service_s, ideal.workers, len(trials))
        trials.append(ideal.responses(draw, rate_rps, lead_s, plan_s))
        took_s, measured_s = took_s + plan_s, measured_s + plan_s - lead_s
        more = search.most_s / measured_s if len(trials) < len(spans) else 1.0
        verdict = decided(judge(objective, trials, trials, more), objective.limit_s)
        if verdict:
            return verdict, took_s


def figures(count: int = SEARCHES) -> Iterator[list[str]]:
    """Yield the rows of a table; the first one has the headings."""
    yield ["Search", "Truth", "Bracket, median, of the truth", "Holds the truth", "Nominal", "Median time"]
    for ideal in IDEALS:
        number = count if ideal.workers == 1 else max(1, count // 3)  # a queue of several workers takes longer
        found = searches(ideal, number, Search())
        low, high = found.ends()
        yield [
            ideal.name,
            f"{ideal.truth_rps:.2f}/s",
            f"{low:.2f} to {high:.2f}",
            f"{found.holds} of {number} ({found.holds / number:.0%})",
            f"{CONFIDENCE:.0%}",
            f"{np.median(found.took_s) / 60:.0f} min",
        ]


if __name__ == "__main__":
    for cells in figures():
        print(" | ".join(cells), flush=True)
