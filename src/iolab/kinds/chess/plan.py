"""A simultaneous exhibition: one chess master, many boards. The rules, the calculation, and the result; pure.

Source: Miguel Grinberg, Asynchronous Python for the Complete Beginner, PyCon 2017: Judit Polgár plays 24 opponents.
An opponent needs 55 s for a move, she needs 5 s; 30 pairs of moves a game take 12 hours one game after another, and 1
hour if she walks from board to board.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from iolab.experiment import Settings
from iolab.options import Option
from iolab.results.possible import within
from iolab.results.samples import Pair
from iolab.theory.closed_loop import closed_loop

MOST_BUSY = 1.1  # computing is timed by clocks that tick
LEAST_WAIT_MS, MOST_MS = 0.1, 60_000  # limits of the servers' settings (experiment.py)
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Rules(Settings):
    """How long master and opponents need for a move, how many pairs of moves a game has, and the time scale.

    `master_s` and `opponent_s` are seconds of the game; one of them takes `scale_ms` milliseconds here.
    """

    master_s: Seconds = 5.0
    opponent_s: Seconds = 55.0
    moves: Annotated[int, Field(ge=1, le=500), Option("Pairs of moves a game, each a request.")] = 30
    scale_ms: Annotated[
        float, Field(ge=0.1, le=1000, allow_inf_nan=False), Option("Duration here of a second of the game.", unit="ms")
    ] = 1.0

    @model_validator(mode="after")
    def _as_a_server_can(self) -> Self:
        if not LEAST_WAIT_MS <= self.opponent_ms <= MOST_MS or self.master_ms > MOST_MS:
            raise ValueError(
                f"an opponent's move takes {self.opponent_ms:g} ms and the master's {self.master_ms:g} ms;"
                f" a server waits {LEAST_WAIT_MS:g} to {MOST_MS:g} ms, and computes no longer"
            )
        return self

    @property
    def opponent_ms(self) -> float:
        """How long an opponent's move takes here: the wait of a request."""
        return self.opponent_s * self.scale_ms

    @property
    def master_ms(self) -> float:
        """How long the master's move takes here: the computing of a request."""
        return self.master_s * self.scale_ms

    @property
    def pair_s(self) -> float:
        """A pair of moves: the opponent's and the master's."""
        return self.opponent_s + self.master_s


@dataclass(frozen=True)
class Arithmetic:
    """How long an exhibition takes at least and at most, in seconds of the game, and how many boards play at once."""

    boards_at_once: int
    least_s: float
    most_s: float


def arithmetic(rules: Rules, boards: int, workers: float, masters: float = 1.0) -> Arithmetic:
    """Return how long an exhibition takes if `workers` opponents (math.inf: any number) can think at once.

    `masters` move at once: threads of a server that can compute at the same time. With an interpreter lock it is one.

    At least: the bottleneck, the master or the boards in play, is never idle; that is the bound of a closed loop
    (`theory.closed_loop`, with its source), in which the master's moves are the computing. At most: boards in play move
    in step; all opponents think together while the master waits, then the master moves at each board.
    """
    at_once = int(min(boards, workers))
    bound = closed_loop(boards, workers, rules.opponent_s, rules.master_s, masters, masters)
    least_s = max(boards * rules.moves / bound.throughput_rps, rules.moves * rules.pair_s)
    turns = math.ceil(boards / at_once)
    moves_s = math.ceil(at_once / min(masters, at_once)) * rules.master_s
    return Arithmetic(at_once, least_s, rules.moves * turns * (rules.opponent_s + moves_s))


@dataclass(frozen=True)
class Played:
    """An exhibition on a server; times of the pairs are as measured, returned times are seconds of the game."""

    rules: Rules
    pairs: tuple[Pair, ...]
    masters: float = 1.0

    def game_s(self, measured_s: float) -> float:
        """Return seconds of the game for measured seconds."""
        return measured_s * 1000 / self.rules.scale_ms

    @property
    def begin_s(self) -> float:
        """When the first request was sent, as measured."""
        return min(pair.start_s for pair in self.pairs)

    @property
    def took_s(self) -> float:
        """How long the exhibition took."""
        return self.game_s(max(pair.end_s for pair in self.pairs) - self.begin_s)

    @property
    def busy(self) -> float | None:
        """The share of the time in which the master moved pieces; None if that is more than there is."""
        moved = within(len(self.pairs) * self.rules.master_s / self.took_s / self.masters, 0, MOST_BUSY)
        return None if moved is None else min(moved, 1.0)

    @property
    def in_step(self) -> float:
        """How many opponents began to think at the same time, averaged over opponents.

        The same time: each begins within half a move of the master after another one.
        """
        sizes = _groups([self.game_s(pair.end_s - pair.service_s) for pair in self.pairs], self.rules.master_s / 2)
        return sum(size * size for size in sizes) / len(self.pairs)


def _groups(moments: Sequence[float], apart: float) -> list[int]:
    """Return the sizes of the groups that gaps of more than `apart` divide the moments into."""
    sizes = [1]
    for earlier, later in pairwise(sorted(moments)):
        if later - earlier > apart:
            sizes.append(0)
        sizes[-1] += 1
    return sizes
