"""The M/D/c queue: Poisson arrivals, constant service, exact for up to thousands of workers at any utilisation.

Pure functions; times are in seconds, rates per second. The method has three steps, none of which subtracts large
numbers from each other, as Crommelin's and Erlang's alternating series do:

1. A service time later, all that were in service have left, so the number of waiting requests L is that of a random
   walk: L' = max(L + A - c, 0), with A ~ Poisson(c rho). By Spitzer's identity L is compound Poisson, where a jump j
   has the rate v_j = sum over n of P(S_n = j) / n, and S_n ~ Poisson(n c rho) - n c.
2. The v_j are the positive Fourier coefficients of -log(1 - phi(z)), with phi(z) = z^-c exp(c rho (z - 1)). On the
   circle |z| = 1 / rho, the saddle point, |phi| is below 1 and the coefficients fall on both sides by about rho each.
   So one fast Fourier transform gives all of them, with a small relative error even where they are tiny; a second one
   gives the distribution of L.
3. P(W > x) = P(L + B >= k c), with B ~ Poisson(c rho (k - x / S)) and k - 1 <= x / S < k.

Sources: Crommelin, Delay probability formulae when the holding times are constant (1932), for the random walk; Spitzer,
A combinatorial lemma and its application to probability theory (1956); Abate, Choudhury, Whitt, Calculation of the
GI/G/1 waiting-time distribution and its cumulants from Pollaczek's formulas (1993), for the contour; Franx, A simple
solution for the M/D/c waiting time distribution (2001), theorem 1, for step 3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from iolab.theory.queueing import Queue
from iolab.theory.statistics import Array

HEAVY = 1e-4  # of a utilisation of 1: from there on the number of waiting requests is geometric, to some 1e-4


@dataclass(frozen=True)
class Waiting:
    """The number of waiting requests: its mean, and the probability that it is at least m, of whole numbers m >= 1."""

    mean: float
    at_least: Callable[[Array], Array]


class ConstantService(Queue):
    """An M/D/c queue; its methods are exact to five digits, and to ten below a utilisation of 1 - 1e-4."""

    @cached_property
    def waiting(self) -> Waiting:
        """The number of requests that wait."""
        return waiting(self.utilisation, int(self.workers))

    @property
    def mean_wait_s(self) -> float:
        """The mean waiting time, by Little's law of the requests that wait."""
        return self.waiting.mean / self.rate_rps

    def beyond(self, wait_s: float) -> float:
        """Return the probability that a request waits for longer than that."""
        services = wait_s / self.service_s
        turns = math.floor(services) + 1
        others = _poisson(self.rate_rps * self.service_s * (turns - services))
        ahead = turns * self.workers - np.arange(len(others))
        return float(others @ np.where(ahead > 0, self.waiting.at_least(np.maximum(ahead, 1)), 1.0))

    def quantile_s(self, quantile: float) -> float:
        """Return a quantile of the response time; it is the service time if so many need not wait."""
        share = 1 - quantile
        if self.beyond(0.0) <= share:
            return self.service_s

        def late(turns: int) -> bool:
            return float(self.waiting.at_least(np.array([turns * self.workers]))[0]) > share

        high = 1
        while late(high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if late(middle) else (low, middle)
        start, end = low * self.service_s, high * self.service_s
        for _ in range(45):
            middle_s = (start + end) / 2
            if not start < middle_s < end:
                break
            start, end = (middle_s, end) if self.beyond(middle_s) > share else (start, middle_s)
        return self.service_s + start


@lru_cache(maxsize=16)
def waiting(rho: float, servers: int) -> Waiting:
    """Return the number of waiting requests of an M/D/c queue of utilisation `rho`, 0 < rho < 1."""
    if rho > 1 - HEAVY:
        return _heavy_traffic(rho, servers)
    sizes, probabilities = _jumps(rho, servers), _probabilities(rho, servers)
    tails = np.append(np.cumsum(probabilities[::-1])[::-1], 0.0)

    def at_least(numbers: Array) -> Array:
        found: Array = tails[np.minimum(numbers, len(probabilities)).astype(np.int64)]
        return found

    return Waiting(float(np.arange(len(sizes)) @ sizes), at_least)


def _heavy_traffic(rho: float, servers: int) -> Waiting:
    """Return the same near a utilisation of 1, where it is geometric but for the first few numbers.

    P(L >= m) = s / (1 + e)^m, where e solves log(1 + e) = rho e, so that z = 1 + e is the pole of the generating
    function that is nearest to 1. The factor s, and how far the mean is above s / e, are linear in 1 - rho.
    Source: Tijms, A First Course in Stochastic Models (2003), section 9.6.2.
    """
    least = waiting(1 - HEAVY, servers)
    base = _growth(1 - HEAVY)
    place = math.ceil(math.log(1e4) / base)
    factor = float(least.at_least(np.array([place]))[0]) * math.exp(place * math.log1p(base))
    mean_above = least.mean - factor / base
    factor = 1 - (1 - factor) * (1 - rho) / HEAVY
    growth = _growth(rho)

    def at_least(numbers: Array) -> Array:
        found: Array = factor * np.exp(-math.log1p(growth) * numbers)
        return found

    return Waiting(factor / growth + mean_above, at_least)


def _growth(rho: float) -> float:
    """Return e > 0 with log(1 + e) = rho e, for rho of 1 - HEAVY or more: the first three terms of its series."""
    idle = 1 - rho
    return 2 * idle + 8 / 3 * idle**2 + 28 / 9 * idle**3


def _angles(rho: float, servers: int) -> Array:
    """Return the angles of half a circle: enough points that both sides of the coefficients have fallen to 1e-16."""
    points = 2 ** math.ceil(math.log2(max(256, 80 / (1 - rho) + 40 * math.sqrt(servers))))
    angles: Array = 2 * math.pi / points * np.arange(points // 2 + 1)
    return angles


@lru_cache(maxsize=2)
def _tilted(rho: float, servers: int) -> Array:
    """Return v_j / rho^j of the jumps j = 0, 1, 2, ..., v_0 being 0: see the second step above."""
    angles = _angles(rho, servers)
    falls = rho - 1 - math.log(rho)  # log phi = -c (falls + 1 - exp(i angle) + i angle) on the circle
    logs = -servers * ((falls + 2 * np.sin(angles / 2) ** 2) + 1j * (np.sin(angles) - angles))
    near = np.log(-np.expm1(np.maximum(logs.real, -1) + 1j * logs.imag))
    coefficients: Array = np.fft.irfft(-np.where(logs.real > -1, near, np.log1p(-np.exp(logs))))
    found: Array = np.maximum(coefficients[: len(coefficients) // 2], 0.0)
    found[0] = 0.0
    return found


def _jumps(rho: float, servers: int) -> Array:
    """Return the rates v_j of the jumps j = 0, 1, 2, ..."""
    tilted = _tilted(rho, servers)
    jumps: Array = tilted * np.exp(math.log(rho) * np.arange(len(tilted)))
    return jumps


def _probabilities(rho: float, servers: int) -> Array:
    """Return P(L = j) of j = 0, 1, 2, ..."""
    tilted = _tilted(rho, servers)
    total = float(_jumps(rho, servers).sum())
    transformed = np.fft.irfft(np.exp(np.fft.rfft(tilted, 2 * len(tilted)) - total))[: len(tilted)]
    found: Array = np.maximum(transformed, 0.0) * np.exp(math.log(rho) * np.arange(len(tilted)))
    return found


def _poisson(mean: float) -> Array:
    """Return the probabilities of 0, 1, 2, ... of a Poisson distribution, as far as they matter."""
    if mean <= 0:  # by rounding, after 2^53 service times
        return np.ones(1)
    counts = np.arange(1, math.ceil(mean + 12 * math.sqrt(mean) + 40))
    found: Array = np.exp(np.append(0.0, np.cumsum(math.log(mean) - np.log(counts))) - mean)
    return found
