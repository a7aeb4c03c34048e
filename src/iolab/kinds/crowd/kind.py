"""Crowds as a kind of experiment."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from iolab.bench import Bench
from iolab.chat.entries import Entry
from iolab.chat.servers import room
from iolab.host import limits
from iolab.kind import History, Kind, Line, Measured, Report, Where
from iolab.kinds.crowd import run
from iolab.kinds.crowd.plan import CrowdTrial, chats, trials, wanted
from iolab.kinds.crowd.records import Click, CrowdRecord
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.lab import Lab, Model
from iolab.report import numbers
from iolab.results.folder import RunFolder


class Crowds(Kind[CrowdExperiment, CrowdTrial, CrowdRecord]):
    """Numbers of users that connect to a chat server, stay, and now and then click."""

    name = "crowd"
    settings = CrowdExperiment
    record = CrowdRecord
    rows = MappingProxyType({"users": Entry, "clicks": Click})
    key = ("model", "transport", "form", "asked", "processes")
    metrics = ("held", "click_p50_ms", "click_p99_ms", "server_bytes_per_user", "idle_share")
    rising = ("held", "idle_share")
    generator = "crowd"

    def models(self, experiment: CrowdExperiment, lab: Lab) -> Sequence[Model]:
        """Return the models with a chat server of the wanted transports; raises UsageError if there are none."""
        found = chats(experiment, lab.select(experiment.models))
        return list({chat.model.letter: chat.model for chat in found}.values())

    def check(self, experiment: CrowdExperiment, models: Sequence[Model], where: Where) -> None:
        """Raise UsageError if no user can connect to one of the servers."""
        facts = limits.read()
        for chat in chats(experiment, models):
            room(chat, min(wanted(experiment)), facts, docker=where.runtime == "docker")

    def plan(
        self, experiment: CrowdExperiment, models: Sequence[Model], history: History[CrowdRecord]
    ) -> Iterator[CrowdTrial]:
        """Yield the trials of one chat server after another, with increasing numbers of users."""
        docker = history.run.runtime == "docker"
        return trials(experiment, models, history.records, limits.read(), docker=docker)

    def count(self, experiment: CrowdExperiment, models: Sequence[Model]) -> int:
        """Return how many trials there are; 0 with `most`, because it is not known whether that is tried."""
        return 0 if experiment.crowd.most else len(chats(experiment, models)) * len(wanted(experiment))

    def expected_s(self, experiment: CrowdExperiment, models: Sequence[Model]) -> float:
        """Return how long the users that the machine allows take to connect, and are quiet and busy."""
        crowd, facts = experiment.crowd, limits.read()
        return sum(
            room(chat, asked, facts, docker=False)[0] / crowd.connect_rps + crowd.quiet_s + crowd.busy_s
            for chat in chats(experiment, models)
            for asked in wanted(experiment)
        )

    def describe(self, trial: CrowdTrial) -> str:
        """Return a trial's name, shown while it is measured."""
        return f"{trial.chat.title}: {numbers.users(trial.users)}"

    def run(self, experiment: CrowdExperiment, trial: CrowdTrial, bench: Bench) -> Measured[CrowdRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[CrowdRecord]) -> Line:
        """Return how many users a trial held, and the median of their clicks."""
        record = measured.record
        times_s = [
            click.answered_s - click.planned_s
            for click in measured.rows["clicks"]
            if isinstance(click, Click) and click.answered_s is not None
        ]
        clicks = "no click answered"
        if times_s:
            clicks = f"median click {numbers.median(times_s):>8}"
        text = f"held {record.held:>7,}   {clicks}" if record.valid else f"invalid: {record.reason}"
        server = record.transport if record.form == "usual" else f"{record.transport}, {record.form}"
        return Line(
            f"{record.model} {server:<9} {record.users:>7,} users   {text}",
            "red" if not record.valid else "yellow" if record.held < record.users else None,
            record.capped,
        )

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.crowd.analysis import analyse, objects  # noqa: PLC0415 (not for measuring)

        analysis = analyse(folder)
        return Report(objects(analysis), lambda: self.drawn(analysis))

    def course_answer(self, results: Path, users: int) -> Sequence[str]:
        """Return what the newest crowd in `results` answers to the course's question about `users` chat users."""
        from iolab.kinds.crowd import course  # noqa: PLC0415 (not for measuring)

        return course.answer(results, users)


KIND = Crowds()
