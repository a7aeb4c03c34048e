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

LEAST_S, MOST_S = 10.0, 20.0  # of the measured part of a step
MOST_LEAD_S = 10.0  # of the part before it, in which the queue, empty at the start, reaches its steady state
RELAXATIONS = 3.0  # to measure for: response times within one relaxation time are correlated


def run(experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
    """Measure a step. A request without an answer breaks the objective; if the server dies, the step is invalid.

    Raises TrialFailed if the model cannot be calibrated.
    """
    objective, model, cores = experiment.wanted, bench.models[trial.model], bench.plans[experiment.cpus[0]]
    client = arrivals.generator(bench, experiment.load, cores)
    calibration = trial.calibration or arrivals.calibrated(bench, client, model, cores, experiment.server)
    capacity_rps = model.workers / calibration.service_s
    rate_rps = trial.rate_rps or min(HIGH * capacity_rps, experiment.load.most_rps(cores))
    lead_s, plan_s = times(objective, rate_rps, calibration.service_s, model.workers)
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
    facts = {"lead_s": lead_s, "value_s": value_s, "holds": holds}
    return arrivals.record(SloRecord, planned, result, result.failure, facts)


def times(objective: Objective, rate_rps: float, service_s: float, workers: float) -> tuple[float, float]:
    """Return how long a step needs to reach its steady state, and its whole duration."""
    relaxation_s = queueing.relaxation_s(rate_rps, service_s, workers)
    lead_s = min(MOST_LEAD_S, relaxation_s)
    measured_s = max(LEAST_S, min(MOST_S, RELAXATIONS * relaxation_s), objective.least_requests() / rate_rps)
    return lead_s, lead_s + measured_s
