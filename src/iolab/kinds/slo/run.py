"""One trial of the search for the highest rate of arrivals at which a service-level objective holds."""

import math
from collections.abc import Sequence
from functools import partial

from iolab.bench import Bench
from iolab.kind import Measured
from iolab.kinds import arrivals
from iolab.kinds.arrivals import Planned
from iolab.kinds.slo.plan import HIGH, NO_QUEUE_RPS, SloTrial, TriedRate, search
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.lab import Model
from iolab.loadgen.openloop import Arrivals
from iolab.theory import queueing

USUAL = 0.85  # of the highest rate: about where an objective ends to hold
RELAXATIONS = 3.0  # to measure for: what comes within one is correlated


def run(experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
    """Measure a trial. A request without an answer breaks the objective; if the server dies, the trial is invalid.

    Raises TrialFailed if the model cannot be calibrated.
    """
    objective, model, cores = experiment.wanted, bench.models[trial.model], bench.plans[experiment.cpus[0]]
    client = arrivals.generator(bench, experiment.load, cores)
    calibration = trial.calibration or arrivals.calibrated(bench, client, model, cores, experiment.server)
    capacity_rps = model.workers / calibration.service_s
    highest_rps = HIGH * capacity_rps if math.isfinite(capacity_rps) else NO_QUEUE_RPS
    rate_rps = trial.rate_rps or min(highest_rps, experiment.load.most_rps(cores), _most_rps(experiment))
    lead_s, plan_s = times(experiment, rate_rps, calibration.service_s, model.workers)
    planned = Planned(
        index=trial.index,
        model=model,
        cores=cores,
        variant="",
        settings=experiment.server,
        utilisation=rate_rps / capacity_rps if math.isfinite(capacity_rps) else None,
        arrivals=Arrivals("poisson", rate_rps, plan_s, trial.seed),
        calibration=calibration,
    )
    result = arrivals.send(bench, client, planned)
    value_s = objective.value_s([each for each in result.load.samples if each.planned_s >= lead_s])
    holds = result.failure is None and value_s is not None and value_s < objective.limit_s
    facts = {"objective": objective.text, "lead_s": lead_s, "value_s": value_s, "holds": holds}
    return arrivals.record(SloRecord, planned, result, result.failure, facts)


def _most_rps(experiment: SloExperiment) -> float:
    """Return the highest rate of which a run holds the requests of the longest trial."""
    longest_s = experiment.search.lead_s + max(experiment.search.least_s, experiment.search.most_s)
    return arrivals.MOST_REQUESTS / longest_s


def times(experiment: SloExperiment, rate_rps: float, service_s: float, workers: float) -> tuple[float, float]:
    """Return how long a trial takes to reach its steady state, and how long it takes with what is measured."""
    search, forgets_s = experiment.search, queueing.relaxation_s(rate_rps, service_s, workers)
    lead_s = min(search.lead_s, forgets_s)
    long_enough_s = experiment.wanted.least_requests() / rate_rps
    return lead_s, lead_s + max(search.least_s, min(search.most_s, RELAXATIONS * forgets_s), long_enough_s)


def expected_s(experiment: SloExperiment, models: Sequence[Model]) -> float:
    """Return about how long a search takes for each model: that of one whose objective holds up to a usual rate.

    A model without a queue needs one trial where the objective holds at the highest rate.
    """
    service_s, total_s = experiment.server.service_ms / 1000, 0.0
    for model in models:
        total_s += arrivals.calibration_s(service_s, model.workers)
        if math.isinf(model.workers):
            total_s += experiment.search.least_s
            continue
        highest_rps = HIGH * model.workers / service_s
        trials = search(partial(_usual, USUAL * highest_rps), highest_rps)
        total_s += sum(times(experiment, trial.rate_rps, service_s, model.workers)[1] for trial in trials)
    return total_s


def _usual(most_rps: float, rate_rps: float) -> TriedRate:
    return TriedRate(rate_rps, None, rate_rps < most_rps)
