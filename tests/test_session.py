"""The life of a run, on a kind of experiment that needs no server: plan, run, append, interrupt, resume, report."""

import csv
import io
import json
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import pytest

from iolab import planning, session
from iolab.bench import Bench
from iolab.cli import compare as cli_compare
from iolab.cli import run as cli_run
from iolab.cli import runs as cli_runs
from iolab.cli.console import Console
from iolab.errors import LoadFailed, UsageError
from iolab.experiment import Experiment
from iolab.host import cores
from iolab.host.signals import Interrupted, interruptible
from iolab.kind import History, Kind, Line, Measured, Report, Where
from iolab.kinds import registry
from iolab.lab import Lab, Model
from iolab.report import run_report
from iolab.report.document import Document, Section, Sentences
from iolab.results.folder import RunFolder
from iolab.results.records import TrialRecord
from iolab.results.run_info import GIL_OF_SERVERS
from iolab.runtime.choice import Place
from tests.fakes import FakeRuntime, Watcher

TOML = """schema = 2
kind = "null"
name = "nothing"
question = "How long does nothing take?"
levels = 5
"""


class NullExperiment(Experiment):
    kind: Literal["null"]
    levels: int


class NullRecord(TrialRecord):
    level: int


class Tick(NamedTuple):
    at_s: float


class Null(Kind[NullExperiment, int, NullRecord]):
    """Counts up to a level; what happens at a level is in `events`."""

    name = "null"
    settings = NullExperiment
    record = NullRecord
    rows = MappingProxyType({"ticks": Tick})
    key = ("level",)
    metrics = ("took_s",)

    def __init__(self) -> None:
        self.events: dict[int, BaseException] = {}
        self.invalid: set[int] = set()
        self.results: Path | None = None  # to look there, while a trial runs, how many are on disk
        self.statuses: list[str] = []
        self.on_disk: list[int] = []
        self.loses_a_signal_in: int | None = None  # this trial, as a library does that is imported at that moment

    def plan(self, experiment: NullExperiment, models: Sequence[Model], history: History[NullRecord]) -> Iterator[int]:
        done = [record.level for record in history.records]
        for level in [level for level in range(experiment.levels) if level not in done]:
            yield level
            done.append(level)
            assert [record.level for record in history.records] == done

    def count(self, experiment: NullExperiment, models: Sequence[Model]) -> int:
        return experiment.levels

    def describe(self, trial: int) -> str:
        return f"level {trial}"

    def run(self, experiment: NullExperiment, trial: int, bench: Bench) -> Measured[NullRecord]:
        if self.results:
            self.statuses.append(RunFolder.open(self.results / "latest").read_run().status)
            self.on_disk.append(len(RunFolder.open(self.results / "latest").read_trials(NullRecord)))
        if trial == self.loses_a_signal_in:
            with suppress(Interrupted):
                signal.raise_signal(signal.SIGINT)
        if trial in self.events:
            raise self.events[trial]
        valid = trial not in self.invalid
        record = NullRecord(
            index=trial, level=trial, started=datetime.now(UTC), duration_s=0.1, valid=valid,
            reason=None if valid else "nothing happened",
        )  # fmt: skip
        return Measured(record, {"ticks": [Tick(number / 10) for number in range(trial)]})

    def line(self, measured: Measured[NullRecord]) -> Line:
        return Line(f"level {measured.record.level}", None if measured.record.valid else "red")

    def report(self, folder: RunFolder) -> Report:
        levels = [record.level for record in folder.read_trials(NullRecord)]
        cells = [
            {
                "level": level,
                "server": {"cpu_s": None},
                "findings": [{"id": "nothing", "severity": "note", "message": "nothing happened", "remedy": "none"}],
                "took_ci_ms": None,
                "took_s": 1.0 + level,
            }
            for level in levels
        ]
        return Report(cells, lambda: self._document(folder, levels))

    def _document(self, folder: RunFolder, levels: Sequence[int]) -> Document:
        run = folder.read_run()
        sentence = f"Levels {', '.join(map(str, levels))} took no time."
        return run_report.report(
            run,
            len(levels),
            question=str(run.experiment["question"]),
            answer=[Section("", [Sentences([sentence])], brief=True)],
            findings=[],
            rows="a row for each tick",
        )


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Null:
    null = Null()
    known = registry.kind
    monkeypatch.setitem(registry.KINDS, "null", registry.Entry("null", "null", "null", "", "Measure nothing"))
    monkeypatch.setattr(registry, "kind", lambda name: null if name == "null" else known(name))
    return null


@pytest.fixture
def world(kind: Null, lab: Lab, tmp_path: Path) -> "World":
    (tmp_path / "null.toml").write_text(TOML)
    return World(lab, tmp_path)


class World:
    def __init__(self, lab: Lab, folder: Path) -> None:
        self.root, self.folder = lab.root, folder
        self.watcher = Watcher()
        self.runtime = FakeRuntime(("127.0.0.1", 1))

    def plan(self, **changes: Any) -> planning.Plan[NullExperiment]:
        return planning.plan(self.root, self.folder / "null.toml", changes, NullExperiment)

    def measure(self, plan: planning.Plan[NullExperiment], generator: str = "hey") -> session.Outcome:
        place: Any = Place(self.runtime, "a test", generator, {1.0: cores.plan(1, range(4))})  # type: ignore[arg-type]
        return session.measure(plan, place, self.folder / "results", self.watcher)

    def resume(self, folder: RunFolder) -> planning.Plan[NullExperiment]:
        return planning.resumed(self.root, folder.path, NullExperiment)


def levels(folder: RunFolder) -> list[int]:
    return [record.level for record in folder.read_trials(NullRecord)]


def test_a_run_is_a_folder_with_a_line_a_trial_and_its_rows(world: World) -> None:
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.reason) == (0, "")
    run = outcome.folder.read_run()
    assert (run.kind, run.status, run.trials_planned, run.experiment["levels"]) == ("null", "complete", 5, 5)
    records = outcome.folder.read_trials(NullRecord)
    assert [record.level for record in records] == [0, 1, 2, 3, 4]
    assert [len(outcome.folder.read_rows(record.rows, "ticks", Tick)) for record in records] == [0, 1, 2, 3, 4]
    assert world.watcher.begun == [f"level {number}" for number in range(5)]
    assert [line.text for line in world.watcher.lines] == world.watcher.begun
    assert world.runtime.log == ["open", "close"]


def test_the_python_of_a_server_is_recorded_only_if_it_is_a_program_of_python(world: World) -> None:
    """Node's image has a Python, too, because a healthcheck needs it."""
    run = world.measure(world.plan(models=("A", "J"))).folder.read_run()
    assert [model.service for model in run.models] == ["blocking", "node"]
    assert [*run.environment["python of the servers"]] == [*run.environment[GIL_OF_SERVERS]] == ["blocking"]


def test_the_folder_is_there_before_the_first_trial_and_each_trial_is_on_disk_as_it_ends(
    world: World, kind: Null
) -> None:
    kind.results = world.folder / "results"
    world.measure(world.plan())
    assert kind.on_disk == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("trial", "left"), [(1, [0, 1]), (4, [0, 1, 2, 3, 4])])
def test_a_signal_whose_exception_is_lost_ends_the_run_after_the_trial(
    world: World, kind: Null, trial: int, left: list[int]
) -> None:
    kind.loses_a_signal_in = trial
    with interruptible():
        outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status, levels(outcome.folder)) == (130, "partial", left)
    kind.loses_a_signal_in = None
    with interruptible():  # the next run knows nothing of it
        assert world.measure(world.resume(outcome.folder)).exit_status == 0


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_a_partial_run_that_can_go_on(
    world: World, kind: Null, signum: int, status: int
) -> None:
    kind.events = {3: Interrupted(signum)}
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status, levels(outcome.folder)) == (
        status,
        "partial",
        [0, 1, 2],
    )
    assert world.runtime.log == ["open", "close"]
    with (outcome.folder.path / "trials.jsonl").open("a") as file:
        file.write('{"index": 3, "lev')  # a crash has cut it
    kind.events, kind.results = {}, world.folder / "results"
    again = world.measure(world.resume(outcome.folder))
    assert again.folder.path == outcome.folder.path
    assert (again.exit_status, levels(again.folder), again.folder.read_run().status) == (0, [0, 1, 2, 3, 4], "complete")
    assert world.watcher.numbers == [1, 2, 3, 4, 5]
    assert kind.statuses == ["running", "running"]
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        world.resume(outcome.folder)


@pytest.mark.parametrize("event", [Interrupted(signal.SIGINT), LoadFailed("the load driver ended")])
def test_where_no_trial_has_ended_a_line_names_the_folder_and_how_to_go_on(
    world: World, kind: Null, monkeypatch: pytest.MonkeyPatch, event: BaseException
) -> None:
    kind.events = {0: event}
    monkeypatch.setattr(cli_run, "trials", lambda *_: world.measure(world.plan()))
    monkeypatch.setattr(cli_run, "only_bench", lambda *_, **__: nullcontext())
    monkeypatch.chdir(world.folder)
    said = measured(world)
    (folder,) = (path for path in (world.folder / "results").iterdir() if not path.is_symlink())
    nothing, resume = f"No trial has ended: results/{folder.name} has no result.", f"RESUME=results/{folder.name}"
    assert said.splitlines()[-1] == f"{nothing} To measure what is missing or not valid: make null {resume}"
    kind.not_resumable = "it is over"
    said = measured(world).splitlines()[-1]
    assert re.search(r"^No trial has ended: .* This run cannot go on, because it is over: run it again\.$", said)
    kind.not_resumable, kind.events, kind.invalid = "", {}, {1}
    told = measured(world).splitlines()
    assert "- Levels 0, 1, 2, 3, 4 took no time." in told
    assert "To measure what is missing or not valid: make null RESUME=results/" in " ".join(told)
    assert told[-1].startswith("Report: ")


def measured(world: World) -> str:
    """Run the command for a plan to its end, and return what is printed."""
    console = Console(file=io.StringIO(), width=200)
    assert cli_run.measured(console, world.plan(), "local", None) in (1, 130)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_run_goes_on_only_as_it_began(world: World, kind: Null) -> None:
    kind.events = {1: Interrupted(signal.SIGINT)}
    outcome = world.measure(world.plan())
    with pytest.raises(
        UsageError, match=r"cannot be resumed with another load generator: it was hey, now it is locust"
    ):
        world.measure(world.resume(outcome.folder), "locust")
    assert levels(outcome.folder) == [0]


def test_a_kind_that_cannot_go_on_says_so_in_a_line(world: World, kind: Null) -> None:
    kind.events = {1: Interrupted(signal.SIGINT)}
    outcome = world.measure(world.plan())
    kind.not_resumable = "what is not counted in one go is no count"
    with pytest.raises(UsageError, match=r"^RESUME=.*: what is not counted in one go is no count: run it again$"):
        world.resume(outcome.folder)


def test_a_trial_that_is_not_valid_spoils_the_run_and_the_others_go_on(world: World, kind: Null) -> None:
    kind.invalid = {1}
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status, len(levels(outcome.folder))) == (1, "failed", 5)
    assert [line.style for line in world.watcher.lines] == [None, "red", None, None, None]


def test_a_run_that_goes_on_measures_once_more_what_was_not_valid_and_loses_no_line(world: World, kind: Null) -> None:
    kind.invalid, kind.events = {1, 2}, {4: Interrupted(signal.SIGINT)}
    outcome = world.measure(world.plan())
    before = (outcome.folder.path / "trials.jsonl").read_text()
    kind.invalid, kind.events = {2}, {}
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.read_run().status) == (1, "failed")
    assert world.watcher.begun[5:] == ["level 1", "level 2", "level 4"]
    assert world.measure(world.resume(outcome.folder)).exit_status == 1
    assert [record.valid for record in outcome.folder.read_trials(NullRecord)] == [True, True, False, True, True]
    kind.invalid = set()
    assert world.measure(world.resume(outcome.folder)).exit_status == 0
    assert outcome.folder.read_run().status == "complete"
    lines = (outcome.folder.path / "trials.jsonl").read_text()
    assert lines.startswith(before)
    assert [json.loads(line)["level"] for line in lines.splitlines()] == [0, 1, 2, 3, 1, 2, 4, 2, 2]
    records = outcome.folder.read_trials(NullRecord)
    assert [(record.level, record.valid) for record in records] == [(level, True) for level in range(5)]
    names = [json.loads(line)["rows"].get("ticks") for line in lines.splitlines()]
    assert names[2::3] == ["samples/0002-ticks.csv.gz", "samples/0002-ticks-2.csv.gz", "samples/0002-ticks-4.csv.gz"]
    assert all((outcome.folder.path / name).exists() for name in names if name)


def test_where_none_can_go_on_what_there_is_stays_and_the_reason_is_told(world: World, kind: Null) -> None:
    kind.events = {2: LoadFailed("the load driver ended with status 1")}
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.reason) == (1, "the load driver ended with status 1")
    assert (outcome.folder.read_run().status, levels(outcome.folder)) == ("failed", [0, 1])


def test_what_is_known_beforehand_is_told_before_there_is_a_folder(
    world: World, kind: Null, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(experiment: NullExperiment, models: Sequence[Model], where: Where) -> None:
        raise UsageError(f"not {where.runtime} with {sorted(where.plans)}")

    monkeypatch.setattr(kind, "check", check)
    with pytest.raises(UsageError, match=r"^not local with \[1\.0\]$"):
        world.measure(world.plan())
    assert not (world.folder / "results").exists()


@pytest.mark.parametrize("resumed", [False, True])
def test_a_run_that_was_killed_has_lasted_until_its_last_trial_ended(world: World, kind: Null, resumed: bool) -> None:
    """A budget of time goes on: SIGKILL leaves a run without its end."""
    kind.events = {2: Interrupted(signal.SIGINT)}
    folder = world.measure(world.plan()).folder
    run = folder.read_run()
    begun = datetime.now(UTC) - timedelta(hours=1)
    parts = {"resumed": begun, "wall_s": 30.0} if resumed else {"started": begun, "wall_s": None}
    folder.write_run(run.model_copy(update={"status": "running", "finished": None, **parts}))
    folder.append(
        NullRecord(index=2, level=2, started=begun + timedelta(seconds=90), duration_s=10, valid=True, reason=None)
    )
    records = [
        one.model_copy(update={"started": begun - timedelta(days=1)}) for one in folder.read_trials(NullRecord)[:2]
    ]
    trials = (*records, folder.read_trials(NullRecord)[2])
    assert folder.read_run().measured_s(trials) == (130.0 if resumed else 100.0)
    (folder.path / "trials.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in trials))
    kind.events = {}
    assert world.measure(world.resume(folder)).exit_status == 0
    last = folder.read_run()
    assert last.resumed
    assert last.resumed > begun
    assert (last.wall_s or 0) // 10 == (13 if resumed else 10)


@pytest.mark.parametrize(("fresh", "cheap", "said"), [(None, True, True), (None, False, False), (False, True, False)])
def test_a_run_says_whether_each_trial_had_a_server_of_its_own(
    world: World, kind: Null, fresh: bool | None, cheap: bool, said: bool
) -> None:
    kind.fresh_servers, world.runtime.starts_are_cheap = fresh, cheap
    assert world.measure(world.plan()).folder.read_run().fresh_servers is said


def test_our_own_mistake_leaves_the_run_readable_too(world: World, kind: Null) -> None:
    kind.events = {2: ZeroDivisionError("ours")}
    with pytest.raises(ZeroDivisionError):
        world.measure(world.plan())
    folder = RunFolder.open(world.folder / "results" / "latest")
    assert (folder.read_run().status, levels(folder)) == ("failed", [0, 1])


@pytest.mark.needs("linux")
@pytest.mark.parametrize("moved", [True, False])
def test_results_that_are_moved_or_deleted_end_the_run_and_what_is_kept_is_told(
    world: World, kind: Null, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    known = kind.run

    def run(experiment: NullExperiment, trial: int, bench: Bench) -> Measured[NullRecord]:
        if trial == 2:
            if moved:
                (world.folder / "results").rename(world.folder / "elsewhere")
            else:
                shutil.rmtree(world.folder / "results")
        return known(experiment, trial, bench)

    monkeypatch.setattr(kind, "run", run)
    monkeypatch.chdir(world.folder)
    kept = (
        r"2 trials are kept in (elsewhere/\S+); make null RESUME=\1 measures the rest$"
        if moved
        else "No trial is kept.$"
    )
    with pytest.raises(UsageError, match=rf"was moved or deleted during the run\. {kept}"):
        world.measure(world.plan())
    assert world.runtime.log == ["open", "close"]
    assert not (world.folder / "results").exists()
    if moved:
        folder = RunFolder.open(world.folder / "elsewhere" / "latest")
        assert (folder.read_run().status, levels(folder)) == ("failed", [0, 1])


def test_a_process_without_open_files_is_refused_before_there_is_a_folder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iolab.host.limits.open_files", lambda: 63)
    with pytest.raises(UsageError, match="63 open files on this machine"):
        world.measure(world.plan())
    assert not (world.folder / "results").exists()


def test_an_experiment_or_a_run_of_another_kind_is_refused_with_the_right_command(world: World, kind: Null) -> None:
    closed = registry.kind("closed").settings
    with pytest.raises(UsageError, match=r"null\.toml is of kind null: make null EXPERIMENT=.*null\.toml"):
        planning.plan(world.root, world.folder / "null.toml", {}, closed)
    kind.events = {1: Interrupted(signal.SIGINT)}
    outcome = world.measure(world.plan())
    with pytest.raises(UsageError, match=r"is of kind null: make null RESUME="):
        planning.resumed(world.root, outcome.folder.path, closed)
    with pytest.raises(UsageError, match=r"is of kind closed: make bench EXPERIMENT="):
        planning.plan(world.root, world.root / "experiments" / "bench.toml", {}, NullExperiment)


def test_a_run_of_any_kind_is_reported_and_exported(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.measure(world.plan(levels=3)).folder
    monkeypatch.chdir(world.root)
    assert cli_runs.report.main([str(folder.path)], standalone_mode=False) == 0
    for text in ((folder.path / name).read_text() for name in ("report.html", "report.md")):
        assert "Levels 0, 1, 2 took no time." in text
    assert "Levels 0, 1, 2 took no time." in capsys.readouterr().out
    assert cli_runs.export.main([str(folder.path)], standalone_mode=False) == 0
    tables = {
        path.stem: list(csv.DictReader(path.read_text().splitlines())) for path in (folder.path / "export").iterdir()
    }
    assert [(row["trial"], row["level"], row["at_s"]) for row in tables["ticks"]] == [
        ("1", "1", "0.0"),
        ("2", "2", "0.0"),
        ("2", "2", "0.1"),
    ]
    assert [row["level"] for row in tables["trials"]] == ["0", "1", "2"]
    assert tables["cells"][0] == {
        "run_status": "complete", "level": "0", "server_cpu_s": "", "findings": "nothing", "took_low_ms": "", "took_high_ms": "", "took_s": "1.0",
    }  # fmt: skip


def test_two_runs_of_a_kind_are_compared_and_a_cell_is_explained(
    world: World, kind: Null, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (world.measure(world.plan(levels=count)).folder for count in (2, 3))
    arguments = [str(first.path), str(second.path), "--results", str(world.folder)]
    assert cli_compare.compare.main(arguments, standalone_mode=False) == 0
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines() if line.strip().startswith("level")] == [
        ["level", "0", "took", "s", "1", "1", "1.000", "-", "within", "the", "noise"],
        ["level", "1", "took", "s", "2", "2", "1.000", "-", "within", "the", "noise"],
    ]
    assert "The runs differ in levels: 2 and 3." in said
    assert "No interval for 2 of 2 figures: one run a side, with too few repeats." in said
    for name in ("2", "level 2"):  # a value of the key, or the name that is offered
        assert cli_runs.explain.main([str(second.path), name], standalone_mode=False) == 0
        assert "took s" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"CELL=9 matches 0 cells of this run; choose one: level 0; level 1; level 2$"):
        cli_runs.explain.main([str(second.path), "9"], standalone_mode=False)
    bench = world.root / "tests" / "data" / "runs" / "docker-bench"
    with pytest.raises(UsageError, match=r"is of kind null and .* of kind closed: compare runs of one kind"):
        cli_compare.compare.main([str(first.path), str(bench)], standalone_mode=False)
