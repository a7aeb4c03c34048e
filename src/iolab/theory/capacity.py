"""Capacity planning: which rate keeps an objective, and how many workers a rate needs. Pure functions; seconds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from iolab.theory.constant_service import ConstantService
from iolab.theory.queueing import ExponentialService, Queue

Distribution = Literal["constant", "exponential"]
MOST_WORKERS = 10_000  # of a queue that is computed; "inf" is another thing
NEAREST = 30.0  # -log(1 - rho) of the highest utilisation that is looked at


@dataclass(frozen=True)
class ExponentialDelay(Queue):
    """Any number of workers with exponential service times (M/M/inf): no request waits."""

    @property
    def mean_wait_s(self) -> float:
        """No waiting time."""
        return 0.0

    def beyond(self, wait_s: float) -> float:
        """Return 0: no request waits."""
        del wait_s
        return 0.0

    def quantile_s(self, quantile: float) -> float:
        """Return a quantile of the service time."""
        return -self.service_s * math.log1p(-quantile)


class ConstantDelay(ExponentialDelay):
    """Any number of workers with constant service times (M/D/inf): every response takes the service time."""

    def quantile_s(self, quantile: float) -> float:
        """Return the service time."""
        del quantile
        return self.service_s


def queue(distribution: Distribution, rate_rps: float, service_s: float, workers: float) -> Queue:
    """Return M/D/c or M/M/c; `workers` may be infinite. Raises ValueError if the utilisation is not below 1.

    With any number of workers no request waits, whatever the distribution of the service time (M/G/inf).
    Source: Kleinrock, Queueing Systems, Volume 1 (1975), section 3.4.
    """
    if math.isinf(workers):
        return (ConstantDelay if distribution == "constant" else ExponentialDelay)(rate_rps, service_s, workers)
    return (ConstantService if distribution == "constant" else ExponentialService)(rate_rps, service_s, workers)


@dataclass(frozen=True)
class Bound:
    """A bound on a quantile of the response time, or on its mean (`quantile` None), for a kind of server."""

    quantile: float | None
    limit_s: float
    distribution: Distribution
    service_s: float

    def value_s(self, rate_rps: float, workers: float) -> float:
        """Return the bounded value at a rate."""
        found = queue(self.distribution, rate_rps, self.service_s, workers)
        return found.mean_s if self.quantile is None else found.quantile_s(self.quantile)

    @property
    def least_s(self) -> float:
        """The value without any waiting: no rate and no number of workers has less."""
        return self.value_s(1.0, math.inf)

    def check(self) -> None:
        """Raise ValueError if no rate can meet the bound, because a request takes longer without any queue."""
        if self.least_s >= self.limit_s:
            raise ValueError(f"without any queue it is {self.least_s * 1000:.4g} ms, so no rate can meet it")

    def highest_rps(self, workers: float) -> float:
        """Return the rate at which the bound breaks: it holds below; 0 if it never holds, inf if it always does.

        The value grows with the rate, so the rate is the root of value - limit, by Brent's method on -log(1 - rho),
        along which a value near a utilisation of 1 grows as an exponential function.
        """
        from scipy.optimize import brentq  # noqa: PLC0415 (a third of a second: too long for `iolab up`)

        if self.least_s >= self.limit_s:
            return 0.0
        if math.isinf(workers):
            return math.inf
        capacity_rps = workers / self.service_s

        def above(nearness: float) -> float:
            return math.log(self.value_s(-math.expm1(-nearness) * capacity_rps, workers) / self.limit_s)

        high = 1.0
        while above(high) < 0:
            high *= 2
            if high > NEAREST:
                return capacity_rps
        low = high / 2 if high > 1 else 1e-12
        return -math.expm1(-float(brentq(above, low, high, xtol=1e-10))) * capacity_rps if above(low) < 0 else 0.0

    def least_workers(self, rate_rps: float) -> int | None:
        """Return the least number of workers with which the bound holds at a rate; None if it is above MOST_WORKERS.

        Raises ValueError if no number is enough.
        """
        self.check()
        return _least_that_holds(
            math.floor(rate_rps * self.service_s) + 1, lambda c: self.value_s(rate_rps, c) < self.limit_s
        )


def _least_that_holds(least: int, holds: Callable[[int], bool]) -> int | None:
    """Return the first number from `least` on that holds, if all that follow it do; None above MOST_WORKERS."""
    low, high, step = least - 1, least, 1
    while high <= MOST_WORKERS and not holds(high):
        low, high, step = high, high + step, 2 * step
    if high > MOST_WORKERS:
        if low >= MOST_WORKERS or not holds(MOST_WORKERS):
            return None
        high = MOST_WORKERS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
