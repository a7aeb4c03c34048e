"""A/A test: how often does `make compare` see a difference that is not there, and how much do runs vary?

    make aa [PAIRS=10] [TIME=1h] [RUNTIME=docker] [MODELS=C] ...

Measures the experiment of `make bench`, with its default settings and fresh servers, twice for each pair, and compares
the two runs; takes the options of `make bench` too. With TIME, the runs begin at equal distances over that time:
runs one after the other vary less than runs of different hours. The runs stay in results/aa.

Prints, each with its 95% interval: the share of pairs with a false alarm, with the noise threshold and without it; and
the deviation between runs of each figure of each cell, from which the threshold was chosen (report/compare.py). Ends
with status 1 if there were more false alarms than 5% and chance allow.
"""

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from scipy.special import bdtrc, betaincinv, chdtri

from iolab.kinds import registry
from iolab.options import span
from iolab.report.cells import RunCell, figure
from iolab.report.compare import NOISE, compare
from iolab.report.compared import Comparison
from iolab.results.folder import RunFolder
from iolab.theory.enough import CONFIDENCE

NOMINAL = 1 - CONFIDENCE
A_SIDE = 3  # runs, where several are compared
RESULTS = Path("results/aa")
CLOSED = registry.kind("closed")

Run = Sequence[RunCell]
Number = TypeVar("Number", int, float)


def main() -> int:
    """Measure all pairs, print what they show, and return the exit status."""
    try:
        pairs, time_s = _given("PAIRS", "10", int), _given("TIME", "1h", span)
    except ValueError as mistake:
        print(f"{mistake}: PAIRS is a number of pairs from 1, TIME a time such as 1h", file=sys.stderr)
        return 2
    begun_s, runs = time.monotonic(), list[Run]()
    for number in range(2 * pairs):
        time.sleep(max(0.0, begun_s + number * time_s / (2 * pairs) - time.monotonic()))
        runs.append(CLOSED.run_cells(_run()))
        if number % 2:
            print(
                f"pair {number // 2 + 1:2} of {pairs}: {_told(compare([runs[-2:-1], runs[-1:]], CLOSED))}", flush=True
            )
    print(f"\n{2 * pairs} runs over {(time.monotonic() - begun_s) / 60:.0f} min.")
    chances = [_alarms(what, found) for what, found in series(runs).items() if found]
    count, of = without_threshold(runs)
    low, high = share_of(count, of)
    print(
        f"One run a side, without the threshold: {count} of {of} figures, {count / of:.0%} ({low:.0%} to {high:.0%})."
    )
    print(f"\n{'deviation between runs':<26} {'of one run':>10}  95% interval")
    for name, values in figures(runs).items():
        deviation, (low, high) = spread(values)
        print(f"{name:<26} {deviation:>10.2%}  {low:.2%} to {high:.2%}")
    return 0 if min(chances) >= NOMINAL else 1


def series(runs: Sequence[Run]) -> dict[str, list[int]]:
    """Return the number of false alarms of each comparison, by what is compared."""
    pairs = [compare([[one], [other]], CLOSED) for one, other in zip(runs[::2], runs[1::2], strict=True)]
    groups = [runs[at : at + 2 * A_SIDE] for at in range(0, len(runs) - 2 * A_SIDE + 1, 2 * A_SIDE)]
    several = [compare([group[::2], group[1::2]], CLOSED) for group in groups]
    return {
        f"one run a side, NOISE={NOISE:.0%}": [_differing(each) for each in pairs],
        f"{A_SIDE} runs a side": [_differing(each) for each in several],
    }


def without_threshold(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many figures of the pairs have a within-run interval that does not contain 1, and of how many."""
    pairs = [compare([[one], [other]], CLOSED) for one, other in zip(runs[::2], runs[1::2], strict=True)]
    found = [each.difference for pair in pairs for row in pair.rows for each in row.figures if each.difference]
    return sum(replace(each, noise=0.0).p < NOMINAL for each in found), len(found)


def figures(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Return the value of each figure of each cell in all runs that have it, by its name."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for cell in run:
            for metric in CLOSED.metrics:
                value = figure(cell.values, metric)
                if value:
                    found.setdefault(f"{CLOSED.name_of(cell.values)}, {metric}", []).append(value)
    return {name: values for name, values in found.items() if len(values) > 1}


def spread(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Return the standard deviation of the logarithms of values, and its 95% interval (of a normal distribution)."""
    freedom = len(values) - 1
    deviation = statistics.stdev(map(math.log, values))
    bounds = [math.sqrt(freedom / chdtri(freedom, share)) for share in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)]
    return deviation, (deviation * bounds[0], deviation * bounds[1])


def share_of(count: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a probability from `count` of `of`.

    Source: Clopper, Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial (1934).
    """
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def _alarms(what: str, found: Sequence[int]) -> float:
    """Print how many comparisons had a false alarm; return the probability of so many or more at the nominal rate."""
    count, of = sum(each > 0 for each in found), len(found)
    low, high = share_of(count, of)
    print(
        f"{what}: a false alarm in {count} of {of} comparisons of all cells: {count / of:.0%} (95% interval"
        f" {low:.0%} to {high:.0%}; nominal {NOMINAL:.0%})."
    )
    return float(bdtrc(count - 1, of, NOMINAL))


def _differing(found: Comparison) -> int:
    return sum(each.differs for row in found.rows for each in row.figures)


def _told(found: Comparison) -> str:
    ratios = [each for row in found.rows for each in row.figures if each.ratio is not None]
    widest = max(ratios, key=lambda each: abs(math.log(each.ratio or 1.0)))
    furthest = f"{widest.ratio:.3f} ({widest.metric})"
    return f"{_differing(found)} of {len(ratios)} figures differ; ratio furthest from 1: {furthest}"


def _given(name: str, default: str, read: Callable[[str], Number]) -> Number:
    """Return a variable's value, which is above 0; raises ValueError."""
    text = os.environ.get(name) or default
    try:
        value = read(text)
    except ValueError:
        raise ValueError(f"{name}={text}") from None
    if value <= 0:
        raise ValueError(f"{name}={text}")
    return value


def _run() -> RunFolder:
    """Measure one run; ends the program, with the command's status, if that fails."""
    command = [sys.executable, "-m", "iolab", "bench", "--results", str(RESULTS), *sys.argv[1:]]
    variables: Mapping[str, str] = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    if status := subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=variables).returncode:
        sys.exit(status)
    return RunFolder.open(RESULTS / "latest")


if __name__ == "__main__":
    sys.exit(main())
