"""Response times that no server gave: independent ones, and those of a closed loop whose repeats differ a little."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from iolab.theory.statistics import Array

Draw = np.random.Generator
Repeats = Callable[[Draw, int], list[Array]]  # so many repeats, each the response times of its requests in seconds
HEY_S = 1e-4  # hey rounds response times to tenths of a millisecond
KEEPS = 0.9  # of how slow the machine was during the request before


@dataclass(frozen=True)
class ClosedLoop:
    """`users` users on `workers` workers, first come first served, as the lab's servers with a wait of 20 ms.

    What real repeats show is in it: each has a level of its own (a server's start, the clock frequency; `between` is
    the standard deviation of its logarithm), each timer ends a little late, and the machine is slower for a while now
    and then, so that requests that follow each other are slow together.
    """

    users: int
    workers: int
    requests: int = 208
    wait_s: float = 0.020
    late_s: float = 0.0005  # mean
    between: float = 0.005
    slow: float = 0.02  # standard deviation of the logarithm of a service time

    def repeats(self, draw: Draw, count: int) -> list[Array]:
        """Return the response times of `count` repeats, as hey rounds them."""
        return [np.round(self._one(draw) / HEY_S) * HEY_S for _ in range(count)]

    def _one(self, draw: Draw) -> Array:
        level = float(np.exp(draw.normal(0.0, self.between)))
        state = 0.0
        news = draw.normal(0.0, self.slow * (1 - KEEPS**2) ** 0.5, self.requests)
        late = draw.exponential(self.late_s, self.requests)
        sends = [0.0] * self.users  # the moments at which users send their next request
        free = [0.0] * min(self.workers, self.users)
        responses = np.empty(self.requests)
        for number in range(self.requests):
            state = KEEPS * state + news[number]
            sent, ready = heapq.heappop(sends), heapq.heappop(free)
            done = max(sent, ready) + self.wait_s * level * np.exp(state) + late[number]
            heapq.heappush(free, done)
            heapq.heappush(sends, done)
            responses[number] = done - sent
        return responses


def independent(draw: Draw, count: int, requests: int = 208) -> list[Array]:
    """Return repeats of requests that do not depend on each other: 20 ms, and an exponential time of 1 ms."""
    return [0.020 + draw.exponential(0.001, requests) for _ in range(count)]


@cache
def many(repeats: Repeats) -> Array:
    """Return the response times of so many repeats that their percentiles are the true ones."""
    return np.concatenate(repeats(np.random.default_rng(99), 3000))


def truth(repeats: Repeats, quantile: float) -> float:
    """Return a quantile of that load, from many repeats."""
    return float(np.quantile(many(repeats), quantile))
