"""Two runs side by side."""

import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from iolab.kinds.closed.compare import Comparison, compare, nothing_in_common, why_nothing
from rich.console import Console

from iolab.errors import UsageError
from iolab.kinds.closed import comparison, explain
from iolab.kinds.closed.cells import Analysis, analyse
from iolab.kinds.closed.records import ClosedRecord
from iolab.report import compare as cells
from iolab.report.terminal import show_compared
from iolab.results.differences import differing
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample
from tests.conftest import RECORDED, Run

EXAMPLE = RECORDED


def run_like(tmp_path: Path, factor: float) -> Analysis:
    """Return the recorded run with other response times: each repeat's by a factor of its own around `factor`."""
    copy = tmp_path / f"run-{factor}"
    shutil.copytree(EXAMPLE, copy)
    folder = RunFolder.open(copy)
    draw = np.random.default_rng(3)
    for trial in folder.read_trials(ClosedRecord):
        own = factor * draw.normal(1, 0.002)
        samples = folder.read_rows(trial.rows, "requests", Sample)
        (folder.path / trial.rows["requests"]).unlink()
        times = [((one.start_s or 0) * own, (one.latency_s or 0) * own) for one in samples]
        slowed = [
            one._replace(start_s=start, latency_s=took) for one, (start, took) in zip(samples, times, strict=True)
        ]
        folder.write_rows(trial.index, requests=slowed)
    return analyse(folder)


def test_the_same_thing_twice_shows_no_difference(recorded: Analysis, tmp_path: Path) -> None:
    one, other = recorded, run_like(tmp_path, 1.0)
    found = compare(one, other)
    assert len(found) == 8
    assert sum(each.different for each in found) <= 1
    assert differing(one.run, other.run) == []


def test_a_slower_run_is_slower_in_every_cell(recorded: Analysis, tmp_path: Path) -> None:
    found = compare(recorded, run_like(tmp_path, 1.5))
    assert [round(each.ratio or 0, 1) for each in found] == [1.5] * 8
    assert all(each.different for each in found)
    assert [each.verdict for each in found] == ["slower", "suspect"] + ["slower"] * 6
    back = compare(run_like(tmp_path, 1.2), recorded)
    assert [each.verdict for each in back] == ["faster", "suspect"] + ["faster"] * 6
    text = " ".join(shown(back).split())
    assert "A16, 1 CPU, suspect: median shorter (" in text
    assert "throughput higher (" in text
    assert "A16, 1 CPU, first run; A16, 1 CPU, second run: the accept queue overflowed (listen backlog 5)" in text


Q, R, LONGER, SHORTER, SAME = "p99", "throughput", (1.9, 2.1), (0.4, 0.5), (0.9, 1.1)


@pytest.mark.parametrize(
    ("median", "others", "verdict"),
    [
        (SHORTER, {Q: SHORTER, R: LONGER}, "faster"),
        (SHORTER, {Q: SAME, R: SAME}, "faster"),
        (SHORTER, {Q: LONGER, R: SAME}, "mixed"),
        (SHORTER, {Q: SAME, R: SHORTER}, "mixed"),
        (SAME, {Q: LONGER, R: SAME}, "mixed"),
        (LONGER, {Q: LONGER, R: SHORTER}, "slower"),
        (LONGER, {Q: SHORTER}, "mixed"),
        (SAME, {Q: SAME}, "no difference shown"),
        (None, {Q: LONGER}, "too few repeats to tell"),
    ],
)
def test_nothing_is_faster_whose_tail_or_throughput_is_worse(
    recorded: Analysis, median: tuple[float, float] | None, others: dict[str, tuple[float, float]], verdict: str
) -> None:
    clean, dropped = recorded.cells[0], recorded.cells[1]
    each = Comparison(clean, clean, 1.0, median, tuple(others.items()))
    assert each.verdict == verdict
    if verdict in ("faster", "mixed", "slower"):
        assert replace(each, second=dropped).verdict == replace(each, first=dropped).verdict == "suspect"
    if verdict == "mixed":
        assert "A4, 1 CPU, mixed: " in shown([each])


def test_what_is_better_and_what_is_worse_is_named(recorded: Analysis) -> None:
    clean = recorded.cells[0]
    text = shown([Comparison(clean, clean, 0.435, (0.43, 0.44), ((Q, (6.0, 7.0)), (R, (0.7, 0.72))))])
    words = "mixed: median shorter (0.430 to 0.440 times), p99 longer (6.000 to 7.000 times), throughput lower (0.700"
    assert words in " ".join(text.split())


def test_an_interval_that_touches_1_shows_no_difference(recorded: Analysis) -> None:
    cell = recorded.cells[0]
    for interval, different in (((1.0, 1.2), False), ((0.8, 1.0), False), ((1.01, 1.2), True), ((0.8, 0.99), True)):
        assert Comparison(cell, cell, 1.0, interval).different == different


def test_too_few_repeats_are_said(recorded: Analysis, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    lines = (copy / "trials.jsonl").read_text().splitlines(keepends=True)
    (copy / "trials.jsonl").write_text("".join(lines[:16]))  # two rounds of three
    one, other = recorded, analyse(RunFolder.open(copy))
    assert {each.verdict for each in compare(one, other)} == {"too few repeats to tell"}


def test_other_settings_are_named(recorded: Analysis, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    text = (copy / "run.json").read_text().replace('"wait_ms": 20.0', '"wait_ms": 25.0')
    (copy / "run.json").write_text(text)
    found = differing(recorded.run, RunFolder.open(copy).read_run())
    assert found == [("server wait_ms", "20", "25")]


def test_it_fits_a_terminal(recorded: Analysis, tmp_path: Path) -> None:
    one = recorded
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    comparison.show(console, compare(one, one), [])
    console.file.close()
    text = console.export_text()
    assert text.count("no difference shown") == 8
    assert "…" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((str(EXAMPLE), "nowhere"), "nowhere is not a run folder"),
        ((str(EXAMPLE),), "say which two runs"),
        ((str(EXAMPLE), str(EXAMPLE)), "are the same run"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, ...], words: str) -> None:
    done = inside("compare", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_runs_of_other_cells_are_told_apart_by_what_differs(recorded: Analysis) -> None:
    one = recorded
    cells = [replace(each, cell=each.cell.model_copy(update={"variant": "backlog 5"})) for each in one.cells]
    other = replace(one, cells=tuple(cells))
    assert compare(one, other) == []
    assert nothing_in_common(one, other) == "settings are not varied in one and backlog 5 in the other"


def test_variants_stand_in_the_table_and_ratios_are_whole(recorded: Analysis, tmp_path: Path) -> None:
    one = recorded
    cells = [
        replace(each, cell=each.cell.model_copy(update={"variant": name, "cpus": cpus}))
        for each in one.cells[:2]
        for name in ("waiting", "computing 5 ms")
        for cpus in (0.25, 1.0)
    ]
    several = replace(one, cells=tuple(cells))
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    comparison.show(console, compare(several, several), [])
    console.file.close()
    text = console.export_text()
    assert "computing 5 ms" in text
    assert "…" not in text
    assert text.count("1.000 ") >= 8


def test_a_cell_that_is_not_valid_is_marked_and_said(recorded: Analysis) -> None:
    cells = [replace(recorded.cells[0], cell=recorded.cells[0].cell.model_copy(update={"valid": False}))]
    bad = replace(recorded, cells=(*cells, *recorded.cells[1:]))
    assert "(!)" not in shown(compare(recorded, recorded))
    text = shown(compare(recorded, bad))
    assert text.count("(!)") == 2
    assert "(!) A4, 1 CPU: not valid in the second run, so its ratio says nothing about the servers." in text
    assert "not valid in both runs" in shown(compare(bad, bad))


def shown(found: list[Comparison]) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    comparison.show(console, found, [])
    return console.export_text()


def test_why_two_runs_cannot_be_compared_is_what_is_so(recorded: Analysis) -> None:
    without = [replace(each, cell=each.cell.model_copy(update={"median_ms": None})) for each in recorded.cells[:2]]
    assert why_nothing(recorded, replace(recorded, cells=())) == "the second has no cell: no trial of it has ended"
    assert why_nothing(recorded, replace(recorded, cells=tuple(without))).endswith("a median in both (A4, A16)")


KEY = ("fault",)
CALM = {"fault": "baseline", "valid": True, "clicks": {"p50_s": 0.001, "p99_s": None}, "users": 10}


def test_figures_of_a_table_are_compared_and_what_never_ended_is_no_ratio() -> None:
    other = {**CALM, "clicks": {"p50_s": "Infinity", "p99_s": 1.0}, "users": 20, "valid": False}
    found = cells.compare([CALM], [other], KEY, ("clicks.p50_s", "clicks.p99_s", "users", "users.none"))
    assert [(each.metric, each.ratio, each.not_valid) for each in found] == [
        ("clicks.p50_s", None, ("second",)),
        ("users", 2.0, ("second",)),
    ]
    console = Console(width=120, record=True, file=io.StringIO())
    show_compared(console, found, [])
    text = console.export_text()
    assert "fault baseline (!)" in text
    assert "never" in text
    assert "(!) fault baseline: not valid in the second run" in text


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([], [CALM], "the first has no cell: no trial of it has ended"),
        (
            [CALM],
            [{**CALM, "fault": "herd"}],
            "they have no cell in common: fault is baseline in the first and herd in the second",
        ),
        ([CALM], [CALM], r"the cells that are in both have no figure in both \(fault baseline\)"),
    ],
)
def test_why_nothing_is_compared_is_what_is_so(first: list[cells.Cell], second: list[cells.Cell], why: str) -> None:
    assert re.fullmatch(why, cells.why_nothing(first, second, KEY))


def test_a_run_without_a_cell_says_that_no_trial_has_ended(recorded: Analysis) -> None:
    with pytest.raises(UsageError, match="this run has no cell: no trial of it has ended"):
        cells.find([], KEY, "baseline")
    with pytest.raises(UsageError, match="this run has no cell: no trial of it has ended"):
        explain.find(replace(recorded, cells=()), "C16")


def test_runs_of_other_models_say_so(recorded: Analysis) -> None:
    """The key of some kinds has no model."""
    fewer = recorded.run.model_copy(update={"models": recorded.run.models[:1]})
    assert differing(recorded.run, fewer) == [("models", "A, B, C, D", "A")]
