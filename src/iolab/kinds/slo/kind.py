"""The search for the highest rate as a kind of experiment."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from iolab.bench import Bench
from iolab.errors import UsageError
from iolab.kind import History, Kind, Line, Measured, Report
from iolab.kinds.slo import expected, run
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.plan import MOST_TRIALS, SloTrial, limits, next_trial
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.kinds.slo.steps import tried
from iolab.kinds.slo.words import line
from iolab.lab import Lab, Model
from iolab.results.folder import RunFolder
from iolab.results.samples import OpenSample


class Slo(Kind[SloExperiment, SloTrial, SloRecord]):
    """Between which rates of arrivals an objective breaks, by steps that are decided by intervals, of each model."""

    name = "slo"
    settings = SloExperiment
    record = SloRecord
    rows = MappingProxyType({"requests": OpenSample})
    key = ("model", "service")
    metrics = ("holds_rps", "fails_rps")
    rising = ("holds_rps", "fails_rps")
    theory = ("theory_rps",)
    generator = "iolab"
    fresh_servers = False

    def models(self, experiment: SloExperiment, lab: Lab) -> Sequence[Model]:
        """Return the servers; raises UsageError if the objective cannot be read, or no rate can meet it."""
        Objective.parse(experiment.objective).check(experiment.server)
        chosen = lab.select(experiment.models)
        for model in chosen:
            if model.queues(reuseport=experiment.server.reuseport) > 1:
                raise UsageError(f"REUSEPORT=1: theory has one queue here; use make queue MODELS={model.letter}")
        return chosen

    def plan(
        self, experiment: SloExperiment, models: Sequence[Model], history: History[SloRecord]
    ) -> Iterator[SloTrial]:
        """Yield the next trial of a model until its search has ended, and go on with the next model."""
        for number, model in enumerate(models):
            first = number * MOST_TRIALS
            while trial := next_trial(experiment, model, history.run, history.records, first):
                yield replace(trial, left_s=_left_s(experiment, model, history), run=history.run)

    def count(self, experiment: SloExperiment, models: Sequence[Model]) -> int:
        """Return 0: the number of trials is not known beforehand."""
        del experiment, models
        return 0

    def expected_s(self, experiment: SloExperiment, models: Sequence[Model]) -> float:
        """Return about how long the searches take."""
        return expected.expected_s(experiment, models)

    def describe(self, trial: SloTrial) -> str:
        """Return a trial's name, shown while it is measured."""
        return trial.title

    def run(self, experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[SloRecord]) -> Line:
        """Return the rate, the value that decides, its interval, and the verdict."""
        return line(measured.record)

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.slo import analysis, summary  # noqa: PLC0415 (they need numpy)

        analysed = analysis.analyse(folder)
        return Report(summary.objects(analysed), lambda: self.drawn(analysed), {"objective": analysed.objective.text})


def _left_s(experiment: SloExperiment, model: Model, history: History[SloRecord]) -> float | None:
    """Return about how long a model's search still takes; None before it has begun."""
    own = [record for record in history.records if record.model == model.letter]
    if not own:
        return None
    steps = [each.step for each in tried(history.run, own, experiment.wanted) if each.verdict]
    service_s = own[0].calibration.service_s
    return expected.rest_s(experiment, model.places, service_s, limits(own[0], model.places), steps)


KIND = Slo()
