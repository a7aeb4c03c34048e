"""One trial of the search for the highest rate of arrivals at which a service-level objective holds."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from iolab.bench import Bench
from iolab.kind import Measured
from iolab.kinds import arrivals
from iolab.kinds.arrivals import Planned
from iolab.kinds.slo.judgement import judge
from iolab.kinds.slo.plan import SloTrial, first_rps, longest_lead_s, most_rps, spans_s
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import Search, SloExperiment
from iolab.kinds.slo.steps import LOOKS, disturbances
from iolab.loadgen.openloop import Arrivals
from iolab.results.samples import OpenSample
from iolab.theory import queueing
from iolab.theory.statistics import Array

ENOUGH = 200_000  # requests of a trial: more of them would not make an interval narrower that matters
NOT_OF_THE_SERVER = ("no connection", "not sent")


def run(experiment: SloExperiment, trial: SloTrial, bench: Bench) -> Measured[SloRecord]:
    """Measure a trial. A request without an answer breaks the objective; if the server dies, the trial is invalid.

    Raises TrialFailed if the model cannot be calibrated, and UsageError if no rate can meet the objective.
    """
    objective, model, cores = experiment.wanted, bench.models[trial.model], bench.plans[experiment.cpus[0]]
    client = arrivals.generator(bench, experiment.load, cores)
    calibration = trial.calibration or arrivals.calibrated(bench, client, model, cores, experiment.server)
    objective.check_measured(model.letter, calibration.service_s + calibration.transit_s, experiment.server)
    highest_rps = min(experiment.load.most_rps(cores), most_rps(experiment.search, model.places))
    rate_rps = trial.rate_rps or first_rps(calibration, model.places, highest_rps)
    lead_s, plan_s = times(experiment.search, rate_rps, calibration.service_s, model.places, len(trial.earlier))
    capacity_rps = model.places / calibration.service_s
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
    samples = [(lead_s, result.load.samples)]
    if not result.failure:
        samples += [(each.lead_s, bench.read_rows(each.rows, "requests", OpenSample)) for each in trial.earlier]
    planned_s, sent_s, lost = zip(*(series(*each) for each in samples), strict=True)
    measured_s = sum(record.plan_s - record.lead_s for record in trial.earlier) + plan_s - lead_s
    is_last = len(trial.earlier) + 1 >= LOOKS
    most_s = measured_s if is_last else max(measured_s, experiment.search.most_s)
    facts = {
        "objective": objective.text,
        "lead_s": lead_s,
        "highest_rps": highest_rps,
        "late_p99_s": arrivals.late_p99_s(result.load.samples),
        "unanswered": sum(lost),
        **asdict(judge(objective, planned_s, sent_s, most_s / measured_s)),
    }
    measured = arrivals.record(SloRecord, planned, result, result.failure, facts)
    if trial.run is None:
        return measured
    why = disturbances(trial.run, measured.record, objective.limit_s)
    record = measured.record.model_copy(update={"disturbance": why[0].message if why else ""})
    return replace(measured, record=record)


def series(lead_s: float, samples: Sequence[OpenSample]) -> tuple[Array, Array, int]:
    """Return response times of a trial from planned and from actual sending, and how many the server left unanswered.

    Requests that were planned before `lead_s` are left out.
    """
    counted = [each for each in samples if each.planned_s >= lead_s]
    answered = [each for each in counted if each.status == 200]
    lost = sum(each.status != 200 and each.failure not in NOT_OF_THE_SERVER for each in counted)
    planned = np.array([each.done_s - each.planned_s for each in answered])
    return planned, np.array([each.done_s - each.sent_s for each in answered]), lost


def times(search: Search, rate_rps: float, service_s: float, workers: float, looks: int) -> tuple[float, float]:
    """Return how long a trial takes to reach its steady state, and how long it takes with what is measured.

    `looks` undisturbed trials were at this rate before. The first part is the relaxation time of the queue.
    """
    spans = spans_s(search)
    lead_s = longest_lead_s(search, workers)
    if math.isfinite(workers):
        lead_s = min(lead_s, queueing.relaxation_s(rate_rps, service_s, workers))
    enough_s = max(search.least_s, ENOUGH / rate_rps)
    return lead_s, lead_s + min(spans[min(looks, len(spans) - 1)], enough_s)
