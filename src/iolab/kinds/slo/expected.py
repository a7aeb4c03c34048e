"""How long a search is likely to take: the same search, with verdicts that an ideal queue would most likely give."""

import math
from collections.abc import Sequence

from iolab.kinds.arrivals import calibration_s
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.plan import FIRST, NO_QUEUE_RPS, spans_s
from iolab.kinds.slo.run import times
from iolab.kinds.slo.search import Range, Step, Verdict, next_rate
from iolab.kinds.slo.settings import SloExperiment
from iolab.lab import Model
from iolab.theory import correlation, order_statistics, queueing
from iolab.theory.capacity import queue
from iolab.theory.queueing import ExponentialService, Queue

NO_QUEUE_MOST_RPS = 7000.0  # about where servers without a queue end on one core, in the figures of docs/queueing.md


def expected_s(experiment: SloExperiment, models: Sequence[Model]) -> float:
    """Return about how long the searches of all models take."""
    service_s = experiment.server.service_ms / 1000
    return sum(
        calibration_s(service_s, model.places)
        + rest_s(experiment, model.places, service_s, _range(service_s, model.places), [])
        for model in models
    )


def rest_s(experiment: SloExperiment, workers: float, service_s: float, limits: Range, steps: Sequence[Step]) -> float:
    """Return how long a model's search is likely to take after these steps."""
    found, total_s = list(steps), 0.0
    while (rate_rps := next_rate(found, limits, experiment.search.within)) is not None:
        verdict, took_s = _likely(experiment, rate_rps, service_s, workers)
        found.append(Step(rate_rps, verdict))
        total_s += took_s
    return total_s


def _range(service_s: float, workers: float) -> Range:
    capacity_rps = workers / service_s
    return Range(min(FIRST * capacity_rps, NO_QUEUE_RPS), math.inf, capacity_rps)


def _likely(experiment: SloExperiment, rate_rps: float, service_s: float, workers: float) -> tuple[Verdict, float]:
    """Return the likely verdict at a rate, and how long it takes."""
    search, objective, server = experiment.search, experiment.wanted, experiment.server
    if math.isinf(workers):
        lasts_s = times(search, rate_rps, service_s, workers, 0)[1]
        return ("holds" if rate_rps < NO_QUEUE_MOST_RPS else "fails"), lasts_s
    found = queue(server.wait_distribution, rate_rps, service_s, workers)
    took_s = measured_s = 0.0
    for look, span_s in enumerate(spans_s(search)):
        took_s += times(search, rate_rps, service_s, workers, look)[1]
        measured_s += span_s
        now, hoped = (_verdict(objective, found, each) for each in (measured_s, search.most_s))
        if now != "undecided" or hoped == "undecided":
            return now, took_s
    return "undecided", took_s


def _verdict(objective: Objective, found: Queue, measured_s: float) -> Verdict:
    """Return the verdict if response times are exactly as in theory; one relaxation time's requests count as one."""
    relaxation_s = queueing.relaxation_s(found.rate_rps, found.service_s, found.workers)
    alike = 1 + found.rate_rps * relaxation_s / (1 if isinstance(found, ExponentialService) else 2)
    independent = int(found.rate_rps * measured_s / alike)
    if objective.quantile is None:
        spread = math.exp(2 / math.sqrt(max(independent, 1)))
        enough = independent >= correlation.LEAST_OF_A_MEAN
        low: bool = enough and found.mean_s / spread >= objective.limit_s
        high: bool = enough and found.mean_s * spread < objective.limit_s
    else:
        ranks = order_statistics.sides(max(independent, 1), objective.quantile)
        within = independent * (1 - _later(found, objective.limit_s))
        low = ranks[0] is not None and ranks[0] > within
        high = ranks[1] is not None and ranks[1] <= within
    return "fails" if low else "holds" if high else "undecided"


def _later(found: Queue, time_s: float) -> float:
    """Return the probability that a response takes longer."""
    if isinstance(found, ExponentialService):
        return found.later(time_s)
    return found.beyond(time_s - found.service_s) if time_s > found.service_s else 1.0
