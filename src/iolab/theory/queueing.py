"""Queueing theory of the open loop: arrivals do not depend on how fast the server is.

Pure functions, each with its source. Times are in seconds, rates per second; a response time is waiting time plus
service time.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iolab.theory.statistics import Array

CUSTOMERS, BATCHES = 2_000_000, 20


@dataclass(frozen=True)
class ResponseTime:
    """Mean and percentiles of response times; `error` is the relative standard error of the mean, 0 if exact."""

    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    error: float = 0.0


def utilisation(arrivals_rps: float, service_s: float, servers: float) -> float:
    """Return rho, the share of the time that a server is busy. Raises ValueError if it is not below 1."""
    rho = arrivals_rps * service_s / servers
    if not 0 <= rho < 1:
        raise ValueError(f"utilisation {rho:g}: it must be below 1, or the queue grows without bound")
    return rho


def erlang_c(arrivals_rps: float, service_s: float, servers: int) -> float:
    """Return the probability that an arrival in an M/M/c queue has to wait.

    Source: Kleinrock, Queueing Systems, Volume 1 (1975), equation 3.40; the recursion is that of Erlang's B formula,
    as in Cooper, Introduction to Queueing Theory (1981), section 3.3.
    """
    rho = utilisation(arrivals_rps, service_s, servers)
    load, blocked = arrivals_rps * service_s, 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked / (1 - rho * (1 - blocked))


def relaxation_s(arrivals_rps: float, service_s: float, servers: float) -> float:
    """Return the relaxation time, in which a queue loses the memory of its start.

    It is that of an M/M/1 queue as fast as all servers together; with constant service it is about half. It is 0 for an
    infinite number of servers.
    Source: Cohen, The Single Server Queue (1982), section III.7.3.
    """
    if math.isinf(servers):
        return 0.0
    rho = utilisation(arrivals_rps, service_s, servers)
    return service_s / servers / (1 - math.sqrt(rho)) ** 2


def mmc(arrivals_rps: float, service_s: float, servers: int) -> ResponseTime:
    """Return an M/M/c queue's response times: Poisson arrivals, exponential service, first come, first served.

    Mean: S + C S / (c (1 - rho)) with Erlang's C. An arrival waits with probability C, and then for an exponential
    time of rate a = c/S - lambda; the sum with its service has a closed form, whose percentiles are found by bisection.
    Source: Kleinrock (1975), section 3.5; Gross, Harris, Fundamentals of Queueing Theory (1998), equation 2.37.
    """
    waits = erlang_c(arrivals_rps, service_s, servers)
    serve, drain = 1 / service_s, servers / service_s - arrivals_rps

    def beyond(time_s: float) -> float:
        alone = math.exp(-serve * time_s)
        if math.isclose(serve, drain, rel_tol=1e-9):
            both = (1 + serve * time_s) * alone
        else:
            both = (drain * alone - serve * math.exp(-drain * time_s)) / (drain - serve)
        return (1 - waits) * alone + waits * both

    return ResponseTime(
        service_s + waits / drain,
        *(_bisected(beyond, 1 - quantile, service_s) for quantile in (0.5, 0.95, 0.99)),
    )


def mdc(arrivals_rps: float, service_s: float, servers: int, customers: int = CUSTOMERS, seed: int = 1) -> ResponseTime:
    """Return an M/D/c queue's response times: Poisson arrivals, constant service, first come, first served.

    For c = 1 the mean is exact, S + rho S / (2 (1 - rho)); all else is simulated, with the error of batch means.
    Because service is constant, every c-th arrival gets the same server, so each server is simulated by itself.
    Source: Pollaczek-Khinchine, in Kleinrock (1975), equation 5.69; Tijms, A First Course in Stochastic Models (2003),
    section 9.6.2, for the cyclic servers.
    """
    rho = utilisation(arrivals_rps, service_s, servers)
    if rho == 0:
        return ResponseTime(service_s, service_s, service_s, service_s)
    draw = np.random.default_rng(seed)
    warm_up = customers // 10
    arrivals = np.cumsum(draw.exponential(1 / arrivals_rps, customers + warm_up))
    services = np.full(len(arrivals), service_s)
    responses = np.empty(len(arrivals))
    for first in range(servers):
        responses[first::servers] = one_server(arrivals[first::servers], services[first::servers])
    responses = responses[warm_up:]
    batches = responses[: len(responses) // BATCHES * BATCHES].reshape(BATCHES, -1).mean(axis=1)
    mean = float(responses.mean())
    error = float(batches.std(ddof=1)) / math.sqrt(BATCHES) / mean
    if servers == 1:
        mean = service_s + rho * service_s / (2 * (1 - rho))
    p50, p95, p99 = (float(each) for each in np.quantile(responses, (0.5, 0.95, 0.99)))
    return ResponseTime(mean, p50, p95, p99, error)


def one_server(arrivals_s: Array, services_s: Array) -> Array:
    """Return the response time of each customer of one server, first come, first served.

    Lindley's recursion W' = max(0, W + S - A) without a loop: a customer leaves when all services since the beginning
    of the busy period have ended. `arrivals_s` must be sorted.
    Source: Lindley, The theory of queues with a single server (1952).
    """
    ends = np.cumsum(services_s)
    begins = ends - services_s
    finished = ends + np.maximum.accumulate(arrivals_s - begins)
    responses: Array = finished - arrivals_s
    return responses


def many_servers(arrivals_s: Array, services_s: Array, servers: float) -> Array:
    """Return the response time of each customer of c servers (may be infinite) with one queue, first in, first out.

    The first customer of the queue gets the server that becomes free first.
    Source: Kiefer, Wolfowitz, On the theory of queues with many servers (1955).
    """
    if servers >= len(arrivals_s):
        return services_s.copy()
    if servers == 1:
        return one_server(arrivals_s, services_s)
    free_s = [0.0] * int(servers)
    responses = np.empty(len(arrivals_s))
    for index, (arrival, service) in enumerate(zip(arrivals_s.tolist(), services_s.tolist(), strict=True)):
        finished = max(arrival, free_s[0]) + service
        heapq.heapreplace(free_s, finished)
        responses[index] = finished - arrival
    return responses


def _bisected(beyond: Callable[[float], float], share: float, scale_s: float) -> float:
    """Return the time beyond which that share of response times lies."""
    low, high = 0.0, scale_s
    while beyond(high) > share:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > share else (low, middle)
    return high
