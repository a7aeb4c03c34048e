"""The search for the highest rate as a kind of experiment."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from iolab.bench import Bench
from iolab.kind import History, Kind, Line, Measured, Report
from iolab.kinds import arrivals
from iolab.kinds.slo import run
from iolab.kinds.slo.plan import BISECTIONS, ENDS, Objective, SloTrial, next_trial
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.lab import Lab, Model
from iolab.report import numbers
from iolab.results.folder import RunFolder
from iolab.results.samples import OpenSample


class Slo(Kind[SloExperiment, SloTrial, SloRecord]):
    """The highest rate of arrivals at which an objective holds, by bisection, of each model."""

    name = "slo"
    settings = SloExperiment
    record = SloRecord
    rows = MappingProxyType({"requests": OpenSample})
    key = ("model", "service")
    metrics = ("highest_rps",)
    rising = ("highest_rps",)
    theory = ("theory_rps",)
    generator = "iolab"
    fresh_servers = False

    def models(self, experiment: SloExperiment, lab: Lab) -> Sequence[Model]:
        """Return the servers; raises UsageError if the objective cannot be read, or no rate can meet it."""
        Objective.parse(experiment.objective).check(experiment.server)
        return lab.select(experiment.models)

    def plan(
        self, experiment: SloExperiment, models: Sequence[Model], history: History[SloRecord]
    ) -> Iterator[SloTrial]:
        """Yield the next trial of a model until its search has ended, and go on with the next model."""
        for number, model in enumerate(models):
            while trial := next_trial(model.letter, history.records, experiment.seed, number * (ENDS + BISECTIONS)):
                yield trial

    def count(self, experiment: SloExperiment, models: Sequence[Model]) -> int:
        """Return 0: the number of trials is not known beforehand."""
        del experiment, models
        return 0

    def expected_s(self, experiment: SloExperiment, models: Sequence[Model]) -> float:
        """Return about how long the searches take."""
        return run.expected_s(experiment, models)

    def describe(self, trial: SloTrial) -> str:
        """Return a trial's name, shown while it is measured."""
        return trial.title

    def run(self, experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[SloRecord]) -> Line:
        """Return the response times, the value of the objective, and whether it holds."""
        line, record = arrivals.line(measured), measured.record
        if not record.valid:
            return line
        figure, _, bound = record.objective.partition("<")
        value = "not known" if record.value_s is None else numbers.latency(record.value_s)
        return Line(f"{line.text}   {figure} {value:>8}, {'is' if record.holds else 'is not'} below {bound}")

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.slo import analysis, summary  # noqa: PLC0415 (they need numpy)

        analysed = analysis.analyse(folder)
        return Report(summary.objects(analysed), lambda: self.drawn(analysed), {"objective": analysed.objective.text})


KIND = Slo()
