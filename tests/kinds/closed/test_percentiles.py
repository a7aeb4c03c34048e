"""Percentiles and their two kinds of interval, in summary.json and in the report."""

import math
from dataclasses import replace

import numpy as np
import pytest

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.compared import run_cells
from iolab.kinds.closed.document import report
from iolab.kinds.closed.percentile_table import INDEPENDENT, WITHIN, differ, meaning, percentiles
from iolab.kinds.closed.percentiles import figures
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.table import named
from iolab.theory.statistics import Array, median_interval, t_quantile
from tests.rendered import markdown, page


@pytest.fixture(scope="module")
def run(recorded: Analysis) -> Analysis:
    return recorded


def of(run: Analysis, *repeats_ms: Array, precision: float | None = None) -> Analysis:
    """Return an analysis of one cell with these response times."""
    repeats_s = tuple(each / 1000 for each in repeats_ms)
    first = run.cells[0].cell
    counted = {"counted": sum(map(len, repeats_s)), "repeats": len(repeats_s)}
    cell = first.model_copy(update={**figures(repeats_s, 0.0, precision), **counted})
    return replace(
        run,
        cells=(AnalysedCell(cell, repeats_s),),
        experiment=run.experiment.model_copy(update={"precision": precision}),
    )


def the_cell(analysis: Analysis) -> Cell:
    return analysis.cells[0].cell


def test_intervals_are_between_the_values_of_the_binomial_ranks() -> None:
    """624 requests: the ranks of scipy's binomial distribution, which the lab's own tests state as numbers."""
    values = np.random.default_rng(3).permutation(np.arange(1.0, 625.0))
    found = figures([each / 1000 for each in np.split(values, 3)], 0.0, None)
    assert found["p99_ci_ms"] == (612.0, 623.0)
    assert found["p50_ci_ms"] == (288.0, 337.0)
    assert found["median_ms"] == 312.5
    six_hundred = figures([np.arange(1.0, 601.0) / 1000], 0.0, None)
    assert six_hundred["p95_ci_ms"] == (559.0, 581.0)


def test_each_repeat_has_its_own_values_and_too_few_are_not_known() -> None:
    found = figures([np.full(400, 0.020), np.full(100, 0.021), np.full(5, 0.5)], 0.0, None)
    assert found["repeat_p50_ms"] == (20.0, 21.0, None)
    assert found["repeat_p95_ms"] == (20.0, 21.0, None)
    assert found["repeat_p99_ms"] == (20.0, None, None)
    assert figures([np.full(367, 0.02)], 0.0, None)["p99_ci_ms"] is None
    assert figures([np.full(367, 0.02)], 0.0, None)["p99_ms"] is None
    assert figures([np.full(368, 0.02)], 0.0, None)["p99_ms"] == 20.0
    nothing = figures([], 0.0, None)
    assert (nothing["median_ms"], nothing["p50_ci_ms"], nothing["repeat_p50_ms"]) == (None, None, ())


def test_the_interval_within_a_run_is_that_of_the_repeats_and_not_shorter_than_a_precision() -> None:
    repeats_s = [np.full(50, value) for value in (0.0200, 0.0201, 0.0202, 0.0201, 0.0200)]
    low, high = median_interval(repeats_s, 1e-4) or (0, 0)
    assert figures(repeats_s, 1e-4, None)["median_ci_ms"] == pytest.approx((low * 1000, high * 1000), abs=1e-3)
    assert figures(repeats_s, 1e-4, 0.05)["median_ci_ms"] == pytest.approx((20.1 * 0.95, 20.1 * 1.05))
    assert figures(repeats_s, 1e-4, 0.001)["median_ci_ms"] == pytest.approx((low * 1000, high * 1000), abs=1e-3)
    assert figures(repeats_s, 1e-4, None)["p50_ci_ms"] == (20.1, 20.1)
    assert figures(repeats_s, 1e-4, 0.05)["p50_ci_ms"] == pytest.approx((20.1 * 0.95, 20.1 * 1.05))


@pytest.mark.usefixtures("undrawn")
def test_the_recorded_run_has_them_in_its_summary_and_its_table(run: Analysis) -> None:
    for each in run.cells:
        cell, values_ms = each.cell, np.sort(each.latencies_s) * 1000
        assert cell.p99_ci_ms
        assert len(values_ms) in {600, 624}
        low, high = {600: (588, 599), 624: (612, 623)}[len(values_ms)]
        assert cell.p99_ci_ms == pytest.approx((values_ms[low - 1], values_ms[high - 1]), abs=1e-3)
        assert len(cell.repeat_p50_ms) == len(cell.repeat_p95_ms) == 3
        assert None not in cell.repeat_p95_ms
        assert cell.repeat_p99_ms == (None,) * 3  # a repeat has 200 or 208 requests
    shown = percentiles(run, named(run))
    headings = [column.heading for column in shown.columns]
    assert headings == ["Model", "Users", "Percentile", "Of all repeats", INDEPENDENT, WITHIN, "Of each repeat"]
    assert [row[2] for row in shown.rows[:3]] == ["p50", "p95", "p99"]
    assert [row[5] == "-" for row in shown.rows[:3]] == [False, True, True]  # only the median has one
    assert shown.rows[2][6] == "too few"
    for text in (page(report(run)), markdown(report(run))):
        assert INDEPENDENT in text
        assert WITHIN in text


def test_what_intervals_mean_is_said_of_those_that_there_are(run: Analysis) -> None:
    one_repeat = " ".join(meaning(of(run, np.linspace(20, 21, 400))).texts)
    assert INDEPENDENT in one_repeat
    assert WITHIN not in one_repeat
    three = " ".join(meaning(of(run, *(np.linspace(20, 21, 99) for _ in range(3)))).texts)
    assert "It says nothing about another run" in three
    assert "precision" not in three
    assert "precision of 5.0%" in " ".join(
        meaning(of(run, *(np.linspace(20, 21, 99) for _ in range(3)), precision=0.05)).texts
    )
    shared = replace(of(run, *[np.linspace(20, 21, 99)] * 3), run=run.run.model_copy(update={"fresh_servers": False}))
    assert "All repeats of a cell had the same server." in " ".join(meaning(shared).texts)
    fresh = replace(shared, run=run.run.model_copy(update={"fresh_servers": True}))
    assert "same server" not in " ".join(meaning(fresh).texts)
    assert meaning(of(run, np.full(4, 20.0))).texts == []


def test_repeats_that_differ_by_more_than_independent_requests_are_named(run: Analysis) -> None:
    draw = np.random.default_rng(1)
    alike = [draw.normal(20, 1, 200) for _ in range(3)]
    apart = [*alike[:2], alike[2] + 1]
    assert not differ([each / 1000 for each in alike], 0.5)
    assert differ([each / 1000 for each in apart], 0.5)
    assert not differ([], 0.5)
    assert "too short: p50 of A with 4 users; p95 of A with 4 users." in " ".join(meaning(of(run, *apart)).texts)
    one = np.concatenate([np.linspace(20, 21, 180), np.full(20, 30.0)])
    other = np.concatenate([np.linspace(20, 21, 180), np.full(20, 50.0)])
    assert "too short: p95 of A with 4 users." in " ".join(meaning(of(run, one, other)).texts)
    assert "too short: " not in " ".join(meaning(of(run, *alike)).texts)


def test_many_repeats_are_shown_by_where_their_values_lie(run: Analysis) -> None:
    analysed = of(run, *(np.full(80, 20.0 + number) for number in range(7)))
    assert [row[-1] for row in percentiles(analysed, []).rows] == [
        "20.0 ms to 26.0 ms (7 repeats)",
        "20.0 ms to 26.0 ms (7 repeats)",
        "too few",
    ]
    some = of(run, np.full(80, 20.0), np.full(60, 21.0))
    assert [row[-1] for row in percentiles(some, []).rows] == ["20.0 ms, 21.0 ms", "20.0 ms, too few", "too few"]


def test_too_few_requests_for_a_median_are_told_from_none(run: Analysis) -> None:
    few = the_cell(of(run, np.full(5, 20.0)))
    assert few.median_ms is None
    assert words.sentence([few]) == "Too few requests for a median, which needs 6."
    assert words.verdict([few]) == "no median"
    assert words.percentile(few.median_ms, few) == "too few"
    none = few.model_copy(update={"counted": 0, "ok": 0})
    assert words.sentence([none]) == "No trial was valid; see the findings."
    assert words.percentile(none.median_ms, none) == "-"


def test_a_precision_is_told_as_reached_only_with_enough_rounds(run: Analysis) -> None:
    steady = [np.full(50, value) for value in (20.0, 20.1, 20.2, 20.1, 20.0)]
    assert words.precision(of(run, *steady, precision=0.03)) == (
        "Precision: every median is known within the 3.0% requested, after 5 rounds."
    )
    assert "not A with 4 users 3.0%" in words.precision(of(run, *steady[:3], precision=0.03))
    loose = [np.full(50, value) for value in (20.0, 22.0, 25.0, 21.0, 20.0)]
    assert "0 of 1 medians are that precise; not A with 4 users" in words.precision(of(run, *loose, precision=0.03))
    assert words.precision(of(run, *steady)) == ""


def test_a_comparison_has_no_interval_that_is_shorter_than_the_precision_of_its_runs(run: Analysis) -> None:
    repeats_ms = [np.full(50, value) for value in (20.0, 20.1, 20.0, 20.1, 20.05)]
    for precision, shorter in ((None, True), (0.05, False)):
        (cell,) = run_cells(of(run, *repeats_ms, precision=precision))
        within = cell.within["median_ms"]
        reach = math.expm1(t_quantile(within.freedom, 0.975) * within.log_error)
        assert (reach < 0.049) == shorter
    assert reach == pytest.approx(0.05)
