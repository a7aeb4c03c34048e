"""Work that blocks, and where it is done: settings, trials, and predictions; pure.

An event loop serves no connection while a callback runs: work that blocks the loop delays every request.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import Settings
from iolab.theory.closed_loop import ClosedLoop, closed_loop


class Strategy(Settings):
    """How to do a request's work: `service` does it in `place`, with `pool` threads or processes if these do it.

    The work is waiting or computing, as long as the experiment's `server` says; `await` is a wait that does not block.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    service: str = "broken"
    work: Literal["wait", "compute"]
    place: Literal["await", "loop", "thread", "process"]
    pool: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _what_is_possible(self) -> Self:
        if self.place == "await" and self.work == "compute":
            raise ValueError(f"{self.name}: computing cannot be awaited: its place is loop, thread or process")
        if self.place in ("await", "loop") and self.pool != type(self).model_fields["pool"].default:
            raise ValueError(f"{self.name}: pool = {self.pool} is for threads or processes, not for {self.place}")
        return self

    def at_once(self, cpus: float, *, lock: bool = True) -> float:
        """Return how many requests can be worked on at once; with a `lock` of the interpreter, one thread computes."""
        if self.place == "await":
            return math.inf
        if self.place == "loop" or (lock and self.place == "thread" and self.work == "compute"):
            return 1
        return self.pool if self.work == "wait" else min(self.pool, max(1, math.floor(cpus)))


class Broken(Settings):
    """The strategies, loaded for `seconds` each; meanwhile a bystander requests the server's health repeatedly."""

    seconds: Annotated[float, Field(gt=0, le=600)] = 3.0
    bystander_ms: Annotated[float, Field(ge=1, le=10_000)] = 50.0  # after each answer
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [(strategy.name, strategy.service) for strategy in self.strategies]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two strategies of {name[1]} are named {name[0]!r}: give each a different name")
        return self


def expected(strategy: Strategy, users: int, work_s: float, cpus: float, *, lock: bool = True) -> ClosedLoop:
    """Return the prediction for `users` users whose requests each take `work_s`; `lock`: the interpreter has one."""
    return closed_loop(users, strategy.at_once(cpus, lock=lock), work_s)


@dataclass(frozen=True)
class Trial:
    """A strategy under load; or, if it `seeks`, the same once more, to find in the server's log what blocks it."""

    index: int
    strategy: Strategy
    seeks: bool = False

    @property
    def name(self) -> str:
        """Its name in reports."""
        return trial_name(self.strategy, seeks=self.seeks)


def trial_name(strategy: Strategy, *, seeks: bool) -> str:
    """Return a trial's name in reports."""
    return f"{strategy.name}, its culprit" if seeks else strategy.name


def trials(strategies: Sequence[Strategy]) -> list[Trial]:
    """Return a trial for each strategy, and then one more for each that works in the loop."""
    loads = [(strategy, False) for strategy in strategies]
    searches = [(strategy, True) for strategy in strategies if strategy.place == "loop"]
    return [Trial(index, strategy, seeks) for index, (strategy, seeks) in enumerate([*loads, *searches])]
