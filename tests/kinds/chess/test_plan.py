"""The arithmetic of an exhibition against known answers, and what is read off played pairs."""

import math

import pytest
from pydantic import ValidationError

from iolab.kinds.chess.plan import Played, Rules, arithmetic
from iolab.results.samples import Pair

HOUR = 3600.0


def test_the_story_s_own_numbers() -> None:
    """12 hours one game after the other, 1 hour from board to board: Grinberg, PyCon 2017."""
    assert arithmetic(Rules(), 24, 1).least_s == 12 * HOUR
    assert arithmetic(Rules(), 24, math.inf).least_s == pytest.approx(HOUR)


def test_eight_boards_in_play_are_three_shifts_of_half_an_hour() -> None:
    found = arithmetic(Rules(), 24, 8)
    assert found.boards_at_once == 8
    assert found.least_s == pytest.approx(1.5 * HOUR)


def test_in_step_thinking_and_walking_add_up() -> None:
    """All think for 55 s, then she goes around for 24 x 5 s; with one board at a time there is nothing to add."""
    assert arithmetic(Rules(), 24, math.inf).most_s == 30 * (55 + 24 * 5)
    assert arithmetic(Rules(), 24, 8).most_s == 30 * 3 * (55 + 8 * 5)
    assert arithmetic(Rules(), 24, 1).most_s == arithmetic(Rules(), 24, 1).least_s


def test_without_an_interpreter_lock_there_are_as_many_masters_as_threads_and_cpus() -> None:
    """24 boards x 30 moves of 5 s are an hour for one master, and half of that for two."""
    two = arithmetic(Rules(), 24, math.inf, 2)
    assert two.least_s == pytest.approx(HOUR / 2)
    assert two.most_s == 30 * (55 + 12 * 5)
    assert arithmetic(Rules(), 24, 1, 2).most_s == 12 * HOUR  # one thread is one master


def test_few_boards_take_as_long_as_one_game() -> None:
    assert arithmetic(Rules(), 3, math.inf).least_s == 30 * 60
    assert arithmetic(Rules(), 1, 8).boards_at_once == 1


@pytest.mark.parametrize("boards", [1, 2, 7, 24, 100])
@pytest.mark.parametrize("workers", [1, 3, 8, math.inf])
def test_the_least_is_never_more_than_the_most(boards: int, workers: float) -> None:
    found = arithmetic(Rules(), boards, workers)
    assert found.least_s <= found.most_s * (1 + 1e-9)


def played(rounds: list[list[float]], scale_ms: float = 1.0) -> Played:
    """Return an exhibition in which the boards of each round begin to think at these seconds of the story."""
    rules = Rules(moves=len(rounds), scale_ms=scale_ms)
    here = scale_ms / 1000
    pairs = [
        Pair(board, move, begin * here, (begin + 60) * here, 60 * here, 200)
        for move, begins in enumerate(rounds)
        for board, begin in enumerate(begins)
    ]
    return Played(rules, tuple(pairs))


@pytest.mark.parametrize("scale_ms", [0.5, 1.0, 10.0])
def test_times_are_the_story_s_whatever_the_scale(scale_ms: float) -> None:
    found = played([[0, 5, 10], [100, 105, 110]], scale_ms)
    assert found.took_s == pytest.approx(170)
    assert found.busy == pytest.approx(6 * 5 / 170)


def test_in_step_is_what_the_mean_opponent_sees() -> None:
    assert played([[0, 5, 10, 15]]).in_step == pytest.approx(1)
    assert played([[0, 0.5, 1, 1.5]]).in_step == pytest.approx(4)  # each begins soon after another one
    assert played([[0, 1, 60, 61], [200, 201, 202, 300]]).in_step == pytest.approx((4 + 4 + 9 + 1) / 8)


@pytest.mark.parametrize("wrong", [{"moves": 0}, {"scale_ms": 0}, {"master_s": -1}, {"opponent_s": float("nan")}])
def test_rules_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"opponent_s": 3600, "scale_ms": 20}, {"master_s": 3600, "scale_ms": 20}, {"opponent_s": 0.5, "scale_ms": 0.1}],
)
def test_moves_that_no_server_can_wait_for_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=r"a server waits 0\.1 to 60000 ms, and computes no longer"):
        Rules.model_validate(wrong)
