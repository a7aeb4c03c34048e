"""A median taken apart."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.kinds.closed.cells import AnalysedCell, Analysis, analyse
from iolab.kinds.closed.explain import budget, find
from iolab.results.folder import RunFolder
from iolab.results.run_info import GIL_OF_SERVERS
from tests.conftest import ROOT, Run

EXAMPLE = ROOT / "tests" / "data" / "runs" / "docker-bench"


@pytest.fixture(scope="module")
def run() -> Analysis:
    return analyse(RunFolder.open(EXAMPLE))


@pytest.mark.parametrize("name", ["A4", "A16", "B4", "B16", "C4", "C16", "D16"])
def test_the_parts_add_up_to_the_median(run: Analysis, name: str) -> None:
    each = find(run, name)
    parts = budget(run, each)
    assert sum(part.ms for part in parts) == pytest.approx(each.cell.median_ms)
    assert parts[0].ms == 20
    assert abs(parts[-1].ms) < 0.1 * (each.cell.median_ms or 0)  # little is left unexplained


def test_who_waits_in_a_queue_is_told_so(run: Analysis) -> None:
    parts = {part.what: part.ms for part in budget(run, find(run, "B16"))}
    assert parts["the queue"] == pytest.approx(20)
    assert "the event loop's clock" not in parts
    assert "the event loop's clock" in {part.what for part in budget(run, find(run, "C16"))}
    (queue,) = (part for part in budget(run, find(run, "A16")) if part.what == "the queue")
    assert queue.ms == pytest.approx(120)
    assert queue.known == "theory: 7 users circulate behind a listen backlog of 5"
    each = find(run, "A16")
    unknown = replace(each, cell=each.cell.model_copy(update={"backlog": None, "predicted_median_ms": 320.0}))
    (queue,) = (part for part in budget(run, unknown) if part.what == "the queue")
    assert queue.ms == pytest.approx(120)
    assert queue.known.startswith("whole service times in the median")


@pytest.mark.parametrize("name", ["c16", "C 16", "C@16", " C, 16 "])
def test_a_cell_may_be_named_in_several_ways(run: Analysis, name: str) -> None:
    assert (find(run, name).cell.model, find(run, name).cell.concurrency) == ("C", 16)


def test_a_cell_that_is_not_there_is_named_with_those_that_are(run: Analysis, inside: Run) -> None:
    for name in ("Z9", "C\u0661\u0666"):  # Arabic digits
        with pytest.raises(UsageError, match=rf"CELL={name}: this run has A4, A16, B4"):
            find(run, name)
    done = inside("explain", str(EXAMPLE), "C16")
    assert done.returncode == 0, done.stderr
    assert "the event loop's clock" in done.stdout


def test_a_name_that_means_several_cells_says_how_to_choose(run: Analysis) -> None:
    (cell,) = (each for each in run.cells if (each.cell.model, each.cell.concurrency) == ("C", 16))
    limits = [
        replace(cell, cell=cell.cell.model_copy(update={"cpus": cpus, "variant": variant}))
        for cpus in (0.5, 1.0)
        for variant in ("waiting", "computing")
    ]
    several = replace(run, cells=tuple(limits))
    with pytest.raises(UsageError, match=r'CELL=C16: this run has 4; say which with CPUS=0.5\|1 and VARIANT="waiting'):
        find(several, "C16")
    with pytest.raises(UsageError, match="this run has 2; say which"):
        find(several, "C16", cpus=0.5)
    assert find(several, "C16", 0.5, "computing").cell.variant == "computing"
    with pytest.raises(UsageError, match="this run has none of that kind"):
        find(several, "C16", 2.0)


def like(run: Analysis, name: str, changes: Mapping[str, object], **server: object) -> tuple[Analysis, AnalysedCell]:
    """Return a run whose servers are set so, and one of its cells, changed."""
    settings = run.experiment.server.model_copy(update=server)
    each = find(run, name)
    other = replace(each, cell=each.cell.model_copy(update=changes))
    return replace(run, experiment=run.experiment.model_copy(update={"server": settings})), other


def test_a_queue_for_the_processor_is_none_for_a_worker(run: Analysis) -> None:
    computing = {"median_ms": 101.0, "service_ms": 25.0, "predicted_median_ms": 80.0, "predicted_mean_ms": 80.0}
    for name, cpus, words in (
        ("C16", 1.0, "theory: 16 users, one computes at a time"),
        ("B16", 1.0, "theory: 16 users, one computes at a time"),
        ("C16", 0.5, "theory: 16 users, one computes at a time, with 0.5 CPU"),
    ):
        known = {part.what: part.known for part in budget(*like(run, name, computing | {"cpus": cpus}, cpu_ms=5.0))}
        assert known["the queue"] == words
    assert {part.what: part.known for part in budget(run, find(run, "B16"))}["the queue"].endswith("8 served at once")


def served_by(run: Analysis, each: AnalysedCell, *, free: bool = False, **changes: object) -> Analysis:
    """Return a run whose cell's model is another one; `free`: on a free-threaded build."""
    models = tuple(
        model.model_copy(update=changes) if model.letter == each.cell.model else model for model in run.run.models
    )
    facts = run.run.environment | {GIL_OF_SERVERS: {each.cell.service: not free}}
    return replace(run, run=run.run.model_copy(update={"models": models, "environment": facts}))


@pytest.mark.parametrize(
    ("model", "free", "cpus", "queued_ms", "words"),
    [
        ({}, False, 2.0, 320.0, "one computes at a time"),
        ({"interpreters": 8}, False, 1.0, 320.0, "8 can compute at a time, with 1 CPU"),
        ({"interpreters": 8}, False, 2.0, 200.0, "8 served at once"),
        (
            {"interpreters": math.inf, "workers": math.inf},
            False,
            2.0,
            160.0,
            "any number can compute at a time, with 2 CPU",
        ),
        ({"threads": 8}, True, 1.0, 320.0, "8 can compute at a time, with 1 CPU"),
        ({"threads": 8}, True, 2.0, 200.0, "8 served at once"),
    ],
)
def test_as_many_compute_at_a_time_as_the_server_has_interpreters_or_threads(  # noqa: PLR0917 (each is a column)
    run: Analysis, model: dict[str, object], free: bool, cpus: float, queued_ms: float, words: str
) -> None:
    """64 users, 5 ms of computing: 320 ms on one core, 160 on two; 200 where each of 8 workers takes 25 ms."""
    times = {"median_ms": 400.0, "service_ms": 25.0, "predicted_median_ms": queued_ms, "predicted_mean_ms": queued_ms}
    changed, each = like(run, "B16", times | {"concurrency": 64, "cpus": cpus}, cpu_ms=5.0)
    known = {part.what: part.known for part in budget(served_by(changed, each, free=free, **model), each)}
    assert known["the queue"] == f"theory: 64 users, {words}"


def test_a_worker_with_a_queue_of_its_own_is_no_core(run: Analysis) -> None:
    """8 queues of which users choose at random: 16 x 20 / 8 x 23 / 16 = 57.5 ms, without computing."""
    times = {"median_ms": 60.0, "predicted_median_ms": None, "predicted_mean_ms": 57.5}
    changed, each = like(run, "B16", times, reuseport=True)
    known = {part.what: part.known for part in budget(served_by(changed, each, can_split=True), each)}
    assert known["the queue"] == "theory: 16 users, 8 served at once, each worker from an accept queue of its own"


def test_a_queue_for_a_connection_is_named_where_it_is_the_limit(run: Analysis) -> None:
    waiting = {"median_ms": 41.0, "predicted_median_ms": 40.0, "predicted_mean_ms": 40.0}

    def known(name: str, **server: object) -> str:
        return {part.what: part.known for part in budget(*like(run, name, waiting, **server))}["the queue"]

    assert known("C16", downstream=8) == "theory: 16 users, 8 of which have a connection to the downstream service"
    assert known("B16", downstream=8) == "theory: 16 users, 8 served at once"  # as many threads
    assert known("B16", downstream=9) == "theory: 16 users, 8 served at once"


def test_the_clock_takes_only_what_all_else_leaves(run: Analysis) -> None:
    parts = {part.what: part.ms for part in budget(*like(run, "C4", {"median_ms": 20.4}))}
    assert parts["the event loop's clock"] < 0.5
    assert parts["what is left"] == pytest.approx(0)


def test_parts_that_are_more_than_the_median_are_said_to_be(run: Analysis) -> None:
    left = budget(*like(run, "A4", {"median_ms": 70.0}))[-1]
    assert (left.what, left.ms < 0) == ("what is left", True)
    assert left.known == "the parts are means, or overlap: together they are more than the median"
    rest = budget(*like(run, "A4", {"median_ms": 99.0}))[-1]
    assert (rest.ms > 0, rest.known) == (True, "scheduling, TCP, timers that fire late")


def test_random_waits_have_a_median_that_is_not_their_mean(run: Analysis) -> None:
    changes = {"median_ms": 15.0, "predicted_median_ms": None}
    parts = budget(*like(run, "C4", changes, wait_distribution="exponential"))
    assert "service times are random" in parts[-1].known
    assert sum(part.ms for part in parts) == pytest.approx(15.0)


def test_without_a_run_the_newest_benchmark_is_explained_whatever_is_the_newest_run(
    inside: Run, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    names = {"20261124T080000Z-bench": None, "20261125T080000Z-bench": None, "20261126T080000Z-bench": "begun"}
    for name, state in {**names, "20261127T080000Z-slo": "slo"}.items():
        shutil.copytree(EXAMPLE, results / name)
        if state == "begun":
            (results / name / "trials.jsonl").unlink()
        if state == "slo":
            text = (results / name / "run.json").read_text()
            (results / name / "run.json").write_text(text.replace('"closed"', '"slo"'))
    (results / "latest").symlink_to("20261127T080000Z-slo")
    done = inside("explain", "C16")
    assert done.returncode == 0, done.stderr
    assert "20261125T080000Z-bench" in done.stdout.splitlines()[0]
    assert "the event loop's clock" in done.stdout
    refused = inside("explain", "C99")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "CELL=C99: this run has A4, " in refused.stderr


def test_without_a_run_an_earlier_benchmark_that_has_the_cell_is_explained(inside: Run, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name in ("20261124T080000Z-bench", "20261125T080000Z-bench"):
        shutil.copytree(EXAMPLE, results / name)
    (results / "latest").symlink_to("20261125T080000Z-bench")
    trials = results / "20261125T080000Z-bench" / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(line for line in lines if json.loads(line)["concurrency"] == 4))
    assert "20261125T080000Z-bench" in inside("explain", "C4").stdout.splitlines()[0]
    done = inside("explain", "C16")
    assert done.returncode == 0, done.stderr
    assert "20261124T080000Z-bench" in done.stdout.splitlines()[0]
