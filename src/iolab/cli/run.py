"""What every command that measures does: a place, a run, its reports. `iolab run` takes experiments of any kind."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from iolab import experiment_file, planning, session
from iolab.cli import addresses, header, output, parameters
from iolab.cli.console import Console
from iolab.errors import UsageError, explained
from iolab.host.lock import only_bench
from iolab.kinds import registry
from iolab.lab import find_root
from iolab.live import reach
from iolab.progress import RunProgress
from iolab.progress_file import ProgressFile
from iolab.report import brief, index, markdown, pages, terminal
from iolab.report.answers import SHOWN, unanswered
from iolab.report.document import Document
from iolab.report.summary import summary
from iolab.results.folder import LATEST, RunFolder
from iolab.runtime.choice import Wanted, choose
from iolab.withheld import withheld


def measured(
    console: Console, planned: planning.Plan[Any], runtime: Wanted, results: Path | None, *, wait: bool = False
) -> int:
    """Measure a plan, make its reports, and return the exit status; `wait` for another benchmark to end."""
    experiment, kind = planned.experiment, registry.kind(planned.experiment.kind)
    expected_s = kind.expected_s(experiment, planned.models)
    with only_bench(experiment.name, expected_s, wait=output.line if wait else None):
        outcome = trials(console, planned, runtime, results)
    if outcome.reason:
        console.print(f"No result: {outcome.reason}", markup=False, highlight=False, soft_wrap=True)
    if outcome.folder.has_trials():
        with keeping(outcome.folder):
            report_run(console, outcome.folder)
    if outcome.exit_status and (what := _what_next(outcome.folder)):
        console.print(what, markup=False, highlight=False, soft_wrap=True)
    return outcome.exit_status


@contextmanager
def keeping(folder: RunFolder) -> Iterator[None]:
    """Say where the trials are if their report cannot be written."""
    try:
        yield
    except OSError as error:
        gone = not folder.path.is_dir()
        why = f"{folder.path} was moved or deleted after the run" if gone else explained(error)
        if not why:
            raise
        path = os.path.relpath(folder.path)
        kept = "" if gone else f". All trials are kept in {path}; make report RUN={path} writes the report"
        raise UsageError(f"{why}{kept}") from error


def _what_next(folder: RunFolder) -> str:
    """Return what to do with a run that is not whole; "" where its report says that."""
    path, kind = os.path.relpath(folder.path), registry.kind_of(folder)
    nothing = "" if folder.has_trials() else f"No trial has ended: {path} has no result. "
    if kind.not_resumable:
        return f"{nothing}This run cannot go on, because {kind.not_resumable}: run it again."
    return (
        nothing
        and f"{nothing}To measure what is missing or not valid: make {registry.KINDS[kind.name].command} RESUME={path}"
    )


def trials(console: Console, planned: planning.Plan[Any], runtime: Wanted, results: Path | None) -> session.Outcome:
    """Measure a plan, and show how far it is; the lock is held by then."""
    with terminal.busy(console) as say:
        place = choose(runtime, planned.lab, planned.models, planned.experiment, say, host=planned.experiment.host)
    terminal.show_place(console, place.runtime.name, place.reason)
    experiment = planned.experiment
    if said := reach.of_run(planned.lab, experiment.host, experiment.load.port if experiment.host else None):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    with RunProgress(console) as progress, closing(ProgressFile(progress, planned.lab.root)) as observer:
        return session.measure(planned, place, results or planned.lab.root / "results", observer)


def planned(
    default: str,
    path: Path | None,
    changes: dict[str, Any],
    settings: type[Any],
    resume: Path | None = None,
    *,
    quick: bool = False,
) -> planning.Plan[Any]:
    """Return the plan of a command: of experiments/`default`.toml or `path`, or of a run that goes on."""
    root = find_root(Path.cwd())
    if resume:
        if path or changes.keys() - {"course"} or quick:
            raise UsageError("RESUME goes on with the experiment of that run: leave out what would change it")
        return planning.resumed(root, resume, settings)
    return planning.plan(root, planning.file_of(root, default, changes, path), changes, settings, quick=quick)


def results_folder(results: Path | None) -> Path:
    """Return the folder of the run folders: `results`, or that of the lab."""
    return results or find_root(Path.cwd()) / "results"


def given_or_newest(run: Path | None, results: Path | None) -> RunFolder:
    """Open the run folder `run`, or the newest in `results`; raises UsageError where there is none."""
    return RunFolder.open(run or results_folder(results) / "latest")


def place_of_reports(folder: RunFolder, results: Path | None) -> RunFolder:
    """Return the folder for what is made of a run: its own, or one in results/reports for a run of the checkout.

    A run of the checkout is one in the lab's folder, but not in a folder of results: a recorded run is left as it is.
    """
    found = checkout()
    if found is None:
        return folder
    root = found.resolve()
    mine = (results or root / "results").resolve()
    path = folder.path.resolve()
    kept = path.is_relative_to(root) and not path.is_relative_to(mine) and not (path.parent / LATEST).is_symlink()
    return RunFolder(mine / index.REPORTS / path.relative_to(root)) if kept else folder


def report_run(console: Console, folder: RunFolder, place: RunFolder | None = None, *, answers: bool = False) -> None:
    """Make the reports of a run folder from its raw data, and print the shortest of them."""
    brief.show(console, write_reports(folder, place, answers=answers), addresses.of_run(place or folder))


def write_reports(folder: RunFolder, place: RunFolder | None = None, *, answers: bool = False) -> Document:
    """Write the reports of a run folder from its raw data, and the page of all runs; return the report.

    They are written to `place`, by default to the run folder itself. A run of the course hides theory and answers
    unless `answers` are asked for; the cells in summary.json always have them.
    """
    place = place or folder
    report = registry.kind_of(folder).report(folder)
    document = header.headed(_for_reader(report.document(), folder, answers=answers), folder, place)
    place.path.mkdir(parents=True, exist_ok=True)
    place.write("summary.json", summary(folder.read_run(), document, report.cells, report.facts))
    place.write("report.md", markdown.render(document))
    place.write("report.html", pages.render(document))
    if place is folder and (folder.path.parent / LATEST).is_symlink():
        index.write(folder.path.parent)
    return document


def _for_reader(document: Document, folder: RunFolder, *, answers: bool) -> Document:
    """Return a report without what is withheld; one that shows it because `answers` were asked for says so."""
    root = checkout()
    if withheld(folder, root, answers=answers):
        return unanswered(document)
    asked = answers and withheld(folder, root) and unanswered(document) is not document
    return replace(document, course=SHOWN) if asked else document


def checkout() -> Path | None:
    """Return the checkout that a command works in; None if there is none."""
    try:
        return find_root(Path.cwd())
    except UsageError:
        return None


@click.command()
@click.argument("path", metavar="EXPERIMENT", envvar="EXPERIMENT", required=False, type=parameters.PATH)
@parameters.runtime
@parameters.results
@parameters.resume
@parameters.quick
@parameters.wait
def run(
    path: Path | None, *, runtime: Wanted, results: Path | None, resume: Path | None, quick: bool, wait: bool
) -> int:
    """Measure the experiment of a TOML file of any kind, or continue an interrupted run."""
    if resume:
        settings = registry.kind_of(RunFolder.open(resume)).settings
    elif path:
        settings = registry.kind(experiment_file.kind_of(path)).settings
    else:
        raise UsageError("EXPERIMENT: which one? make run EXPERIMENT=experiments/bench.toml")
    return measured(Console(), planned("", path, {}, settings, resume, quick=quick), runtime, results, wait=wait)
