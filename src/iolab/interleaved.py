"""Two settings measured in turn, A-B-B-A-A-B: what each side is, and which runs are still to be measured."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, get_args

from iolab import options, planning
from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.kinds.closed.plan import trials
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from iolab.options import Word, choice
from iolab.report.cells import RunCell
from iolab.report.pairing import paired
from iolab.results.folder import RunFolder
from iolab.results.series import Name, Series, SeriesSide
from iolab.runtime.choice import Wanted

NAMES: tuple[Name, Name] = ("A", "B")
EXPERIMENT = "ab"  # the name of the runs
NOT_OF_A_SIDE = ("COURSE", "PRECISION", "BUDGET")  # they change no server and no load, or how long a run takes
RUNTIME = "RUNTIME"
LOAD_S = 240.0  # of load that all runs together take by default: with the starts of servers three to five minutes
MOST_REPEATS = 3


class Turn(NamedTuple):
    """One run of a series: its side and its round, which counts from 1."""

    side: Name
    round: int


@dataclass(frozen=True)
class Given:
    """What a user types for a side: parsed settings by the names of parameters, and where its servers run."""

    settings: Mapping[str, Any]
    runtime: Wanted | None
    variables: frozenset[str]


def turns(rounds: int) -> list[Turn]:
    """Return the runs in the order to measure them: A-B, then B-A, and so on.

    So both sides are as often first as last in a pair, and a machine that slowly changes changes both alike.
    """
    return [Turn(side, each) for each in range(1, rounds + 1) for side in (NAMES if each % 2 else NAMES[::-1])]


def words() -> dict[str, tuple[str, Word]]:
    """Return the variables that a side can set: the name of each one's parameter, and the Word for its values."""
    found = {each.variable: (each.name, each.word) for each in options.settings(ClosedExperiment)}
    return {name: each for name, each in found.items() if name not in NOT_OF_A_SIDE} | {
        RUNTIME: ("runtime", choice(get_args(Wanted)))
    }


def parsed(name: Name, text: str) -> Given:
    """Return what a text such as "BACKLOG=5 CPUS=1" gives; raises UsageError, in a line that names the mistake."""
    known = words()
    found: dict[str, tuple[str, Any]] = {}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{name}={text}: {error}") from None
    for part in parts:
        variable, _, value = part.partition("=")
        if variable not in known:
            near = get_close_matches(variable, known, 1)
            instead = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(known))}"
            raise UsageError(f"{name}={text}: {variable} is no setting of a side: {instead}")
        if variable in found or not value:
            why = "is there twice" if variable in found else "needs a value, such as BACKLOG=5"
            raise UsageError(f"{name}={text}: {variable} {why}")
        parameter, word = known[variable]
        try:
            found[variable] = (parameter, word.read(value))
        except ValueError:
            raise UsageError(f"{name}: {variable}={value}: must be {word.must}") from None
    values = {parameter: value for variable, (parameter, value) in found.items() if variable != RUNTIME}
    return Given(values, found[RUNTIME][1] if RUNTIME in found else None, frozenset(found))


def plans(
    root: Path, path: Path | None, sides: Mapping[Name, Given], common: Mapping[str, Any], rounds: int
) -> dict[Name, planning.Plan[Any]]:
    """Return what each side measures: its settings, and `common` ones by the names of parameters.

    Raises UsageError for a mistake in a setting, for a common one that both sides set, and if the cells of the sides
    differ in so much that they could not be compared.
    """
    known = words()
    for variable in sorted(sides["A"].variables & sides["B"].variables):
        if common.get(known[variable][0]) is not None:
            raise UsageError(f"{variable}: A and B set it, so it cannot be common to both: leave it out")
    found = {name: _plan(root, path, name, {**common, **sides[name].settings}) for name in NAMES}
    if common.get("repeats") is None and not any("repeats" in each.settings for each in sides.values()):
        one_s = sum(expected_s(each) / each.experiment.repeats for each in found.values())
        affordable = int(LOAD_S / (rounds * one_s)) if one_s else 1
        given = {**common, "repeats": max(1, min(MOST_REPEATS, affordable))}
        found = {name: _plan(root, path, name, {**given, **sides[name].settings}) for name in NAMES}
    try:
        paired([[_cells(found[name])] for name in NAMES], registry.kind("closed").key)
    except UsageError as error:
        raise UsageError(f"A and B cannot be compared: {error}") from error
    return found


def check_differ(found: Mapping[Name, planning.Plan[Any]], runtimes: Mapping[Name, str]) -> None:
    """Raise UsageError if both sides are the same."""
    if found["A"].experiment == found["B"].experiment and runtimes["A"] == runtimes["B"]:
        raise UsageError(
            'A and B are the same settings: give what differs, such as make ab A="BACKLOG=5" B="BACKLOG=128"'
            " (make aa compares a setting with itself)"
        )


def expected_s(plan: planning.Plan[Any]) -> float:
    """Return how long the load of a plan takes in theory."""
    return registry.kind(plan.experiment.kind).expected_s(plan.experiment, plan.models) or 0.0


def _plan(root: Path, path: Path | None, name: Name, given: Mapping[str, Any]) -> planning.Plan[Any]:
    changes = {**ClosedExperiment.changes(given), "name": EXPERIMENT}
    try:
        return planning.plan(root, planning.file_of(root, "bench", changes, path), changes, ClosedExperiment)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def _cells(plan: planning.Plan[Any]) -> list[RunCell]:
    """Return the cells that a plan measures, without figures."""
    key = registry.kind(plan.experiment.kind).key
    return [RunCell({name: getattr(trial, name) for name in key}) for trial in trials(plan.experiment, plan.models)]


def plan_of(root: Path, side: SeriesSide, begun: RunFolder | None = None) -> planning.Plan[Any]:
    """Return the plan of a side's next run, or of the rest of one that has `begun`; raises UsageError."""
    settings = registry.kind(str(side.experiment.get("kind"))).settings
    if begun:
        return planning.resumed(root, begun.path, settings)
    experiment = settings.model_validate(side.experiment)
    lab = Lab.read(root, experiment.variables())
    models = tuple(registry.kind(experiment.kind).models(experiment, lab))
    return planning.Plan(lab, experiment, models, file=side.file, changed=side.changed)


def folders(results: Path, series: Series) -> dict[Turn, RunFolder]:
    """Return the run folders of a series that are still there."""
    found = {Turn(each.side, each.round): results / each.run for each in series.runs}
    return {turn: RunFolder(path.resolve()) for turn, path in found.items() if (path / "run.json").is_file()}


def complete(results: Path, series: Series) -> dict[Turn, RunFolder]:
    """Return those of them whose run is complete."""
    found = folders(results, series).items()
    return {turn: folder for turn, folder in found if folder.read_run().status == "complete"}


def to_do(results: Path, series: Series) -> Iterator[tuple[Turn, RunFolder | None]]:
    """Yield the runs that are still to be measured, in their order, with the folder of one that has begun."""
    there, done = folders(results, series), complete(results, series)
    for turn in turns(series.rounds):
        if turn not in done:
            yield turn, there.get(turn)
