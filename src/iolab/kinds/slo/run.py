"""One step of the search for the highest rate of arrivals at which a service-level objective holds."""

import math

from iolab.bench import Bench
from iolab.kind import Measured
from iolab.kinds import arrivals
from iolab.kinds.arrivals import Planned
from iolab.kinds.slo.plan import HIGH, Objective, SloTrial
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.loadgen.openloop import Arrivals
from iolab.theory import queueing

LEAST_S, MOST_S = 10.0, 20.0  # of what is measured in a step
MOST_LEAD_S = 10.0  # of what comes before, and is not: a step begins with an empty queue, which is kind to it
RELAXATIONS = 3.0  # to measure for: what comes within one is correlated


def run(experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
    """Measure a step. A request without an answer breaks the objective; a server that dies leaves the step invalid.

    Raises TrialFailed where the model cannot be calibrated.
    """
    objective, model, cores = experiment.wanted, bench.models[trial.model], bench.plans[experiment.cpus[0]]
    crowd = arrivals.generator(bench, experiment.load, cores)
    known = trial.calibration or arrivals.calibrated(bench, crowd, model, cores, experiment.server)
    capacity_rps = model.workers / known.service_s
    rate_rps = trial.rate_rps or min(HIGH * capacity_rps, experiment.load.most_rps(cores))
    lead_s, plan_s = times(objective, rate_rps, known.service_s, model.workers)
    planned = Planned(
        index=trial.index,
        model=model,
        cores=cores,
        variant="",
        settings=experiment.server,
        utilisation=rate_rps / capacity_rps if math.isfinite(capacity_rps) else None,
        arrivals=Arrivals("poisson", rate_rps, plan_s, trial.seed),
        calibration=known,
    )
    result = arrivals.send(bench, crowd, planned)
    value_s = objective.value_s([each for each in result.load.samples if each.planned_s >= lead_s])
    holds = result.failure is None and value_s is not None and value_s < objective.limit_s
    facts = {"lead_s": lead_s, "value_s": value_s, "holds": holds}
    return arrivals.record(SloRecord, planned, result, result.failure, facts)


def times(objective: Objective, rate_rps: float, service_s: float, workers: float) -> tuple[float, float]:
    """Return how long a step comes to its steady state, and how long it takes with what is measured."""
    forgets_s = queueing.relaxation_s(rate_rps, service_s, workers)
    lead_s = min(MOST_LEAD_S, forgets_s)
    measured_s = max(LEAST_S, min(MOST_S, RELAXATIONS * forgets_s), objective.least_requests() / rate_rps)
    return lead_s, lead_s + measured_s
