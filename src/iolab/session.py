"""The lifecycle of a run, the same for every kind of experiment: plan, folder, trials, interruption, resumption."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from iolab.bench import Bench, OpenGenerator
from iolab.errors import TrialFailed, UsageError, explained
from iolab.host import environment, limits, proc, signals
from iolab.host.programs import is_python
from iolab.host.signals import Interrupted
from iolab.kind import AnyKind, History, Line, Where
from iolab.kinds import registry
from iolab.loadgen.starting import start_generator
from iolab.planning import Plan
from iolab.results.folder import RunFolder
from iolab.results.run_info import ModelInfo, RunInfo, Status
from iolab.runtime import plan_info
from iolab.runtime.choice import Place


class Observer(Protocol):
    """Receives the progress of a run."""

    def says(self, what: str) -> None:
        """Receive a message about the current step."""

    def opened(self, folder: RunFolder) -> None:
        """Take note of where the run is written to."""

    def planned(self, count: int, expected_s: float | None) -> None:
        """Take note of how many trials there are (0: not known), and how long all of them take in theory."""

    def started(self, what: str, number: int, total: int) -> None:
        """Take note that a trial begins, numbered from 1, and of how many trials there are now (0: not known)."""

    def finished(self, line: Line, number: int) -> None:
        """Receive the line of a trial that has ended and is on disk."""


@dataclass(frozen=True)
class Outcome:
    """Where the run is, the exit status of the command that made it, and why it has no result, if that is so."""

    folder: RunFolder
    exit_status: int
    reason: str = ""


def measure(
    planned: Plan[Any], place: Place, results: Path, observer: Observer, open_generator: OpenGenerator | None = None
) -> Outcome:
    """Measure the trials of a plan into a run folder: each is written to disk when it ends.

    After an interruption, the trials measured so far stay, with exit status 130 (SIGINT) or 143 (SIGTERM). A resumed
    run measures the missing and the invalid trials. Raises UsageError, which says what is kept, if the folder cannot be
    written to any more, and if what is asked for shows to be impossible; a new run without a trial is then removed.
    """
    kind = registry.kind(planned.experiment.kind)
    limits.raise_soft_limits()  # servers and load generators inherit them
    limits.check_open_files()
    info = _info(planned, place, kind)
    kind.check(planned.experiment, planned.models, Where(info.runtime, place.plans, info.generator))
    folder = planned.begun or RunFolder.create(results, planned.experiment.name)
    with _keeping(folder, kind):
        if planned.begun:
            info = _resumed_info(folder, info, kind)
            folder.drop_cut_line()
        folder.write_run(info)
        observer.opened(folder)
        records = [record for record in folder.read_trials(kind.record) if record.valid]
        history = History(folder, info, records, info.wall_s or 0.0)
        return _measured(planned, place, history, observer, open_generator)


def _measured(
    planned: Plan[Any],
    place: Place,
    history: History[Any],
    observer: Observer,
    open_generator: OpenGenerator | None,
) -> Outcome:
    kind, folder, info = registry.kind(planned.experiment.kind), history.folder, history.run
    status: Status = "failed"
    exit_status, reason, discarded = 1, "", False
    try:
        with Bench(
            lab=planned.lab,
            runtime=place.runtime,
            open_generator=open_generator or start_generator(place.generator),
            models=planned.models,
            plans=place.plans,
            write_rows=folder.write_rows,
            read_rows=folder.read_rows,
            say=observer.says,
        ) as bench:
            _trials(kind, planned, history, bench, observer)
        if kind.complete(history.records):
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    except TrialFailed as failed:
        reason = str(failed)
    except UsageError:
        discarded = not planned.begun and folder.discard()
        raise
    finally:
        planned_now = max(info.trials_planned, len(history.records)) if status == "complete" else info.trials_planned
        if not discarded:
            folder.write_run(info.ended(status, history.elapsed_s, trials_planned=planned_now))
    return Outcome(folder, exit_status, reason)


@contextmanager
def _keeping(folder: RunFolder, kind: AnyKind) -> Iterator[None]:
    """Turn an error of the disk into a UsageError that says which trials are kept, and where."""
    handle = os.open(folder.path, os.O_RDONLY)
    try:
        yield
    except OSError as error:
        gone = not folder.path.is_dir()
        why = f"{folder.path} was moved or deleted during the run" if gone else explained(error)
        if not why:
            raise
        if gone:
            folder.path = proc.folder_of(handle) or folder.path
        kept = _kept(folder, kind)
        if kept:
            with suppress(OSError):  # the disk may have no room for that, either
                folder.write_run(folder.read_run().model_copy(update={"status": "failed"}))
        raise UsageError(f"{why}. {kept or 'No trial is kept.'}") from error
    finally:
        os.close(handle)


def _kept(folder: RunFolder, kind: AnyKind) -> str:
    """Say which trials a folder has, and how to go on; "" if there is none."""
    try:
        count = len(folder.read_trials(kind.record))
    except (OSError, UsageError):
        count = 0
    path = os.path.relpath(folder.path)
    resume = "" if kind.not_resumable else f"; make {registry.KINDS[kind.name].command} RESUME={path} measures the rest"
    trials = "1 trial is" if count == 1 else f"{count} trials are"
    return f"{trials} kept in {path}{resume}" if count else ""


def _trials(kind: AnyKind, planned: Plan[Any], history: History[Any], bench: Bench, observer: Observer) -> None:
    experiment, models = planned.experiment, planned.models
    observer.planned(kind.count(experiment, models), kind.expected_s(experiment, models))
    for trial in kind.plan(experiment, models, history):
        signals.check()
        number = len(history.records) + 1
        observer.started(kind.describe(trial), number, kind.total(experiment, models, number))
        measured = kind.run(experiment, trial, bench)
        written = measured.record.rows  # what had to be on disk before the trial ended
        others = {name: rows for name, rows in measured.rows.items() if name not in written}
        files = written | history.folder.write_rows(measured.record.index, **others)
        record = measured.record.model_copy(update={"rows": files})
        history.folder.append(record)
        history.records.append(record)
        observer.finished(kind.line(measured), len(history.records))
    signals.check()


def _resumed_info(folder: RunFolder, now: RunInfo, kind: AnyKind) -> RunInfo:
    """Return run.json of a resumed run; raises UsageError if it would be measured in another place."""
    before = folder.read_run()
    _check_same_place(before, now)
    measured_s = before.measured_s(folder.read_trials(kind.record))
    changes = {"status": "running", "finished": None, "wall_s": round(measured_s, 3), "resumed": now.started}
    return before.model_copy(update=changes)


def _check_same_place(before: RunInfo, now: RunInfo) -> None:
    """Raise UsageError if the rest of a run would be measured in another way than its beginning."""
    pairs = {
        "runtime": (before.runtime, now.runtime),
        "load generator": (before.generator, now.generator),
        "cores": (before.cpu_plans, now.cpu_plans),
    }
    for name, (old, new) in pairs.items():
        if old != new:
            raise UsageError(f"this run cannot be resumed with another {name}: it was {old}, now it is {new}")


def _info(planned: Plan[Any], place: Place, kind: AnyKind) -> RunInfo:
    """Return run.json of a new run."""
    ours = () if planned.experiment.running else planned.models  # of what runs another server nothing is known
    pythons = place.runtime.pythons([model for model in ours if is_python(model.service.command)])
    return RunInfo(
        kind=kind.name,
        experiment=planned.experiment.model_dump(mode="json", by_alias=True),
        file=planned.file,
        quick=planned.quick,
        changed=dict(planned.changed),
        models=tuple(
            ModelInfo(
                letter=model.letter,
                title=model.title,
                service=model.name,
                workers=model.workers,
                backlog=model.backlog,
                threads=model.threads if model.workers_known else None,
                interpreters=model.interpreters,
                connection_limit=model.connection_limit,
                can_split=model.can_split,
                connections=model.connections if len(planned.experiment.downstreams) == 1 else None,
                workers_known=model.workers_known,
            )
            for model in planned.models
        ),
        runtime=place.runtime.name,
        runtime_reason=place.reason,
        generator=kind.generator or place.generator,
        cpu_plans=tuple(plan_info(one, pinned=place.runtime.pinned) for one in place.plans.values()),
        environment=environment.facts(ours, place.runtime.name, place.runtime.facts(), pythons),
        trials_planned=kind.count(planned.experiment, planned.models),
        fresh_servers=place.runtime.starts_are_cheap if kind.fresh_servers is None else kind.fresh_servers,
        started=datetime.now(UTC),
    )
