"""The kinds of experiments: an entry each. A kind is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from iolab.errors import UsageError

if TYPE_CHECKING:
    from iolab.experiment import Experiment
    from iolab.kind import AnyKind
    from iolab.results.folder import RunFolder
    from iolab.results.run_info import RunInfo

E = TypeVar("E", bound="Experiment")


class Entry(NamedTuple):
    """A kind: its command, its package, the experiment that is measured by default, and what help says of it."""

    command: str
    package: str
    experiment: str  # a TOML file in experiments/
    takes: str  # usually, with that experiment
    title: str
    following: tuple[str, ...] = ()  # experiments to run next: "command: what it does"
    group: str = "Experiments"
    docs: str = "experiments.md"  # in docs/, with the heading that is about it


KINDS = {
    "closed": Entry("bench", "closed", "bench", "1 min", "Measure every server with 4 and 16 users", (
        "make sweep: vary the CPU limit",
        "make backlog: vary the length of the accept queue of server A",
        "make queue: send requests at planned times, whether or not the server has answered",
    ), "Start"),
    "open": Entry("queue", "open", "queue", "15 min", "Compare planned arrivals with queueing theory", (
        "make slo: find the highest rate at which an objective holds",
        "make queue PROCESS=constant: send the same rates at equal distances",
        "make freeze: stop a server, and count with and without planned times",
    ), docs="queueing.md"),
    "slo": Entry("slo", "slo", "slo", "15 min", "Find the highest rate that meets an objective", (
        "make slo SLO='p95<100ms': search with an objective that needs fewer requests",
        "make queue: measure response times at several utilisations",
    ), docs="queueing.md#the-highest-rate-of-a-server"),
    "crowd": Entry("crowd", "crowd", "crowd", "10 min", "Hold thousands of mostly idle connections", (
        "make faults: disturb a server that has connected users",
        "make crowd USERS=1000 TRANSPORT=poll: hold 1,000 users by long polls alone",
    ), docs="crowd.md"),
    "faults": Entry("faults", "faults", "faults", "3 min", "Disturb a server that has 1,000 connected users", (
        "make faults MODELS=D: disturb a server with a thread for each connection",
        "make crowd: hold more users, without faults",
    ), docs="crowd.md#faults"),
    "freeze": Entry("freeze", "freeze", "freeze", "30 s", "Stop a server for 2 s, and measure it in two ways", (
        "make freeze USERS=32: stop it while 32 users send requests",
        "make queue: send requests at planned times to every server",
    ), docs="experiments.md#a-stopped-server-and-planned-arrivals"),
    "break": Entry("break", "breaking", "break", "1 min", "Find the line of code that blocks an event loop", (
        "make trace SERVICE=broken: read the blocked event loop's system calls",
        "make bench CPU_MS=5: let every server compute 5 ms in each request",
    ), docs="experiments.md#the-broken-winner"),
    "chess": Entry("chess", "chess", "chess", "1 min", "Play 24 games of chess at once on each server", (
        "make chess BOARDS=12: play on 12 boards",
        "make break: move the computing to threads and processes",
    ), docs="experiments.md#the-simultaneous-exhibition"),
}  # fmt: skip
TARGETS = {"cores": "sweep", "backlog": "backlog"}  # of make, for experiments that are not the default of their kind


def kind(name: str) -> "AnyKind":
    """Return a kind by its name; raises UsageError where there is no such kind."""
    if name not in KINDS:
        raise UsageError(f"kind = {name!r}: there is no such kind of experiment; there are {', '.join(KINDS)}")
    found: AnyKind = import_module(f"iolab.kinds.{KINDS[name].package}.kind").KIND
    return found


def kind_of(folder: "RunFolder") -> "AnyKind":
    """Return the kind of a run; raises UsageError where run.json is damaged or says a kind that there is not."""
    from iolab.results.folder import DAMAGED  # noqa: PLC0415 (pydantic takes long: `iolab --help` needs the table only)

    name = folder.read_run().kind
    if name not in KINDS:
        there = f"there is no such kind of experiment; there are {', '.join(KINDS)}"
        raise UsageError(f"{folder.path / 'run.json'}: kind = {name!r}: {there}; {DAMAGED}")
    return kind(name)


def read(path: Path, changes: Mapping[str, Any], settings: type[E], *, quick: bool = False) -> E:
    """Read an experiment's TOML file, `quick` or whole, with changes; raises UsageError for one of another kind."""
    from iolab import experiment_file  # noqa: PLC0415 (pydantic takes long: `iolab --help` needs the table only)

    name = experiment_file.kind_of(path)
    check(name, settings, path.name, f"EXPERIMENT={path}")
    return experiment_file.parsed(path, changes, settings, quick=quick)


def recorded(folder: "RunFolder", run: "RunInfo", settings: type[E]) -> E:
    """Return the experiment that a run measured; raises UsageError where it is of another kind, or damaged."""
    from pydantic import ValidationError  # noqa: PLC0415 (as above)

    if kind(run.kind).settings is not settings:
        raise UsageError(f"{folder.path} is a run of kind {run.kind}, which this does not read")
    try:
        return settings.model_validate(run.experiment)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{folder.path / 'run.json'}: experiment.{where}: {first['msg']}") from error


def check(name: str, settings: "type[Experiment]", what: str, given: str) -> None:
    """Raise UsageError, which names the right command, where `name` is not the kind with these settings."""
    if kind(name).settings is not settings:
        raise UsageError(f"{what} is of kind {name}: make {KINDS[name].command} {given}")


def course_answer(results: Path, users: int) -> list[str]:
    """Return what runs in `results`, of whatever kind, answer to the course's question about so many chat users."""
    return [paragraph for name in KINDS for paragraph in kind(name).course_answer(results, users)]
