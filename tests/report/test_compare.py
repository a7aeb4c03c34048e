"""What a comparison says of made-up runs, whose truth is known."""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.report import comparison_words as words
from iolab.report.cells import Cell, RunCell, name_of
from iolab.report.compare import compare
from iolab.report.compared import Comparison
from iolab.report.comparison_json import as_json
from iolab.report.pairing import ORDINALS
from iolab.results.differences import Setting
from iolab.results.records import Finding
from iolab.theory.between_runs import Within

ERROR = Within(0.002, 8)
WARNING = Finding(id="x", severity="warning", message="something else ran", remedy="stop it")


@dataclass(frozen=True)
class Kind:
    key: Sequence[str] = ("cell",)
    metrics: Sequence[str] = ("median_ms", "rate_rps", "clicks.p50_s")
    rising: Collection[str] = ("rate_rps",)

    def name_of(self, cell: Cell, left_out: Collection[str] = ()) -> str:
        return name_of(cell, [name for name in self.key if name not in left_out])


def run(*values: dict[str, Any], within: bool = True, findings: Sequence[Finding] = ()) -> list[RunCell]:
    errors = {"median_ms": ERROR, "rate_rps": ERROR} if within else {}
    return [RunCell({"cell": at, **each}, findings, errors) for at, each in enumerate(values)]


def side(*medians: float, **others: Any) -> list[list[RunCell]]:
    return [run({"median_ms": median}, **others) for median in medians]


def verdicts(found: Comparison) -> list[str]:
    return [each.verdict for row in found.rows for each in row.figures]


def said(found: Comparison, above: float | None = None) -> str:
    return " ".join(words.of(found, above))


def test_a_difference_between_two_runs_counts_beyond_the_noise() -> None:
    for ratio, verdict in (
        (1.10, "worse"),
        (0.9, "better"),
        (1.025, "within the noise"),
        (1.034, "no difference shown"),
    ):
        found = compare([side(20.0), side(20.0 * ratio)], Kind(), noise=0.03)
        assert verdicts(found) == [verdict], ratio
    assert verdicts(compare([side(20.0), side(20.5)], Kind(), noise=0.01)) == ["worse"]
    text = said(compare([side(20.0), side(20.5)], Kind(), noise=0.02))
    assert "One run a side does not show how much runs of the same settings differ" in text
    assert "NOISE=2%" in text
    assert "if runs vary by less than 2%" in text


def test_several_runs_a_side_are_judged_by_their_own_spread() -> None:
    """The repeats of each run would say that 20.5 differs from 20.0; the runs say that it does not."""
    noisy = compare([side(20.0, 21.0, 19.5), side(20.5, 19.8, 21.4)], Kind())
    assert verdicts(noisy) == ["no difference shown"]
    assert "One run a side" not in said(noisy)
    clear = compare([side(20.0, 20.1, 19.9), side(20.6, 20.5, 20.7)], Kind())  # 3%, which is noise of two runs
    assert verdicts(clear) == ["worse"]
    assert clear.rows[0].figures[0].ratio == pytest.approx(1.03, rel=1e-3)
    lone = compare([side(20.0, 20.1, 19.9, 20.05), side(21.0)], Kind())
    assert verdicts(lone) == ["worse"]
    assert "taken to vary from run to run as the other side does" in said(lone)


def test_what_is_better_higher_is_worse_lower() -> None:
    found = compare(
        [[run({"median_ms": 20.0, "rate_rps": 100.0})], [run({"median_ms": 18.0, "rate_rps": 80.0})]], Kind()
    )
    assert verdicts(found) == ["better", "worse"]
    assert found.rows[0].verdict == "mixed"
    assert "cell 0, mixed: median ms better (0.8" in said(found)
    doubted = compare([side(20.0), side(30.0, findings=[WARNING])], Kind())
    assert doubted.rows[0].verdict == "suspect: worse"


def test_more_comparisons_need_more() -> None:
    """A difference that one comparison shows is one of 40 that chance makes."""
    sides = [[run(*({"median_ms": 20.0},) * 40)], [run({"median_ms": 20.8}, *({"median_ms": 20.0},) * 39)]]
    alone = compare([side(20.0), side(20.8)], Kind())
    assert (alone.comparisons, verdicts(alone)) == (1, ["worse"])
    found = compare(sides, Kind())
    assert (found.comparisons, verdicts(found)[0]) == (40, "no difference shown")
    one, other = (each.rows[0].figures[0] for each in (alone, found))
    assert other.p == pytest.approx(40 * (one.p or 0))
    assert (other.smallest or 0) > (one.smallest or 0) > 1.03


def test_without_repeats_nothing_is_shown_of_two_runs() -> None:
    found = compare([side(20.0, within=False), side(40.0, within=False)], Kind())
    assert verdicts(found) == ["no interval"]
    assert "No interval for 1 of 1 figure: one run a side, with too few repeats." in said(found)
    assert "No difference could have been shown, however large" in said(found)
    assert verdicts(compare([side(20.0, within=False), side(20.4, within=False)], Kind())) == ["within the noise"]
    alike = compare([side(20.0, 20.0), side(40.0, 40.0)], Kind())
    assert verdicts(alike) == ["no interval"]
    assert "their values show no spread" in said(alike)


def test_figures_of_a_table_and_what_never_ended() -> None:
    calm, never = ([run({"clicks": {"p50_s": value}, "rate_rps": 0.0})] for value in (0.001, "Infinity"))
    found = compare([calm, never], Kind())
    assert [(each.metric, each.ratio, each.verdict) for each in found.rows[0].figures] == [
        ("rate_rps", None, "no interval"),
        ("clicks.p50_s", None, "never ended"),
    ]
    assert "No interval for 2 of 2 figures: a value is 0 or never ended, so there is no ratio." in said(found)
    assert found.failing(0.5)
    assert not compare([never, calm], Kind()).failing(0.5)
    assert json.loads(json.dumps(as_json(found, ("cell",))))[0]["figures"][1]["second"] == "Infinity"


def test_a_figure_that_no_side_shares_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no figure in both \(cell 0\)$"):
        compare([[run({"median_ms": 20.0})], [run({"rate_rps": 1.0})]], Kind())


def test_the_smallest_difference_is_said_and_would_have_been_shown() -> None:
    found = compare([side(20.0, 20.2, 19.8), side(20.1, 20.0, 19.9)], Kind())
    smallest = found.rows[0].figures[0].smallest or 0
    assert f"could have been shown is {smallest - 1:.1%}" in said(found)
    for more, shown in ((1.01, "worse"), (0.99, "no difference shown")):
        mean = math.exp(sum(map(math.log, (20.0, 20.2, 19.8))) / 3)
        centre = math.exp(sum(map(math.log, (20.1, 20.0, 19.9))) / 3)
        moved = [value / centre * mean * (1 + (smallest - 1) * more) for value in (20.1, 20.0, 19.9)]
        assert verdicts(compare([side(20.0, 20.2, 19.8), side(*moved)], Kind())) == [shown]


def test_a_figure_fails_if_it_differs_and_is_worse_by_more_than_the_limit() -> None:
    first = side(20.0, 20.1, 19.9)
    for medians, fails in (((22.0, 22.1, 21.9), True), ((20.6, 20.5, 20.7), False), ((18.0, 18.1, 17.9), False)):
        found = compare([first, side(*medians)], Kind())
        assert bool(found.failing(0.05)) == fails
        assert ("FAIL_ABOVE=5%: worse by more than that: cell 0, median ms." in said(found, 0.05)) == fails
    unsure = compare([first, side(22.0, 26.0, 19.0)], Kind())  # 11% more, and no difference shown
    assert not unsure.failing(0.05)
    assert "A difference of 5% could not have been shown in 1 of 1 figure" in said(unsure, 0.05)
    slower = [[run({"rate_rps": value}) for value in values] for values in ((100.0, 101.0, 99.0), (94.0, 95.0, 93.0))]
    assert compare(slower, Kind()).failing(0.05)
    assert not compare(slower, Kind()).failing(0.07)


def test_a_cell_that_is_not_valid_any_more_is_broken() -> None:
    good, bad = ([run({"median_ms": 20.0, "valid": valid})] for valid in (True, False))
    found = compare([good, bad], Kind())
    assert [row.name for row in found.broken()] == ["cell 0"]
    assert "(!) cell 0: not valid in the second, so its ratio says nothing about the servers." in said(found)
    assert "not valid any more: cell 0" in said(found, 0.05)
    assert not compare([bad, good], Kind()).broken()
    assert not compare([bad, bad], Kind()).broken()
    assert "not valid in both" in said(compare([bad, bad], Kind()))


@pytest.mark.parametrize("lost", [{"median_ms": None, "valid": False}, None], ids=["no figure", "not there"])
def test_a_cell_that_is_lost_completely_is_named_and_broken(lost: dict[str, Any] | None) -> None:
    """A server that answers nothing but errors any more must not pass in CI."""
    good = run({"median_ms": 20.0}, {"median_ms": 20.0, "valid": True})
    bad = run({"median_ms": 20.0}, *([lost] if lost else []))
    found = compare([[good], [bad]], Kind())
    assert [row.name for row in found.rows] == ["cell 0"]
    assert [each.name for each in found.broken()] == ["cell 1"]
    where = "Without a figure in" if lost else "Not in"
    assert f"(!) {where} the second, so not compared: cell 1." in said(found)
    assert "FAIL_ABOVE=5%: not valid any more: cell 1." in said(found, 0.05)
    assert "no figure is shown to be worse" not in said(found, 0.05)
    for first, second in ((bad, good), (bad, bad), (good, good)):
        assert not compare([[first], [second]], Kind()).broken()


def test_of_three_sides_the_one_that_lost_a_cell_is_named() -> None:
    both, one = run({"median_ms": 20.0}, {"median_ms": 30.0}), run({"median_ms": 20.0})
    found = compare([[both], [both], [one, one]], Kind())
    assert [(each.name, each.second) for each in found.broken()] == [("cell 1", 2)]
    assert "not valid any more: cell 1, third." in said(found, 0.05)


def test_runs_of_one_side_that_are_no_repetitions_are_named() -> None:
    uneven = [Setting("server backlog", (("5",), ("5", "128"))), Setting("cpus", (("1",), ("2",)))]
    assert words.lacks([], uneven) == (
        "Runs of one side differ in server backlog (second: 5 / 128): they are no repetitions of each other."
    )


def test_shares_are_told_as_shares_and_large_ones_as_factors() -> None:
    told = [words.could_show(each) for each in (None, 1.018, 1.5, 3.6, 5e9)]
    assert told == ["-", "1.8%", "50.0%", "3.6 times", "over 1,000 times"]


def test_there_is_a_word_for_every_side() -> None:
    medians = [side(20.0 + at / 100) for at in range(len(ORDINALS))]
    found = compare(medians, Kind())
    assert [row.second for row in found.rows] == list(range(1, 10))
