"""Planned arrivals, which are sent whether or not the server keeps up: each request has its own greenlet.

A plan is one stream of arrivals. Streams of several users, processes or machines add up, and Poisson streams add up to
a Poisson stream. The times of a row count from the start of its own plan, by the clock of its own process: clocks of
other machines never enter a response time.
"""

import itertools
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.pool
from locust import FastHttpUser, task
from locust.exception import StopUser

LEAD_S = 0.3  # from the creation of a plan to its start
SPIN_S = 0.0015  # gevent's timers fire up to a millisecond late: before an arrival the clock is checked in a loop
AT_ONCE = 20_000  # requests in progress in one process


@dataclass(frozen=True)
class Plan:
    """Arrivals at `rate_rps` for `duration_s`; or at `moments`, in seconds from the start."""

    process: str = "poisson"
    rate_rps: float = 10.0
    duration_s: float = 10.0
    seed: int = 1
    moments: Sequence[float] | None = None

    def stream(self, number: int = 0, streams: int = 1) -> list[float]:
        """Return the arrival times of one of the streams that are the plan together."""
        if self.moments is not None:
            return list(self.moments[number::streams])
        rate_rps = self.rate_rps / streams
        first_s = number / self.rate_rps if self.process == "constant" else 0.0
        moments = itertools.accumulate(gaps(self.process, rate_rps, f"{self.seed} {number}"), initial=first_s)
        if self.process != "constant":
            next(moments)  # a Poisson stream has no arrival at its very start
        return list(itertools.takewhile(lambda moment: moment < self.duration_s, moments))


def gaps(process: str, rate_rps: float, seed: str) -> Iterator[float]:
    """Return the seconds from each arrival to the next, without end."""
    if process == "constant":
        return itertools.repeat(1 / rate_rps)
    draw = random.Random(f"arrivals {seed}")  # noqa: S311 (arrivals, not secrets)
    return iter(lambda: draw.expovariate(rate_rps), None)


def served_s(headers: Any) -> float:
    """Return the service time in the Server-Timing header, in seconds, or -1."""
    _, _, told = (headers.get("server-timing") or "").partition("service;dur=")
    try:
        return float(told) / 1000
    except ValueError:
        return -1.0


class OpenLoopUser(FastHttpUser):
    """Sends requests at the times of a plan, whether or not earlier requests have been answered.

    Response times count from the planned times, so they include the time before a slow server accepts a request. The
    context of Locust's request event has the times `planned_s`, `sent_s` and `done_s` of each request.
    """

    abstract = True
    concurrency = AT_ONCE
    max_retries = 0

    def moments(self) -> Iterable[float]:
        """Return when to send, in seconds from the start, in order; may be infinite."""
        raise NotImplementedError

    def begins(self) -> float:
        """Return when the plan starts, by time.perf_counter()."""
        return time.perf_counter() + LEAD_S

    @task
    def arrive(self) -> None:
        """Send all requests of the plan, and wait for the last answer."""
        moments = self.moments()
        self.begin = self.begins()
        under_way = gevent.pool.Pool()
        try:
            for moment in moments:
                self._wait_until(self.begin + moment)
                under_way.spawn(self._ask, moment)
            under_way.join()
        finally:
            under_way.kill()
        raise StopUser

    def _wait_until(self, moment: float) -> None:
        early_s = moment - time.perf_counter()
        if early_s > SPIN_S:
            gevent.sleep(early_s - SPIN_S)
        while time.perf_counter() < moment:
            gevent.sleep(0)  # read answers meanwhile
            os.sched_yield()  # other workers on this core have their own arrivals

    def _ask(self, moment: float) -> None:
        sent = time.perf_counter()
        with self.client.get("/", name=type(self).__name__, catch_response=True) as response:
            done_s = time.perf_counter() - self.begin
            response.request_meta["context"] |= {"planned_s": moment, "sent_s": sent - self.begin, "done_s": done_s}
            # Locust's own page and statistics also count from the planned time.
            response.request_meta["response_time"] = (done_s - moment) * 1000
