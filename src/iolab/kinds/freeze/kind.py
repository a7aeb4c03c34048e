"""A frozen server as a kind of experiment."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from iolab.bench import Bench
from iolab.errors import UsageError
from iolab.kind import History, Kind, Line, Measured, Report
from iolab.kinds.freeze import run
from iolab.kinds.freeze.records import NAMES, FreezeRecord
from iolab.kinds.freeze.run import Trial
from iolab.kinds.freeze.settings import FreezeExperiment
from iolab.lab import Lab, Model
from iolab.report import numbers
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample


class FreezeKind(Kind[FreezeExperiment, Trial, FreezeRecord]):
    """One freeze, measured by a closed loop and by planned arrivals."""

    name = "freeze"
    settings = FreezeExperiment
    record = FreezeRecord
    rows = MappingProxyType({"requests": Sample})
    key = ("name",)
    generator = "iolab"
    metrics = ("p50", "p90", "p99", "slowest", "later_than_100_ms")

    def models(self, experiment: FreezeExperiment, lab: Lab) -> Sequence[Model]:
        """Return the one server; raises UsageError if there are several."""
        models = lab.select(experiment.models)
        if len(models) != 1:
            raise UsageError(f"MODELS={','.join(experiment.models)}: one server at a time can be frozen: name one")
        return models

    def plan(
        self, experiment: FreezeExperiment, models: Sequence[Model], history: History[FreezeRecord]
    ) -> Iterator[Trial]:
        """Yield the closed loop and the planned arrivals."""
        (model,) = history.run.models
        at_once = history.run.at_once(model)
        return history.missing(Trial(index, name, at_once) for index, name in enumerate(NAMES))

    def count(self, experiment: FreezeExperiment, models: Sequence[Model]) -> int:
        """Return how many ways of measuring there are."""
        return len(NAMES)

    def expected_s(self, experiment: FreezeExperiment, models: Sequence[Model]) -> float:
        """Return how long both loads last."""
        return len(NAMES) * experiment.freeze.run_s

    def describe(self, trial: Trial) -> str:
        """Return a trial's name, shown while it is measured."""
        return trial.name

    def run(self, experiment: FreezeExperiment, trial: Trial, bench: Bench) -> Measured[FreezeRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[FreezeRecord]) -> Line:
        """Return how many requests were late, and the slowest."""
        from iolab.kinds.freeze.cells import Standstill, percent  # noqa: PLC0415 (numpy)

        record = measured.record
        place = f"{record.name:<11}"
        if not record.valid:
            return Line(f"{place} invalid: {record.reason}", "red")
        samples = [row for row in measured.rows.get("requests", ()) if isinstance(row, Sample)]
        counted = Standstill(record.name, samples)
        slowest = numbers.milliseconds(counted.percentiles_ms()["slowest"])
        return Line(
            f"{place} {len(samples)} requests   {percent(counted.late())} later than 100 ms   slowest {slowest}"
        )

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.freeze import cells  # noqa: PLC0415 (numpy)

        analysis = cells.analyse(folder)
        return Report(analysis.cells, lambda: self.drawn(analysis))


KIND = FreezeKind()
