"""What `make theory` computes: a closed loop, an open loop, an objective. Pure functions; times are in ms."""

import math
from dataclasses import dataclass

from iolab.theory.capacity import Bound, Distribution, queue
from iolab.theory.closed_loop import closed_loop


@dataclass(frozen=True)
class Server:
    """`workers` (may be infinite) of a mean service time of `service_ms`, constant or exponential."""

    service_ms: float
    workers: float
    wait_distribution: Distribution

    @property
    def unstable_at_rps(self) -> float:
        """The rate from which on the queue of an open loop grows without bound; infinite for any number of workers."""
        return self.workers / self.service_ms * 1000

    def utilisation(self, rate_rps: float) -> float:
        """Return the utilisation at a rate, computed as that of the queue; it has a steady state if it is below 1."""
        return rate_rps * (self.service_ms / 1000) / self.workers

    def queue_name(self) -> str:
        """Return Kendall's name of its open loop, such as M/D/1."""
        letter = "D" if self.wait_distribution == "constant" else "M"
        return f"M/{letter}/{'inf' if math.isinf(self.workers) else int(self.workers)}"


@dataclass(frozen=True)
class Closed:
    """Users without think time; `mean_ms` is the mean response time, `mean_queue_length` of requests that wait.

    `utilisation` is None for any number of workers.
    """

    users: int
    throughput_rps: float
    mean_ms: float
    utilisation: float | None
    mean_queue_length: float


@dataclass(frozen=True)
class Open:
    """Poisson arrivals; mean and percentiles are of the response time, `waits` is the share of requests that wait.

    `utilisation` and `unstable_at_rps` are None for any number of workers.
    """

    queue: str
    rate_rps: float
    utilisation: float | None
    unstable_at_rps: float | None
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p99_9_ms: float
    mean_wait_ms: float
    waits: float
    mean_queue_length: float
    mean_in_system: float


@dataclass(frozen=True)
class ObjectiveResult:
    """An objective holds below `highest_rps`, at `utilisation` (both None: at any rate, for any number of workers).

    `holds`, `value_ms` and `workers_needed` are of the rate that was given, None without one; `workers_needed` is also
    None where MOST_WORKERS are too few.
    """

    objective: str
    highest_rps: float | None
    utilisation: float | None
    value_ms: float | None
    holds: bool | None
    workers_needed: int | None


def closed(server: Server, users: int) -> Closed:
    """Return the closed loop, which is exact for any distribution of the service time.

    With N users and c workers, min(N, c) workers are busy at all times, because each user has a request under way: so
    the throughput is min(N, c) / S, and by Little's law the mean response time is N / throughput.
    Source: Kleinrock, Queueing Systems, Volume 2 (1976), section 4.12, with a think time of 0.
    """
    found = closed_loop(users, server.workers, server.service_ms / 1000)
    busy = min(users, server.workers)
    share = None if math.isinf(server.workers) else busy / server.workers
    return Closed(users, found.throughput_rps, found.latency_s * 1000, share, users - busy)


def open_loop(server: Server, rate_rps: float) -> Open:
    """Return the open loop; raises ValueError if its utilisation is not below 1."""
    found = queue(server.wait_distribution, rate_rps, server.service_ms / 1000, server.workers)
    finite = math.isfinite(server.workers)
    p50_ms, p95_ms, p99_ms, p99_9_ms = (found.quantile_s(each) * 1000 for each in (0.5, 0.95, 0.99, 0.999))
    return Open(
        queue=server.queue_name(),
        rate_rps=rate_rps,
        utilisation=found.utilisation if finite else None,
        unstable_at_rps=server.unstable_at_rps if finite else None,
        mean_ms=found.mean_s * 1000,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        p99_9_ms=p99_9_ms,
        mean_wait_ms=found.mean_wait_s * 1000,
        waits=found.beyond(0.0),
        mean_queue_length=rate_rps * found.mean_wait_s,
        mean_in_system=rate_rps * found.mean_s,
    )


def objective_result(server: Server, text: str, bound: Bound, rate_rps: float | None) -> ObjectiveResult:
    """Return up to which rate a bound holds, and what a rate needs; raises ValueError if no rate keeps the bound."""
    bound.check()
    highest_rps = bound.highest_rps(server.workers)
    if not highest_rps:
        least_ms = bound.least_s * 1000
        raise ValueError(f"without any queue it is {least_ms:.4g} ms, and a rate so low cannot be computed")
    anything = math.isinf(highest_rps)
    value_s = None if rate_rps is None else bound.value_s(rate_rps, server.workers)
    return ObjectiveResult(
        objective=text,
        highest_rps=None if anything else highest_rps,
        utilisation=None if anything else highest_rps / server.unstable_at_rps,
        value_ms=None if value_s is None else value_s * 1000,
        holds=None if value_s is None else value_s < bound.limit_s,
        workers_needed=None if rate_rps is None else bound.least_workers(rate_rps),
    )
