"""The command `iolab ab`: two settings measured in turn, each round as a run of its own, and then compared."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from iolab import comparing, interleaved, options, planning, session
from iolab.cli import compare as comparison
from iolab.cli import output, parameters
from iolab.cli.console import Console
from iolab.cli.kinds import example
from iolab.cli.run import checkout, keeping, results_folder, write_reports
from iolab.errors import UsageError
from iolab.host.lock import only_bench
from iolab.host.signals import Interrupted
from iolab.interleaved import EXPERIMENT, NAMES, NOT_OF_A_SIDE, Turn
from iolab.kind import Where
from iolab.kinds import registry
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import find_root
from iolab.progress import RunProgress
from iolab.progress_file import ProgressFile
from iolab.report import numbers, terminal
from iolab.results import series as files
from iolab.results.folder import RunFolder
from iolab.results.run_info import RuntimeName
from iolab.results.series import Name, Series, SeriesRun, SeriesSide
from iolab.runtime.choice import Place, Wanted, choose

ROUNDS = 5

_common = [each for each in options.settings(ClosedExperiment) if each.variable not in NOT_OF_A_SIDE]
_shown = example(registry.KINDS["closed"], ClosedExperiment)
_repeats = click.Option(
    ["--repeats"],
    envvar="REPEATS",
    type=parameters.Value(next(each.word for each in _common if each.variable == "REPEATS")),
    help=f"Trials a cell of each run.  [default: 1 to {interleaved.MOST_REPEATS}, as many as take about 4 minutes]",
)


@click.command(
    params=[_repeats if each.variable == "REPEATS" else parameters.parameter(each, _shown) for each in _common]
)
@click.option("--a", "a", envvar="A", help='Settings of side A, such as "BACKLOG=5".')
@click.option("--b", "b", envvar="B", help='Settings of side B, such as "BACKLOG=128".')
@click.option(
    "--rounds",
    envvar="ROUNDS",
    type=click.IntRange(2, 1000),
    help=f"Runs of each side.  [2 to 1,000; default: {ROUNDS}]",
)
@click.option("--experiment", "path", envvar="EXPERIMENT", type=parameters.PATH, help="TOML file of both sides.")
@click.option("--resume", envvar="RESUME", type=parameters.PATH, help="File of an interrupted series to continue.")
@parameters.runtime
@parameters.results
@parameters.wait
def ab(  # noqa: PLR0917 (each is an option of the command line)
    a: str | None,
    b: str | None,
    rounds: int | None,
    path: Path | None,
    resume: Path | None,
    runtime: Wanted,
    results: Path | None,
    *,
    wait: bool,
    **common: Any,
) -> int:
    """Measure two settings of a benchmark in turn, A-B-B-A-A-B, and compare them with the runs as the unit.

    A and B take the variables of `make bench`, and RUNTIME: A="BACKLOG=5" B="BACKLOG=128". What a side leaves out is
    as it is in make bench. Other options are common to both sides. Each round of a side is a run of its own, on
    fresh servers, with a folder and a report as any other run.
    """
    root, console, folder = find_root(Path.cwd()), Console(), results_folder(results)
    texts: dict[Name, str] = {"A": a or "", "B": b or ""}
    if resume:
        if any(texts.values()) or rounds or path or any(value is not None for value in common.values()):
            raise UsageError("RESUME goes on with the settings of that series: leave out what would change it")
        found, folder = files.read(resume), resume.resolve().parent.parent
        plans = {name: interleaved.plan_of(root, found.side(name)) for name in NAMES}
        runtimes: Mapping[Name, Wanted | RuntimeName] = {name: found.side(name).runtime for name in NAMES}
        rounds = found.rounds
    else:
        if not any(texts.values()):
            raise UsageError('say which two settings: make ab A="BACKLOG=5" B="BACKLOG=128"')
        sides, rounds = {name: interleaved.parsed(name, text) for name, text in texts.items()}, rounds or ROUNDS
        plans = interleaved.plans(root, path, sides, common, rounds)
        runtimes = {name: sides[name].runtime or runtime for name in NAMES}
        interleaved.check_differ(plans, runtimes)
    expected_s = rounds * sum(interleaved.expected_s(each) for each in plans.values())
    with only_bench(EXPERIMENT, expected_s, wait=output.line if wait else None):
        places = {name: _place(console, plans[name], runtimes[name]) for name in NAMES}
        file = resume or _begun(folder, texts, plans, places, rounds)
        status = _measured(console, root, folder, file, places)
    _compared(console, folder, file)
    return status


def _begun(
    results: Path,
    texts: Mapping[Name, str],
    plans: Mapping[Name, planning.Plan[Any]],
    places: Mapping[Name, Place],
    rounds: int,
) -> Path:
    """Write the file of a new series, and return where it is."""
    interleaved.check_differ(plans, {name: places[name].runtime.name for name in NAMES})
    a, b = (_side(texts[name], plans[name], places[name]) for name in NAMES)
    file = files.new_path(results)
    files.write(file, Series(a=a, b=b, rounds=rounds))
    return file


def _place(console: Console, plan: planning.Plan[Any], runtime: Wanted | RuntimeName) -> Place:
    """Return where a side is measured; raises UsageError if it cannot be measured there."""
    with terminal.busy(console) as say:
        place = choose(runtime, plan.lab, plan.models, plan.experiment, say, host=plan.experiment.host)
    where = Where(place.runtime.name, place.plans, place.generator)
    registry.kind(plan.experiment.kind).check(plan.experiment, plan.models, where)
    return place


def _side(text: str, plan: planning.Plan[Any], place: Place) -> SeriesSide:
    return SeriesSide(
        given=text,
        experiment=plan.experiment.model_dump(mode="json", by_alias=True),
        file=plan.file,
        changed=dict(plan.changed),
        runtime=place.runtime.name,
    )


class _Progress(RunProgress):
    """Notes the folder of a run as soon as there is one, so that a series that is killed knows it."""

    def __init__(self, console: Console, note: Callable[[RunFolder], None]) -> None:
        super().__init__(console)
        self._note = note

    def opened(self, folder: RunFolder) -> None:
        """Note it."""
        self._note(folder)


def _measured(console: Console, root: Path, results: Path, file: Path, places: Mapping[Name, Place]) -> int:
    """Measure what is missing of a series, and return the exit status; after Ctrl-C, what there is stays."""
    found = files.read(file)
    to_do = list(interleaved.to_do(results, found))
    plans = {name: interleaved.plan_of(root, found.side(name)) for name in NAMES}
    load_s = sum(interleaved.expected_s(plans[turn.side]) for turn, _ in to_do)
    for name in NAMES:
        terminal.show_place(console, places[name].runtime.name, f"side {name} ({found.side(name).given or 'defaults'})")
    _say(console, f"{len(to_do)} runs: about {numbers.duration(load_s)} of load, and the time to start servers.")
    begun_s, status = time.monotonic(), 0
    try:
        for number, (turn, begun) in enumerate(to_do):
            left_s = (time.monotonic() - begun_s) / number * (len(to_do) - number) if number else load_s
            side = f"{turn.side} ({found.side(turn.side).given or 'defaults'})"
            _say(
                console,
                f"Run {number + 1} of {len(to_do)}: round {turn.round}, {side}; about {numbers.duration(left_s)} left",
            )
            plan = interleaved.plan_of(root, found.side(turn.side), begun)
            outcome = _run(console, plan, places[turn.side], file, turn)
            if outcome.reason:
                _say(console, f"No result: {outcome.reason}")
            if outcome.folder.has_trials():
                with keeping(outcome.folder):
                    write_reports(outcome.folder)
            status = outcome.exit_status or status
            if outcome.reason or outcome.folder.read_run().status == "partial":
                break
    except Interrupted as interrupted:
        status = interrupted.exit_status
    return status


def _run(console: Console, plan: planning.Plan[Any], place: Place, file: Path, turn: Turn) -> session.Outcome:
    """Measure one run of a series; its file has the run as soon as there is a folder."""

    def note(folder: RunFolder) -> None:
        files.write(file, files.read(file).with_run(SeriesRun(side=turn.side, round=turn.round, run=folder.path.name)))

    with _Progress(console, note) as progress, closing(ProgressFile(progress, plan.lab.root)) as observer:
        return session.measure(plan, place, file.resolve().parent.parent, observer)


def _compared(console: Console, results: Path, file: Path) -> None:
    """Compare the complete runs of a series, and say how to go on if some are missing."""
    found = files.read(file)
    done = interleaved.complete(results, found)
    order = interleaved.turns(found.rounds)
    sides = [[done[turn].path for turn in order if turn.side == name and turn in done] for name in NAMES]
    if all(sides):
        comparison.show(console, comparing.judged(sides, checkout()), results)
    else:
        _say(console, "Nothing to compare: no run of one of the sides is complete.")
    missing = 2 * found.rounds - len(done)
    if missing:
        _say(console, f"{missing} of {2 * found.rounds} runs are missing: make ab RESUME={os.path.relpath(file)}")
    else:
        _say(console, f"The series is in {os.path.relpath(file)}.")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
