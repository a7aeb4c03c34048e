"""Work that blocks an event loop, as a kind of experiment."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from iolab.bench import Bench
from iolab.kind import History, Kind, Line, Measured, Report
from iolab.kinds.breaking import run
from iolab.kinds.breaking.plan import Trial, trial_name, trials
from iolab.kinds.breaking.records import BreakRecord
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.lab import Lab, Model
from iolab.report import numbers
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample


class Break(Kind[BreakExperiment, Trial, BreakRecord]):
    """The same work in the loop, in threads and in processes, and what blocks the loop."""

    name = "break"
    settings = BreakExperiment
    record = BreakRecord
    rows = MappingProxyType({"requests": Sample, "bystander": Sample})
    key = ("name", "service")
    metrics = ("median_ms", "p95_ms", "throughput_rps", "bystander_median_ms", "bystander_slowest_ms")
    rising = ("throughput_rps",)
    theory = ("predicted_mean_ms", "predicted_throughput_rps", "culprit")

    def models(self, experiment: BreakExperiment, lab: Lab) -> Sequence[Model]:
        """Return the servers that the strategies name; raises UsageError if a server does not exist."""
        return run.servers(experiment, lab)

    def plan(
        self, experiment: BreakExperiment, models: Sequence[Model], history: History[BreakRecord]
    ) -> Iterator[Trial]:
        """Yield a load for each strategy, and then a search for the culprit for each that works in the loop."""
        return history.missing(trials(experiment.broken.strategies))

    def count(self, experiment: BreakExperiment, models: Sequence[Model]) -> int:
        """Return how many loads and searches there are."""
        return len(trials(experiment.broken.strategies))

    def expected_s(self, experiment: BreakExperiment, models: Sequence[Model]) -> float:
        """Return how long the loads last, and the requests of the searches."""
        return run.expected_s(experiment)

    def describe(self, trial: Trial) -> str:
        """Return a trial's name, shown while it is measured."""
        return trial.name

    def run(self, experiment: BreakExperiment, trial: Trial, bench: Bench) -> Measured[BreakRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[BreakRecord]) -> Line:
        """Return the median response times of users and bystander, or the culprit."""
        record = measured.record
        place = f"{trial_name(record.strategy, seeks=record.seeks):<36}"
        if not record.valid:
            return Line(f"{place} invalid: {record.reason}", "red")
        if record.culprit:
            named = record.culprit.line or record.culprit.coroutine
            return Line(f"{place} {named.where} {named.what}" if named else f"{place} the log names no code")
        users_s, bystander_s = (_answered_s(measured.rows.get(kind, ())) for kind in ("requests", "bystander"))
        bystander = numbers.latency(statistics.median(bystander_s) if bystander_s else None)
        of = f" of {numbers.counted(len(bystander_s), 'request')}"  # behind a blocked loop there are few
        return Line(f"{place} median {numbers.median(users_s):>8}   bystander {bystander:>8}{of}")

    def key_of(self, record: BreakRecord) -> Mapping[str, Any]:
        """Return the name and the service of a trial's strategy."""
        return {name: getattr(record.strategy, name) for name in self.key}

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.breaking import cells  # noqa: PLC0415 (numpy)

        analysis = cells.analyse(folder)
        return Report(analysis.cells, lambda: self.drawn(analysis))


def _answered_s(rows: Sequence[object]) -> list[float]:
    return [
        row.latency_s for row in rows if isinstance(row, Sample) and row.status == 200 and row.latency_s is not None
    ]


KIND = Break()
