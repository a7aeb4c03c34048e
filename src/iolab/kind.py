"""The contract of a kind of experiment: all that the lifecycle (session.py) and the command line need."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from iolab.bench import Bench
from iolab.experiment import Experiment
from iolab.host.cores import CpuPlan
from iolab.lab import Lab, Model
from iolab.report import cells, terminal
from iolab.report.cells import RunCell
from iolab.report.document import Document
from iolab.results.folder import RunFolder
from iolab.results.records import TrialRecord
from iolab.results.rows import Row
from iolab.results.run_info import RunInfo, RuntimeName

if TYPE_CHECKING:
    from rich.console import Console

E = TypeVar("E", bound=Experiment)
T = TypeVar("T")
R = TypeVar("R", bound=TrialRecord)


class HasIndex(Protocol):
    """A trial that has its place in the plan."""

    @property
    def index(self) -> int:
        """Its number, from 0."""


Indexed = TypeVar("Indexed", bound=HasIndex)


@dataclass(frozen=True)
class Measured(Generic[R]):
    """The result of a trial: its record, and its rows by their kind, which the lifecycle writes to files."""

    record: R
    rows: Mapping[str, Sequence[NamedTuple]] = field(default_factory=dict)


class History(Generic[R]):
    """What a run has on disk so far, and how long it has been measured; plans use it.

    `records` are the trials that need not be measured again: in a resumed run, invalid earlier trials are not among
    them.
    """

    def __init__(self, folder: RunFolder, run: RunInfo, records: list[R], earlier_s: float = 0.0) -> None:
        self.folder, self.run, self.records = folder, run, records
        self._began = time.monotonic() - earlier_s

    @property
    def elapsed_s(self) -> float:
        """How long the run has been measured, in seconds, including the time before an interruption."""
        return time.monotonic() - self._began

    def missing(self, trials: Iterable[Indexed]) -> Iterator[Indexed]:
        """Return those of a plan's trials that are still to be measured."""
        done = {record.index for record in self.records}
        return (trial for trial in trials if trial.index not in done)

    def rows(self, record: R, kind: str, row: type[Row]) -> list[Row]:
        """Return the rows of one kind of a recorded trial."""
        return self.folder.read_rows(record.rows, kind, row)


@dataclass(frozen=True)
class Line:
    """What the terminal shows of a trial that has ended; `note` is a second line."""

    text: str
    style: Literal["red", "yellow"] | None = None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """The reports of a run: one object for each cell, as JSON has it, and a function that makes the document.

    summary.json has the cells, and `facts` of the kind; HTML, Markdown and terminal render the document.
    """

    cells: Sequence[Mapping[str, Any]]
    document: Callable[[], Document]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Where(NamedTuple):
    """Where a run is measured, and by what: its runtime's name, the cores for each CPU limit, the load generator."""

    runtime: RuntimeName
    plans: Mapping[float, CpuPlan]
    generator: str


Show = Callable[["Console"], None]


class Kind(ABC, Generic[E, T, R]):
    """A kind of experiment: E its settings, T one trial of its plan, R the record of a trial."""

    name: str  # `kind = "..."` in the TOML file and in run.json
    settings: type[E]
    record: type[R]
    rows: Mapping[str, type[Any]]  # the types of a trial's rows, by their kind
    key: Sequence[str]  # the fields that identify a cell; see `key_of`
    metrics: Sequence[str]  # the figures of a cell in summary.json to compare runs by; `clicks.p50_s`: of a table
    rising: Collection[str] = ()  # those of them that are better the higher they are; others are better the lower
    theory: Sequence[str] = ()  # the figures and findings of a cell in summary.json that tell what theory predicts
    generator: Literal["iolab", "crowd", "boards"] | None = None  # where the experiment has no choice
    fresh_servers: bool | None = True  # whether each trial has a server of its own; None: where starting one is cheap
    explains_medians: bool = False  # `explain` tells what the median of a cell is made of
    not_resumable: str = ""  # why a run that was interrupted cannot go on

    def models(self, experiment: E, lab: Lab) -> Sequence[Model]:
        """Return the servers of the experiment; raises UsageError if they cannot be measured."""
        return lab.select(experiment.models)

    def check(self, experiment: E, models: Sequence[Model], where: Where) -> None:
        """Raise UsageError for what cannot be measured there, as far as that is known before the folder is created."""

    @abstractmethod
    def plan(self, experiment: E, models: Sequence[Model], history: History[R]) -> Iterator[T]:
        """Yield the trials that are still to be measured; `history` has what is on disk, also in the meantime.

        A trial has the same index in a resumed run, whatever is on disk.
        """

    @abstractmethod
    def count(self, experiment: E, models: Sequence[Model]) -> int:
        """Return how many trials are planned; 0 if that is not known beforehand."""

    def total(self, experiment: E, models: Sequence[Model], number: int) -> int:
        """Return how many trials there are, as is known when trial `number` (from 1) begins; 0 where it is not."""
        count = self.count(experiment, models)
        return max(count, number) if count else 0

    def expected_s(self, experiment: E, models: Sequence[Model]) -> float | None:  # noqa: ARG002 (most need them)
        """Return how long the trials take in theory, the starts of servers left aside; None where nothing is known."""
        return None

    @abstractmethod
    def describe(self, trial: T) -> str:
        """Return a trial's name, shown while it is measured."""

    @abstractmethod
    def run(self, experiment: E, trial: T, bench: Bench) -> Measured[R]:
        """Measure a trial; a trial that fails is an invalid record. Raises TrialFailed if no other one can run."""

    @abstractmethod
    def line(self, measured: Measured[R]) -> Line:
        """Return what the terminal shows of a trial that has ended."""

    def key_of(self, record: R) -> Mapping[str, Any]:
        """Return a trial's values of the fields that identify its cell."""
        return {name: getattr(record, name) for name in self.key}

    def complete(self, records: Sequence[R]) -> bool:
        """Return whether a run whose plan has ended is complete."""
        return all(record.valid for record in records)

    @abstractmethod
    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run; raises UsageError if its files are damaged."""

    def drawn(self, analysis: Any) -> Document:
        """Return the document of a run: `report` of the package's module `document`, imported only when it is needed.

        It imports the drawing library, which takes half a second.
        """
        package = type(self).__module__.rpartition(".")[0]
        found: Document = import_module(f"{package}.document").report(analysis)
        return found

    def course_answer(self, results: Path, users: int) -> Sequence[str]:  # noqa: ARG002 (most kinds have no answer)
        """Return what the newest run in `results` answers to the course's question about `users` chat users."""
        return ()

    def run_cells(self, folder: RunFolder) -> Sequence[RunCell]:
        """Return the cells of a run as runs are compared; of kinds with rows, with the errors that repeats give."""
        return cells.run_cells(self.report(folder).cells)

    def name_of(self, cell: Mapping[str, Any], left_out: Collection[str] = ()) -> str:
        """Return the name of a cell in a comparison, without the fields of its key that are `left_out`."""
        return cells.name_of(cell, [name for name in self.key if name not in left_out])

    def explain(self, folder: RunFolder, cell: str, cpus: float | None, variant: str | None) -> Show:
        """Return a function that prints all figures of one cell; raises UsageError if there is no such cell."""
        found = self.report(folder).cells
        words = (cell, *([] if cpus is None else [str(cpus)]), *([] if variant is None else [variant]))
        one = cells.find(found, self.key, " ".join(words))
        figures = list(cells.flat(one, self.key))
        return lambda console: terminal.show_cell(
            console, cells.name_of(one, self.key), figures, one.get("findings", ())
        )


AnyKind = Kind[Any, Any, Any]
