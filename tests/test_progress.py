"""How far a run is: how long it takes, how long it still takes, and how many trials there are by then."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from iolab import planning
from iolab.kind import Line
from iolab.kinds import registry
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.progress import Left, RunProgress
from iolab.report import brief, numbers
from tests.conftest import ROOT


def test_what_is_left_is_theory_at_first_and_then_more_and_more_what_was_measured() -> None:
    left = Left(4, 40.0, 100.0)
    left.trial(1, 4, 100.0)
    assert left.left_s(100.0) == 40
    assert left.left_s(105.0) == 35
    left.trial(3, 4, 160.0)  # twenty seconds each have become thirty
    assert left.left_s(160.0) == 20
    left.trial(4, 4, 190.0)
    assert left.left_s(195.0) == 5
    assert left.left_s(500.0) == 0


def test_a_run_that_goes_on_or_has_more_rounds_takes_its_own_trials() -> None:
    left = Left(4, 40.0)
    left.trial(3, 4, 0.0)
    assert left.left_s(0.0) == 20
    left.trial(5, 8, 20.0)
    assert left.left_s(20.0) == pytest.approx(40)


def test_where_nothing_is_known_nothing_is_said_and_without_a_number_of_trials_it_is_theory_s() -> None:
    assert Left().left_s(5.0) is None
    left = Left(0, 60.0, 10.0)
    left.trial(1, 0, 10.0)
    assert left.left_s(30.0) == 40


@pytest.mark.parametrize(
    ("value_s", "text"), [(0.2, "1 s"), (40.4, "40 s"), (89, "89 s"), (100, "2 min"), (5400, "1 h 30 min")]
)
def test_a_duration_has_the_digits_that_matter(value_s: float, text: str) -> None:
    assert numbers.duration(value_s) == text


def shown(*, count: int, expected_s: float | None, totals: list[int]) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    progress = RunProgress(console)
    progress.planned(count, expected_s)
    for number, total in enumerate(totals, 1):
        progress.started("C", number, total)
        progress.finished(Line("C"), number)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_a_run_says_how_long_it_takes_and_a_total_can_grow() -> None:
    assert shown(count=2, expected_s=36.6, totals=[2, 2, 4]) == [
        "2 trials: about 37 s of load, and the time to start servers.",
        "1/2  C",
        "2/2  C",
        "3/4  C",
    ]
    assert shown(count=0, expected_s=600, totals=[0]) == [
        "about 10 min of load, and the time to start servers.",
        " 1  C",
    ]
    assert shown(count=1, expected_s=None, totals=[1]) == ["1/1  C"]


def test_a_precision_adds_rounds_to_the_number_of_trials() -> None:
    kind, path = registry.kind("closed"), ROOT / "experiments" / "bench.toml"
    plan = planning.plan(ROOT, path, {"precision": 0.03}, ClosedExperiment)
    totals = [kind.total(plan.experiment, plan.models, number) for number in (1, 24, 25, 32, 33)]
    assert totals == [24, 24, 32, 32, 40]


def test_a_terminal_that_can_gets_a_link_to_the_report_and_anything_else_its_address(tmp_path: Path) -> None:
    address = (tmp_path / "report.html").as_uri()
    texts = []
    for terminal in (True, False):
        console = Console(
            file=io.StringIO(), width=200, force_terminal=terminal, color_system="auto" if not terminal else "standard"
        )
        brief.show_address(console, "Report", address)
        texts.append(console.file.getvalue())  # type: ignore[attr-defined]
    assert texts[0].startswith("Report: \x1b]8;")
    assert texts[0].count(address) == 2  # shown, and to be opened
    assert texts[1] == f"Report: {address}\n"
