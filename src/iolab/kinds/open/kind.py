"""The open loop as a kind of experiment."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from iolab.bench import Bench
from iolab.errors import UsageError
from iolab.kind import History, Kind, Line, Measured, Report, Where
from iolab.kinds import arrivals
from iolab.kinds.arrival_records import OpenRecord
from iolab.kinds.open import plan as openplan
from iolab.kinds.open import run
from iolab.kinds.open.plan import OpenTrial
from iolab.kinds.open.settings import OpenExperiment
from iolab.lab import Lab, Model
from iolab.results.folder import RunFolder
from iolab.results.samples import OpenSample


class Open(Kind[OpenExperiment, OpenTrial, OpenRecord]):
    """Requests that are sent at planned moments, whether or not the servers keep up."""

    name = "open"
    settings = OpenExperiment
    record = OpenRecord
    rows = MappingProxyType({"requests": OpenSample})
    key = ("model", "service", "variant", "process", "planned_utilisation", "utilisation_of")
    metrics = ("mean_ms", "p50_ms", "p95_ms", "p99_ms")
    theory = ("same_trace", "m_d_c", "m_m_c", "simulated_plans", "needed_s", "off_the_trace", "short_plan")
    generator = "iolab"
    fresh_servers = False

    def models(self, experiment: OpenExperiment, lab: Lab) -> Sequence[Model]:
        """Return the servers; raises UsageError if no server has a utilisation, or the trace cannot be used."""
        if len(experiment.downstreams) > 1:
            raise UsageError("[[vary]] downstream: a queue is calibrated once: run make queue for each DOWNSTREAM=")
        openplan.check_letters(experiment.arrivals, lab.measured)
        chosen = lab.select(experiment.models)
        openplan.shares(experiment.arrivals, chosen)
        openplan.moments(experiment.arrivals, 1.0, experiment.arrivals.duration_s)
        return chosen

    def check(self, experiment: OpenExperiment, models: Sequence[Model], where: Where) -> None:
        """Raise UsageError if a rate is too high for any result of the calibration."""
        openplan.check_highest(experiment, models, experiment.load.most_rps(where.plans[experiment.cpus[0]]))

    def plan(
        self, experiment: OpenExperiment, models: Sequence[Model], history: History[OpenRecord]
    ) -> Iterator[OpenTrial]:
        """Yield the plans that are not on disk, with the calibrations on disk."""
        for trial in history.missing(chain.from_iterable(openplan.blocks(experiment, models))):
            yield replace(trial, calibrations=openplan.calibrations(history.records))

    def count(self, experiment: OpenExperiment, models: Sequence[Model]) -> int:
        """Return how many plans there are."""
        return sum(len(block) for block in openplan.blocks(experiment, models))

    def expected_s(self, experiment: OpenExperiment, models: Sequence[Model]) -> float:
        """Return how long all plans are, and the calibrations of the models."""
        service_s = experiment.server.service_ms / 1000
        plans_s = sum(trial.plan_s for block in openplan.blocks(experiment, models) for trial in block)
        return plans_s + sum(arrivals.calibration_s(service_s, model.places) for model in models)

    def describe(self, trial: OpenTrial) -> str:
        """Return a plan's name, shown while it is measured."""
        return trial.title

    def run(self, experiment: OpenExperiment, trial: OpenTrial, bench: Bench) -> Measured[OpenRecord]:
        """Measure a plan."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[OpenRecord]) -> Line:
        """Return the mean and the slowest response time."""
        return arrivals.line(measured)

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.open import analysis, summary  # noqa: PLC0415 (they simulate)

        analysed = analysis.analyse(folder)
        return Report(summary.objects(analysed), lambda: self.drawn(analysed))


KIND = Open()
