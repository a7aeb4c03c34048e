"""How often do the intervals that the lab prints hold the true value? Simulated; no server is started.

    make coverage

Every interval comes from the code that makes those of reports, from response times whose true percentiles are known
(simulated.py). An interval of 95% holds the true value in 95 of 100 cases where its assumptions are met; the rows with
a closed loop show what is left of that where they are not. The tables of OTHERS follow.
"""

import runpy
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from benchmarks.simulated import HEY_S, ClosedLoop, Draw, Repeats, independent, truth
from iolab.kinds.closed.percentiles import QUANTILES
from iolab.kinds.closed.precision import LEAST_ROUNDS, Precision, at_least
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.samples import Sample
from iolab.theory.order_statistics import interval
from iolab.theory.statistics import median_interval, ratio_interval

NOMINAL = 0.95
# Of other intervals: all modules coverage_*, each of which prints a table of its own (tests/test_coverage.py).
OTHERS: Sequence[str] = ("benchmarks.coverage_open", "benchmarks.coverage_slo", "benchmarks.coverage_compare")
LOADS: dict[str, Repeats] = {
    "independent": independent,
    "closed loop, 4 users, 8 workers": ClosedLoop(4, 8).repeats,
    "closed loop, 16 users, 8 workers": ClosedLoop(16, 8).repeats,
    "closed loop, 16 users, 1 worker": ClosedLoop(16, 1).repeats,
}
WANTED, MEDIAN_S, MOST_ROUNDS = 0.03, 0.02, 200  # PRECISION=3%
SPREADS = (0.5, 1.0, 2.0)  # standard deviation of the repeats' medians, as a multiple of that
RATES_DIFFER = 0.02  # standard deviation of the rates of repeats
Interval = tuple[float, float] | None


class Figure(NamedTuple):
    """How often an interval of such data held the true value."""

    interval: str
    data: str
    covered: float
    runs: int

    def __str__(self) -> str:
        return f"{self.interval:<33}  {self.data:<48}  {NOMINAL:>7.0%}  {self.covered:>7.1%}  {self.runs:>6,}"


def covered(runs: int, true: float, drawn: Callable[[Draw], Interval], seed: int) -> float:
    """Return in which share of `runs` the interval that `drawn` makes held the true value."""
    draw = np.random.default_rng(seed)
    found = [drawn(draw) for _ in range(runs)]
    return sum(each is not None and each[0] <= true <= each[1] for each in found) / runs


def order_statistics(runs: int) -> Iterator[Figure]:
    """Yield those of p50, p95 and p99, from three repeats together."""
    for data, repeats in LOADS.items():
        for name, quantile in QUANTILES.items():

            def drawn(draw: Draw, repeats: Repeats = repeats, quantile: float = quantile) -> Interval:
                return interval(np.concatenate(repeats(draw, 3)), quantile)

            share = covered(runs, truth(repeats, quantile), drawn, 1)
            yield Figure(f"{name}, order statistics", f"{data}, 624 requests", share, runs)


def within_a_run(runs: int) -> Iterator[Figure]:
    """Yield those of the median, from the differences of repeats."""
    for data, repeats in LOADS.items():
        true = truth(repeats, 0.5)
        for count in (3, 5, 10):

            def drawn(draw: Draw, repeats: Repeats = repeats, count: int = count) -> Interval:
                return median_interval(repeats(draw, count), HEY_S)

            yield Figure("median, within a run", f"{data}, {count} repeats", covered(runs, true, drawn, count), runs)


def ratios(runs: int) -> Iterator[Figure]:
    """Yield those of the ratio of two percentiles of the same load: the true ratio is 1."""
    for name, quantile in QUANTILES.items():
        for data, repeats in LOADS.items():
            for count in (3, 5):

                def drawn(
                    draw: Draw, repeats: Repeats = repeats, count: int = count, quantile: float = quantile
                ) -> Interval:
                    found = ratio_interval(repeats(draw, count), repeats(draw, count), HEY_S, quantile)
                    return found and found[1:]

                share = covered(runs, 1.0, drawn, count)
                yield Figure(f"ratio of two {name}, within two runs", f"{data}, {count} repeats each", share, runs)


def rate_ratios(runs: int) -> Iterator[Figure]:
    """Yield those of the ratio of two equal rates, as a sweep of CPU limits has them: one rate for each repeat."""
    for count in (3, 5):

        def drawn(draw: Draw, count: int = count) -> Interval:
            one, other = (list(np.exp(draw.normal(0.0, RATES_DIFFER, (count, 1)))) for _ in range(2))
            found = ratio_interval(one, other)
            return found and found[1:]

        data = f"repeats differ by {RATES_DIFFER:.0%}, {count} repeats each"
        yield Figure("ratio of rates, a sweep of CPUS", data, covered(runs, 1.0, drawn, count), runs)


def precision_stops(runs: int) -> Iterator[Figure]:
    """Yield that of the median where PRECISION ends a benchmark, for repeats that differ little and much."""
    for spread in SPREADS:
        stops = [stop(np.random.default_rng((3, number)), spread * WANTED) for number in range(runs)]
        share = sum(low <= MEDIAN_S <= high for _, (low, high) in stops) / runs
        early = sum(rounds == LEAST_ROUNDS for rounds, _ in stops) / runs
        rounds = float(np.median([rounds for rounds, _ in stops]))
        data = f"repeats differ by {spread * WANTED:.1%}: {rounds:.0f} rounds, {early:.0%} end at {LEAST_ROUNDS}"
        yield Figure(f"median, at the stop of PRECISION={WANTED:.0%}", data, share, runs)


def stop(draw: Draw, deviation: float) -> tuple[int, tuple[float, float]]:
    """Return after how many rounds PRECISION ends a benchmark of one cell, and the interval that is then printed."""
    known = Precision(WANTED, 0.0)
    for rounds in range(1, MOST_ROUNDS + 1):
        known.add(RECORD, [Sample(0.0, MEDIAN_S * float(np.exp(draw.normal(0.0, deviation))), 200)])
        if rounds >= LEAST_ROUNDS and known.reached():
            break
    (repeats,) = known.repeats.values()
    found = median_interval(repeats) or (0.0, np.inf)
    return rounds, at_least(found, float(np.median(np.concatenate(repeats))), WANTED)


RECORD = ClosedRecord(
    index=0,
    repeat=0,
    model="C",
    service="asyncio",
    concurrency=4,
    cpus=1.0,
    requested=1,
    sent=1,
    ok=1,
    errors=0,
    started=datetime(2026, 1, 1, tzinfo=UTC),
    duration_s=1.0,
    valid=True,
    reason=None,
    server=ServerUsage(),
    client=ClientUsage(),
)


def figures(runs: int = 500) -> Iterator[Figure]:
    """Yield the figures of all intervals of a closed loop; those by order statistics, which take no time, of more."""
    yield from order_statistics(4 * runs)
    yield from within_a_run(runs)
    yield from ratios(runs)
    yield from rate_ratios(4 * runs)
    yield from precision_stops(runs)


def main() -> None:
    """Print the table, and those of the others."""
    print(f"{'interval':<33}  {'data':<48}  {'nominal':>7}  {'covered':>7}  {'n':>6}")
    for figure in figures():
        print(figure, flush=True)
    for name in OTHERS:
        print(f"\n{name}", flush=True)
        runpy.run_module(name, run_name="__main__")


if __name__ == "__main__":
    main()
