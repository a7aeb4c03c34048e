"""What chance does to a plan: many simulated plans of the same length, each with fresh arrivals.

A plan begins with an empty queue, as a measured one does, so what a short plan is too low is in its range, too.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from iolab.theory.statistics import Array

PLANS, LEAST_PLANS = 2000, 500
MOST_REQUESTS = 3_000_000  # of all plans together: longer plans are fewer
LOOPED_PLANS = 400  # of a queue with several workers and service times that differ: it is simulated request by request
AT_ONCE = 4_000_000  # requests in memory
ALIKE = 0.05  # of their mean: service times that differ by less end in the order in which they began
SHARES = (0.5, 0.95, 0.99)
RANGE = (0.025, 0.975)  # 95% of the plans lie between these


@dataclass(frozen=True)
class Range:
    """Between which values 95% of the simulated plans lie, in seconds; `plans` is how many were simulated."""

    mean_s: tuple[float, float]
    p50_s: tuple[float, float]
    p95_s: tuple[float, float]
    p99_s: tuple[float, float]
    plans: int

    @property
    def half(self) -> float:
        """Half the width of the range of means, as a share of its middle."""
        low_s, high_s = self.mean_s
        return (high_s - low_s) / (high_s + low_s)

    def later(self, by_s: float) -> "Range":
        """Return the range of response times that all take that much longer."""
        mean, p50, p95, p99 = (
            (low + by_s, high + by_s) for low, high in (self.mean_s, self.p50_s, self.p95_s, self.p99_s)
        )
        return Range(mean, p50, p95, p99, self.plans)


class Services:
    """Service times to draw from, in seconds; equal ones are one key of the cache."""

    def __init__(self, values: Array) -> None:
        self.values = values
        self._key = (len(values), float(values.sum()), float((values**2).sum()))

    def __eq__(self, other: object) -> bool:
        """Compare the values by their number, sum and sum of squares."""
        return isinstance(other, Services) and self._key == other._key

    def __hash__(self) -> int:
        """Return the hash of that."""
        return hash(self._key)


@dataclass(frozen=True)
class Plan:
    """Arrivals at a rate, for `plan_s` seconds, at `workers` (may be infinite) with one queue."""

    process: Literal["poisson", "constant"]
    rate_rps: float
    plan_s: float
    workers: float


@lru_cache(maxsize=256)
def simulated(plan: Plan, services: Services, plans: int = PLANS) -> Range | None:
    """Return the range of simulated plans; None if most of them have no request.

    Each request draws its service time from `services`, independently.
    """
    rate_rps, plan_s, workers = plan.rate_rps, plan.plan_s, plan.workers
    draw, expected = np.random.default_rng(0), rate_rps * plan_s
    columns = int(expected + 6 * math.sqrt(expected) + 10)
    plans = min(plans, max(LEAST_PLANS, MOST_REQUESTS // columns))
    if 1 < workers < math.inf and not _alike(services.values):
        plans = min(plans, LOOPED_PLANS)
    found, step = [], max(1, AT_ONCE // columns)
    for first in range(0, plans, step):
        shape = (min(step, plans - first), columns)
        gaps = draw.exponential(1 / rate_rps, shape) if plan.process == "poisson" else np.full(shape, 1 / rate_rps)
        arrivals = np.cumsum(gaps, axis=1)
        drawn = services.values[draw.integers(0, len(services.values), shape)]
        found.append(_figures(np.where(arrivals < plan_s, responses_s(arrivals, drawn, workers), np.nan)))
    figures = np.concatenate(found)
    figures = figures[np.isfinite(figures[:, 0])]
    if len(figures) < plans / 2:
        return None
    ends = np.quantile(figures, RANGE, axis=0).T
    mean, p50, p95, p99 = ((float(low), float(high)) for low, high in ends)
    return Range(mean, p50, p95, p99, len(figures))


def _figures(responses: Array) -> Array:
    """Return mean, p50, p95 and p99 of each row, without its NaN; NaN where there is nothing else."""
    counts = np.isfinite(responses).sum(axis=1)
    ordered = np.sort(responses, axis=1)  # NaN is last
    means = np.nansum(responses, axis=1) / np.where(counts, counts, np.nan)
    return np.stack([means, *(_quantiles(ordered, np.maximum(counts, 1), share) for share in SHARES)], axis=1)


def _quantiles(ordered: Array, counts: NDArray[np.int64], share: float) -> Array:
    """Return a quantile of the first `counts` values of each row, interpolated as numpy's quantile does."""
    places = (counts - 1) * share
    low = np.floor(places).astype(np.int64)
    rows, high = np.arange(len(counts)), np.minimum(low + 1, counts - 1)
    found: Array = ordered[rows, low] + (ordered[rows, high] - ordered[rows, low]) * (places - low)
    return found


def responses_s(arrivals: Array, services: Array, workers: float) -> Array:
    """Return the response times of many plans at once, a row for each; first come, first served.

    They are those of `queueing.many_servers` of each row; if all service times are nearly the same, requests are dealt
    out to the workers in turn, which is the same queue for constant ones.
    """
    if math.isinf(workers):
        return services
    if workers == 1:
        ends = np.cumsum(services, axis=1)
        finished: Array = ends + np.maximum.accumulate(arrivals - ends + services, axis=1) - arrivals
        return finished
    if _alike(services):
        found, turns = np.empty_like(arrivals), int(workers)
        for turn in range(turns):
            found[:, turn::turns] = responses_s(arrivals[:, turn::turns], services[:, turn::turns], 1)
        return found
    return _request_by_request(arrivals, services, int(workers))


def _alike(services: Array) -> bool:
    return float(services.max() - services.min()) < ALIKE * float(services.mean())


def _request_by_request(arrivals: Array, services: Array, workers: int) -> Array:
    """Return the response times where each request gets the worker that is free first, of all plans at once."""
    arrived, lasting = np.ascontiguousarray(arrivals.T), np.ascontiguousarray(services.T)
    found, rows = np.empty_like(arrived), np.arange(len(arrivals))
    free_s = np.zeros((len(arrivals), workers))
    for index, arrival in enumerate(arrived):
        first = free_s.argmin(axis=1)
        done = np.maximum(arrival, free_s[rows, first]) + lasting[index]
        free_s[rows, first] = done
        found[index] = done - arrival
    return found.T
