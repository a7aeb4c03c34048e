"""Faults as a kind of experiment."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from iolab.bench import Bench
from iolab.chat.entries import Entry
from iolab.host import limits
from iolab.kind import History, Kind, Line, Measured, Report, Where
from iolab.kinds.faults import run, words
from iolab.kinds.faults.plan import FAULTS, Trial, chat_server_of, expected_s, room, trials
from iolab.kinds.faults.records import ClickRow, Delivery, Disconnection, FaultRecord
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.lab import Lab, Model
from iolab.results.folder import RunFolder


class FaultsKind(Kind[FaultsExperiment, Trial, FaultRecord]):
    """One server with many connected users, and one fault after another, while users click."""

    name = "faults"
    settings = FaultsExperiment
    record = FaultRecord
    rows = MappingProxyType(
        {"clicks": ClickRow, "users": Entry, "deliveries": Delivery, "disconnections": Disconnection}
    )
    key = ("fault",)
    metrics = (
        *("users", "back", "clicks.answered", "clicks.p50_s", "clicks.p99_s", "clicks.slowest_s"),
        *("figures.median_s", "figures.last_s", "figures.cut_s", "figures.noticed_s", "figures.freed_s"),
    )
    rising = ("users", "back", "clicks.answered")
    generator = "crowd"
    fresh_servers = False
    not_resumable = "the users that all faults shared are disconnected"

    def models(self, experiment: FaultsExperiment, lab: Lab) -> Sequence[Model]:
        """Return the one server; raises UsageError if there are more, or it cannot hold many users."""
        found = lab.select(experiment.models)
        chat_server_of(experiment, found)
        return found

    def check(self, experiment: FaultsExperiment, models: Sequence[Model], where: Where) -> None:
        """Raise UsageError if no user can connect."""
        room(experiment, chat_server_of(experiment, models), limits.read(), docker=where.runtime == "docker")

    def plan(
        self, experiment: FaultsExperiment, models: Sequence[Model], history: History[FaultRecord]
    ) -> Iterator[Trial]:
        """Yield the faults, until one cannot be measured."""
        docker = history.run.runtime == "docker"
        return trials(experiment, chat_server_of(experiment, models), history.records, limits.read(), docker=docker)

    def count(self, experiment: FaultsExperiment, models: Sequence[Model]) -> int:
        """Return how many faults there are."""
        return len(FAULTS)

    def expected_s(self, experiment: FaultsExperiment, models: Sequence[Model]) -> float:
        """Return about how long the users take to connect, and each fault until it is over."""
        return expected_s(experiment, chat_server_of(experiment, models))

    def describe(self, trial: Trial) -> str:
        """Return a fault's name, shown while it is measured."""
        return words.name(trial.fault)

    def run(self, experiment: FaultsExperiment, trial: Trial, bench: Bench) -> Measured[FaultRecord]:
        """Cause a fault, and measure its effect."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[FaultRecord]) -> Line:
        """Return the effect of a fault."""
        record = measured.record
        text = f"{words.name(record.fault):<15} {words.sentence(record)}"
        return Line(text, None if record.acknowledged_clicks_safe else "red")

    def complete(self, records: Sequence[FaultRecord]) -> bool:
        """Return whether all faults were measured, and no acknowledged click is lost."""
        return len(records) == len(FAULTS) and all(record.acknowledged_clicks_safe for record in records)

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.faults.analysis import analyse, objects  # noqa: PLC0415 (not for measuring)

        analysis = analyse(folder)
        return Report(objects(analysis), lambda: self.drawn(analysis))


KIND = FaultsKind()
