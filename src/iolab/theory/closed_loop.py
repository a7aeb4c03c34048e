"""Predictions of queueing theory for the closed loop: pure functions with sources; seconds, rates per second."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ClosedLoop:
    """The prediction for a closed loop: `latency_s` is the mean, and also the median if service is constant."""

    throughput_rps: float
    latency_s: float

    def requests(self, users: int, seconds: float) -> int:
        """Return how many requests `users` send in about `seconds`; each sends the same number, at least one."""
        return users * max(1, math.ceil(self.throughput_rps * seconds / users))


def closed_loop(  # noqa: PLR0917 (each is a parameter of the model)
    users: int,
    workers: float,
    wait_s: float,
    cpu_s: float = 0.0,
    cpus: float = 1.0,
    threads: float = 1.0,
    connections: float = math.inf,
) -> ClosedLoop:
    """Predict `users` users without think time on a server that handles `workers` requests at once.

    With the service time S = `wait_s` + `cpu_s`, throughput is at most users/S (each user has one request
    under way), workers/S (each worker serves one) and, if computing takes `cpu_s` of a core per request,
    min(threads, cpus)/cpu_s. `threads` is how many threads compute at once: 1 where one at a time holds the
    interpreter lock, all of the server's on a free-threaded build of Python. If each request takes one of `connections`
    to another service for its wait, throughput is at most connections/`wait_s`. The least of them binds, and the
    mean response time is users/throughput by Little's law.

    `workers`, `threads` and `connections` may be infinite. Raises ValueError if users, workers, threads or connections
    is below 1, or S is not above 0.

    Source: Lazowska, Zahorjan, Graham, Sevcik, Quantitative System Performance (1984), chapter 5, asymptotic
    bounds of a batch workload (think time 0); Little, A Proof for the Queuing Formula L = λW (1961).
    """
    service_s = wait_s + cpu_s
    if users < 1 or workers < 1 or threads < 1 or connections < 1 or service_s <= 0:
        raise ValueError(
            f"closed loop of {users} users, {workers} workers, {threads} threads, {connections} connections, service"
            f" time {service_s} s"
        )
    processor_rps = min(threads, cpus) / cpu_s if cpu_s > 0 else math.inf
    connections_rps = connections / wait_s if wait_s > 0 else math.inf
    throughput_rps = min(users / service_s, workers / service_s, processor_rps, connections_rps)
    return ClosedLoop(throughput_rps=throughput_rps, latency_s=users / throughput_rps)


def split_queues(  # noqa: PLR0917 (each is a parameter of the model)
    users: int, queues: int, wait_s: float, cpu_s: float = 0.0, cpus: float = 1.0, threads: float = 1.0
) -> ClosedLoop:
    """Predict `users` users whose requests go, each at random, to one of `queues` workers with a queue of its own.

    While one worker has a queue, another one is idle: throughput is queues/S x users/(users + queues - 1), which is
    exact for exponential service times. With constant ones it is higher, by an amount that has no simple formula.

    Source: Lazowska et al. (1984), chapter 5, balanced system bounds, which are exact for a balanced network.
    """
    one = closed_loop(users, math.inf, wait_s, cpu_s, cpus, threads)
    split_rps = queues * users / (users + queues - 1) / (wait_s + cpu_s)
    least_rps = min(one.throughput_rps, split_rps)
    return ClosedLoop(least_rps, users / least_rps)


def behind_short_queue(
    users: int, backlog: int, wait_s: float, cpu_s: float = 0.0, cpus: float = 1.0
) -> ClosedLoop | None:
    """Predict the users that circulate where the accept queue of a server with one worker is shorter than `users`.

    Linux puts backlog + 1 connections into the accept queue, and one more is being served: so backlog + 2 users
    circulate, and each waits for all of them, (backlog + 2) x S. Connections of the other users are dropped; their
    requests are not in this prediction. It is the median while those that circulate send most requests. None where
    the queue has room for all users: then `closed_loop` holds.

    Sources: listen(2) for the backlog; include/net/sock.h of Linux, sk_acceptq_is_full (the queue is full when it holds
    *more* than the backlog); closed_loop for the backlog + 2 users inside.
    """
    inside = backlog + 2
    return closed_loop(inside, 1, wait_s, cpu_s, cpus) if users > inside else None


def even(users: int, workers: float) -> bool:
    """Return whether all requests have the same response time with constant service, so that the median is the mean.

    They do if every user has a worker, or users are a multiple of workers; otherwise there are two response times.
    """
    return users <= workers or users % workers == 0


def mm1_response_s(arrivals_rps: float, service_s: float) -> float:
    """Return the mean time in an M/M/1 queue: S / (1 - rho), with the utilisation rho = `arrivals_rps` x `service_s`.

    Raises ValueError if rho is not below 1: then the queue grows without bound.
    Source: Kleinrock, Queueing Systems, Volume 1 (1975), equation 3.26.
    """
    utilisation = arrivals_rps * service_s
    if not 0 <= utilisation < 1:
        raise ValueError(f"utilisation {utilisation:g} of an M/M/1 queue: it must be below 1")
    return service_s / (1 - utilisation)
