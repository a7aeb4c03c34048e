"""Benchmarks side by side: their figures, the errors within a run, sides of several runs, and the command."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from iolab import comparing
from iolab.errors import UsageError
from iolab.kinds.closed import cells as closed_cells
from iolab.kinds.closed import compared, explain
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.kind import KIND
from iolab.kinds.closed.records import ClosedRecord
from iolab.report import cells, comparison, pages
from iolab.report.compare import compare
from iolab.report.compared import Comparison
from iolab.report.document import Document, Table
from iolab.results.differences import Setting, differing
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample
from iolab.theory.statistics import quantile_estimate
from tests.conftest import RECORDED, Run

Made = Callable[..., RunFolder]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return the recorded run with other response times: each repeat's by a factor of its own around `factor`."""
    count = iter(range(100))

    def make(factor: float, **settings: object) -> RunFolder:
        number = next(count)
        copy = tmp_path / "results" / f"2026010{number}T000000Z-bench"
        shutil.copytree(RECORDED, copy)
        folder = RunFolder.open(copy)
        run = folder.read_run()
        experiment = {**run.experiment, "server": {**run.experiment["server"], **settings}}
        folder.write_run(run.model_copy(update={"experiment": experiment}))
        draw = np.random.default_rng(number)
        for trial in folder.read_trials(ClosedRecord):
            own = factor * draw.normal(1, 0.001)
            samples = folder.read_rows(trial.rows, "requests", Sample)
            (folder.path / trial.rows["requests"]).unlink()
            slowed = [
                one._replace(start_s=(one.start_s or 0) * own, latency_s=(one.latency_s or 0) * own) for one in samples
            ]
            folder.write_rows(trial.index, requests=slowed)
        return folder

    return make


def printed(document: Document, settings: Sequence[Setting] = (), width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    comparison.show(console, document, settings, "here")
    return console.export_text()


def judged(*sides: list[RunFolder], above: float | None = None) -> comparing.Judged:
    return comparing.judged([[folder.path for folder in side] for side in sides], None, above=above)


def verdicts(found: Comparison, metric: str = "median_ms") -> list[str]:
    return [each.verdict for row in found.rows for each in row.figures if each.metric == metric]


def test_the_errors_of_a_run_are_those_of_its_repeats(recorded: Analysis) -> None:
    found = compared.run_cells(recorded)
    for cell, analysed in zip(found, recorded.cells, strict=True):
        estimate = quantile_estimate(analysed.repeats_s, quantile=0.99)
        assert estimate
        assert cell.within["p99_ms"].log_error == estimate.log_error
        assert set(cell.within) == set(KIND.metrics)
        assert set(cell.resolution) == {*KIND.metrics} - {"steady_rps"}
        assert cell.resolution["median_ms"] == pytest.approx(0.1)  # hey
        assert len(cell.times_s) == cell.values["counted"]
    two = [replace(each, repeats_s=each.repeats_s[:2], steady_rps=each.steady_rps[:2]) for each in recorded.cells]
    assert all(not cell.within for cell in compared.run_cells(replace(recorded, cells=tuple(two))))


def test_the_same_thing_twice_is_within_the_noise(made: Made) -> None:
    found = judged([made(1.0)], [made(1.0)]).compare
    assert len(found.found.rows) == 8
    assert found.found.comparisons == 32
    assert verdicts(found.found) == ["within the noise"] * 8
    assert not found.settings


def test_a_slower_run_is_worse_in_every_cell_and_back_better(made: Made) -> None:
    one, slower = made(1.0), made(1.5)
    found = judged([one], [slower], above=0.05)
    assert verdicts(found.compare.found) == ["worse"] * 8
    assert found.fails()
    assert [row.verdict for row in found.compare.found.rows] == ["worse", "suspect: worse", *["worse"] * 6]
    back = judged([slower], [one], above=0.05)
    assert verdicts(back.compare.found) == ["better"] * 8
    assert not back.fails()


@pytest.mark.usefixtures("undrawn")
def test_several_runs_a_side_show_what_is_noise_between_two(made: Made) -> None:
    """2% more is within the noise of two runs; three runs a side that agree within 0.1% show it."""
    first, second = [made(1.0) for _ in range(3)], [made(1.02, backlog=128) for _ in range(3)]
    assert verdicts(judged(first[:1], second[:1]).compare.found) == ["within the noise"] * 8
    found = judged(first, second)
    assert verdicts(found.compare.found).count("worse") >= 6
    assert found.compare.settings == [Setting("server backlog", (("default",), ("128",)))]
    shown = found.document()
    text = printed(shown, found.compare.settings)
    assert "The runs differ in server backlog: default and 128." in text
    assert "One run a side" not in text
    assert "What differs between these 2 sides, of 3 and 3 runs?" in pages.render(shown)
    paths = [" ".join(str(folder.path) for folder in side) for side in (first, second)]
    assert f"make compare RUNS='{paths[0]} : {paths[1]}'" in shown.raw


@pytest.mark.usefixtures("undrawn")
def test_more_than_two_runs_have_a_column_each(made: Made) -> None:
    runs = [made(1.0), made(1.0), made(1.3)]
    found = judged(*([run] for run in runs))
    shown = found.document()
    (table,) = [block for block in shown.answer[0].blocks if isinstance(block, Table)]
    assert [column.heading for column in table.columns] == ["Cell", "Figure", "First", "Second", "Third", "Could show"]
    assert len(table.rows) == 32
    assert table.rows[0][:2] == ["A4, 1 CPU", "median ms"]
    assert table.rows[0][3].endswith(")")
    assert "worse" not in table.rows[0][3]
    assert table.rows[0][4].endswith(" worse)")
    assert "Second: 8 cells: within the noise." in shown.verdict
    assert pages.render(shown).count("<svg") == 2
    text = printed(shown, found.compare.settings, 80)
    assert "Page: here" in text


def test_cells_of_another_cpu_limit_are_compared_and_named(made: Made) -> None:
    one, other = made(1.0), made(1.0)
    run = other.read_run()
    plans = tuple(plan.model_copy(update={"cpus": 2.0}) for plan in run.cpu_plans)
    other.write_run(run.model_copy(update={"experiment": {**run.experiment, "cpus": [2.0]}, "cpu_plans": plans}))
    lines = (other.path / "trials.jsonl").read_text()
    (other.path / "trials.jsonl").write_text(lines.replace('"cpus":1.0', '"cpus":2.0'))
    found = judged([one], [other])
    assert [row.name for row in found.compare.found.rows][:2] == ["A4", "A16"]
    text = printed(found.document(), found.compare.settings)
    assert "Cells are paired without that setting: CPUs 1 against 2." in text


@pytest.mark.parametrize(
    ("left_out", "name"),
    [
        ((), "A16, 0.25 CPU, backlog 5"),
        (("cpus",), "A16, backlog 5"),
        (("variant",), "A16, 0.25 CPU"),
        (("model", "service"), "16 users, 0.25 CPU, backlog 5"),
        (("concurrency",), "A, 0.25 CPU, backlog 5"),
    ],
)
def test_a_cell_is_named_by_what_both_have(left_out: tuple[str, ...], name: str) -> None:
    cell = {"model": "A", "service": "blocking", "concurrency": 16, "cpus": 0.25, "variant": "backlog 5"}
    assert KIND.name_of(cell, left_out) == name


def test_a_run_that_is_not_complete_says_so_first(made: Made) -> None:
    one, other = made(1.0), made(1.0)
    other.write_run(other.read_run().model_copy(update={"status": "partial"}))
    found = judged([one], [other])
    text = printed(found.document())
    assert text.splitlines()[0] == f"{other.path.name} (second): This run was interrupted: it has 24 of 24 trials."
    assert not judged([one], [made(1.0)]).document().lacks


def test_what_is_in_doubt_is_said_before_the_figures(made: Made) -> None:
    found = judged([made(1.0)], [made(1.0)])
    lines = printed(found.document()).splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("Trust: limited. ")]
    assert at < next(number for number, line in enumerate(lines) if "median ms" in line)


def test_it_fits_a_terminal(recorded: Analysis) -> None:
    sides = [[compared.run_cells(recorded)], [compared.run_cells(recorded)]]
    found = comparison.Compare([[], []], compare(sides, KIND), [])
    text = printed(comparison.document(found), width=80)
    assert text.count("noise") >= 32
    assert "…" not in text
    assert max(map(len, [line for line in text.splitlines() if "median ms" in line and "CPU  " in line])) <= 80


def test_a_cell_that_is_not_valid_is_marked_and_said(recorded: Analysis) -> None:
    bad = [replace(recorded.cells[0], cell=recorded.cells[0].cell.model_copy(update={"valid": False}))]
    sides = [[compared.run_cells(one)] for one in (recorded, replace(recorded, cells=(*bad, *recorded.cells[1:])))]
    shown = comparison.document(comparison.Compare([[], []], compare(sides, KIND), []))
    text = printed(shown, width=140)
    assert "(!) A4, 1 CPU: not valid in the second, so its ratio says nothing about the servers." in text
    assert text.count("A4, 1 CPU (!)") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((str(RECORDED), "nowhere"), "nowhere is not a run folder"),
        ((str(RECORDED),), 'say which runs: make compare RUNS="results/one results/other"'),
        ((str(RECORDED), str(RECORDED)), "is there twice: a run does not differ from itself"),
        ((str(RECORDED), ":"), "RUNS: a side has no run"),
        ((":", str(RECORDED)), "RUNS: a side has no run"),
        (tuple(str(number) for number in range(11)), "11 sides: at most 10 are compared at once"),
        ((str(RECORDED), "x", "--noise", "0"), "NOISE=0: must be a share below 1"),
        ((str(RECORDED), "x", "--fail-above", "5"), "FAIL_ABOVE=5: must be a share below 1"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, ...], words: str) -> None:
    done = inside("compare", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_writes_a_page_and_fails_above_a_limit(inside: Run, made: Made, tmp_path: Path) -> None:
    one, other = str(made(1.0).path), str(made(1.5).path)
    done = inside("compare", one, other)
    assert done.returncode == 0, done.stderr
    address = done.stdout.rstrip().splitlines()[-1].removeprefix("Page: ")
    (page,) = (tmp_path / "results" / "compare").iterdir()
    assert address == page.as_uri()
    assert "What differs between these 2 runs?" in page.read_text()
    assert inside("compare", one, other, "--fail-above", "5%").returncode == 1
    assert inside("compare", variables={"RUNS": f"{one} {other}", "FAIL_ABOVE": "60%"}).returncode == 0
    assert inside("compare", other, one, "--fail-above", "5%").returncode == 0
    assert len(list((tmp_path / "results" / "compare").iterdir())) == 2  # the same runs have the same page


def test_json_is_one_object_with_all_of_it(inside: Run, made: Made, tmp_path: Path) -> None:
    first, second = [str(made(1.0).path) for _ in range(2)], [str(made(1.5).path) for _ in range(2)]
    variables = {"RUNS": " ".join([*first, ":", *second]), "JSON": "1", "FAIL_ABOVE": "5%"}
    done = inside("compare", variables=variables)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["sides"] == [[Path(path).name for path in side] for side in (first, second)]
    assert (found["kind"], found["noise"], found["comparisons"]) == ("closed", None, 32)
    cell = found["cells"][0]
    assert (cell["cell"], cell["verdict"], cell["key"]["model"]) == ("A4, 1 CPU", "worse", ["A", "A"])
    (median,) = [each for each in cell["figures"] if each["figure"] == "median_ms"]
    assert median["ratio"] == pytest.approx(1.5, rel=0.01)
    assert median["interval"][0] < median["ratio"] < median["interval"][1]
    assert median["p"] < 0.05
    assert [len(side) for side in median["runs"]] == [2, 2]
    assert ["A4, 1 CPU", "median_ms"] in found["failing"]
    assert not (tmp_path / "results" / "compare").exists()
    refused = inside("compare", *first, ":", *second, "--noise", "2%")
    assert refused.returncode == 2
    assert "NOISE=0.02: it is for one run a side" in refused.stderr
    alone = inside("compare", first[0], first[1], "--json", "--noise", "2%")
    assert json.loads(alone.stdout)["noise"] == 0.02


def test_other_settings_and_machines_are_named(recorded: Analysis) -> None:
    run = recorded.run
    other = run.model_copy(update={"models": run.models[:1], "environment": {**run.environment, "kernel": "9.9"}})
    assert differing([[run], [run]]) == []
    assert [(each.name, each.values[1]) for each in differing([[run, run], [other]])] == [
        ("models", ("A",)),
        ("kernel", ("9.9",)),
    ]
    assert differing([[run, other], [run]])[0].values == (("A, B, C, D", "A"), ("A, B, C, D",))
    fewer = run.model_copy(update={"experiment": {**run.experiment, "concurrency": [16]}})
    (users,) = differing([[run], [fewer]])
    assert users.values == (("4, 16",), ("16",)), "values as a user types them, without Python's brackets"
    server = {**run.experiment["server"], "downstream": 8}
    pooled = run.model_copy(update={"experiment": {**run.experiment, "server": server}})
    (connections,) = differing([[run], [pooled]])
    assert (connections.name, connections.values[1]) == ("server downstream", ("8",))


def test_a_run_without_a_cell_says_that_no_trial_has_ended(recorded: Analysis) -> None:
    with pytest.raises(UsageError, match="this run has no cell: no trial of it has ended"):
        cells.find([], KIND.key, "baseline")
    with pytest.raises(UsageError, match="this run has no cell: no trial of it has ended"):
        explain.find(replace(recorded, cells=()), "C16")


def test_the_run_is_read_once(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the rows of a run takes most of the time."""
    read = []
    analyse = closed_cells.analyse

    def counted(folder: RunFolder) -> Analysis:
        read.append(folder)
        return analyse(folder)

    monkeypatch.setattr(closed_cells, "analyse", counted)
    judged([made(1.0)], [made(1.0)]).document()
    assert len(read) == 2
