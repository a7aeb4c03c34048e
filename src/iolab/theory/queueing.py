"""Queueing theory of the open loop: arrivals do not depend on how fast the server is.

Pure functions, each with its source. Times are in seconds, rates per second; a response time is waiting time plus
service time.
"""

import heapq
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iolab.theory.statistics import Array


@dataclass(frozen=True)
class ResponseTime:
    """Mean and percentiles of response times."""

    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True)
class Queue(ABC):
    """Poisson arrivals at `rate_rps` at `workers` with one queue, first come, first served, and a mean service time.

    Raises ValueError if the rate is not above 0, or the utilisation is not below 1.
    """

    rate_rps: float
    service_s: float
    workers: float

    def __post_init__(self) -> None:
        """Refuse what is no queue."""
        if not self.rate_rps > 0:
            raise ValueError(f"{self.rate_rps:g} arrivals a second: it must be above 0")
        utilisation(self.rate_rps, self.service_s, self.workers)

    @property
    def utilisation(self) -> float:
        """Rho, the share of the time that a worker is busy; 0 for any number of workers."""
        return utilisation(self.rate_rps, self.service_s, self.workers)

    @property
    @abstractmethod
    def mean_wait_s(self) -> float:
        """The mean waiting time."""

    @abstractmethod
    def beyond(self, wait_s: float) -> float:
        """Return the probability that a request waits for longer than that."""

    @abstractmethod
    def quantile_s(self, quantile: float) -> float:
        """Return a quantile (0 to 1) of the response time."""

    @property
    def mean_s(self) -> float:
        """The mean response time."""
        return self.service_s + self.mean_wait_s

    @property
    def response(self) -> ResponseTime:
        """Mean and percentiles of the response time."""
        return ResponseTime(self.mean_s, *(self.quantile_s(quantile) for quantile in (0.5, 0.95, 0.99)))


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


class ExponentialService(Queue):
    """An M/M/c queue, exact.

    An arrival waits with probability C, by Erlang, and then for an exponential time of rate a = c/S - lambda.
    Source: Kleinrock (1975), section 3.5; Gross, Harris, Fundamentals of Queueing Theory (1998), equation 2.37.
    """

    @cached_property
    def waits(self) -> float:
        """The probability that a request waits."""
        return erlang_c(self.rate_rps, self.service_s, int(self.workers))

    @property
    def drain_rps(self) -> float:
        """The rate by which a queue becomes shorter."""
        return self.workers / self.service_s - self.rate_rps

    @property
    def mean_wait_s(self) -> float:
        """The mean waiting time, C / a."""
        return self.waits / self.drain_rps

    def beyond(self, wait_s: float) -> float:
        """Return the probability that a request waits for longer than that."""
        return self.waits * math.exp(-self.drain_rps * wait_s)

    def later(self, time_s: float) -> float:
        """Return the probability that a response takes longer than that.

        The sum of two exponential times of rates a <= b is longer than t with probability
        exp(-a t) (1 + a t f((b - a) t)), where f(y) = (1 - exp(-y)) / y and f(0) = 1: no difference of nearly equal
        terms, also where service and queue have nearly the same rate, which is where c (1 - rho) is nearly 1.
        """
        serve = 1 / self.service_s
        slow, fast = sorted((serve, self.drain_rps))
        apart = (fast - slow) * time_s
        slope = -math.expm1(-apart) / apart if apart else 1.0
        both = math.exp(-slow * time_s) * (1 + slow * time_s * slope)
        return (1 - self.waits) * math.exp(-serve * time_s) + self.waits * both

    def quantile_s(self, quantile: float) -> float:
        """Return a quantile of the response time, by bisection."""
        low, high = 0.0, self.service_s
        while self.later(high) > 1 - quantile:
            high *= 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.later(middle) > 1 - quantile else (low, middle)
        return high


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
