"""What `make aa` and the simulation of comparisons say of made-up runs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks import aa, coverage_compare
from iolab.kinds import registry
from iolab.report.cells import RunCell
from iolab.report.compare import NOISE
from iolab.theory.between_runs import Within
from tests.fakes import Clock


def runs(factors: list[float]) -> list[aa.Run]:
    """Return a run for each factor, of two cells whose repeats agree within 0.1%."""
    errors = {"median_ms": Within(0.001, 4), "steady_rps": Within(0.001, 4)}
    return [
        [
            RunCell(
                {"model": "A", "service": "blocking", "concurrency": users, "cpus": 1.0, "variant": "",
                 "median_ms": 20 * factor, "steady_rps": 50 / factor},
                within=errors,
            )
            for users in (4, 16)
        ]
        for factor in factors
    ]  # fmt: skip


def test_false_alarms_are_counted_with_the_threshold_and_without() -> None:
    steady = runs([1.0, 1.01, 1.0, 0.99, 1.01, 1.0])
    pairs, several = aa.series(steady).values()
    assert pairs == [0, 0, 0]
    assert several == [0]
    assert aa.without_threshold(steady) == (12, 12)  # each repeat says that 1% is a difference
    wild = runs([1.0, 1.2, 1.0, 1.0, 1.0, 1.0])
    assert aa.series(wild)[f"one run a side, NOISE={NOISE:.0%}"] == [4, 0, 0]


def test_the_deviation_between_runs_is_that_of_logarithms_with_its_interval() -> None:
    values = [20 * math.exp(each) for each in (0.0, 0.01, 0.02)]
    deviation, (low, high) = aa.spread(values)
    assert deviation == pytest.approx(0.01)
    # chi-square with two degrees of freedom: 7.3778 and 0.050636 (tables of the distribution)
    assert (low, high) == pytest.approx((0.01 * math.sqrt(2 / 7.3778), 0.01 * math.sqrt(2 / 0.050636)), rel=1e-4)
    draw = np.random.default_rng(3)
    found = [aa.spread(np.exp(draw.normal(0, 0.02, 8)).tolist())[1] for _ in range(600)]
    assert 0.92 < np.mean([low < 0.02 < high for low, high in found]) < 0.98
    assert set(aa.figures(runs([1.0, 1.1]))) == {
        "A4, 1 CPU, median_ms",
        "A4, 1 CPU, steady_rps",
        "A16, 1 CPU, median_ms",
        "A16, 1 CPU, steady_rps",
    }


def test_a_share_has_the_interval_of_clopper_and_pearson() -> None:
    # 4 of 20 at 95%: 5.73% to 43.66% (Clopper and Pearson's chart; R: binom.test(4, 20))
    assert aa.share_of(4, 20) == pytest.approx((0.0573, 0.4366), abs=1e-4)
    assert aa.share_of(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert aa.share_of(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


@pytest.mark.parametrize(("name", "text"), [("PAIRS", "0"), ("PAIRS", "x"), ("TIME", "soon")])
def test_a_mistake_ends_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    assert aa.main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{name}={text}: ")
    assert said.count("\n") == 1


class Runs(Clock):
    """A clock that a run moves by a minute."""

    def __init__(self) -> None:
        super().__init__(5.0)
        self.begun_s = list[float]()

    def run(self) -> int:
        self.begun_s.append(self.now_s - 5.0)
        self.now_s += 60
        return len(self.begun_s) - 1


@pytest.mark.parametrize(("last", "status"), [(1.01, 0), (1.5, 1)])
def test_runs_begin_at_equal_distances_and_the_status_says_whether_there_are_too_many_alarms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], last: float, status: int
) -> None:
    made, clock = runs([1.0, last] * 3), Runs()
    monkeypatch.setattr(aa, "time", clock)
    monkeypatch.setattr(aa, "_run", clock.run)
    monkeypatch.setattr(aa, "CLOSED", replace_cells(made.__getitem__))
    monkeypatch.setenv("PAIRS", "3")
    monkeypatch.setenv("TIME", "1h")
    assert aa.main() == status
    assert clock.begun_s == [0, 600, 1200, 1800, 2400, 3000]
    said = capsys.readouterr().out
    assert "6 runs over 51 min." in said
    assert f"a false alarm in {3 * status} of 3 comparisons of all cells" in said


def replace_cells(cells_of: Callable[[int], aa.Run]) -> Any:
    """Return the kind of `make bench`, with runs that are numbers."""

    class Made:
        run_cells = staticmethod(cells_of)

        def __getattr__(self, name: str) -> Any:
            return getattr(registry.kind("closed"), name)

    return Made()


@pytest.mark.load
def test_the_simulation_of_comparisons_has_the_shape_that_theory_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_compare, "DEVIATIONS", (0.01,))
    monkeypatch.setattr(coverage_compare, "RUNS", (1, 5))
    one, five = coverage_compare.figures(draws=60)
    assert one.alone > 0.15  # an interval within one run knows nothing of what differs from run to run
    assert five.alone < 0.09
    assert five.false_alarms < 0.2
    assert five.found[0.10] > five.found[0.05]
    assert five.found[0.10] > 0.8
    assert str(five).count("%") == 6
