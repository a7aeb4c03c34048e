"""Which rate a search tries next, on servers whose verdicts are known."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from iolab.kinds.slo.search import MOST_STEPS, NEAREST, STRIDE, Bracket, Range, Step, Verdict, bracket, next_rate

QUEUE = Range(first_rps=25.0, highest_rps=20_000.0, capacity_rps=50.0)
NO_QUEUE = Range(first_rps=1500.0, highest_rps=20_000.0, capacity_rps=math.inf)


def search(verdict: Callable[[float], Verdict], limits: Range, within: float = 0.15) -> list[Step]:
    steps: list[Step] = []
    while (rate := next_rate(steps, limits, within)) is not None:
        steps.append(Step(rate, verdict(rate)))
        assert len(steps) <= MOST_STEPS
    return steps


@pytest.mark.parametrize("limit", [3.0, 12.0, 24.9, 25.1, 40.0, 48.0])
def test_a_search_ends_with_a_bracket_around_the_limit(limit: float) -> None:
    steps = search(lambda rate: "holds" if rate < limit else "fails", QUEUE)
    found = bracket(steps)
    assert steps[0].rate_rps == 25.0
    assert found.holds_rps is not None
    assert found.fails_rps is not None
    assert found.holds_rps < limit <= found.fails_rps <= found.holds_rps * 1.15
    assert found.open_rps == ()


@pytest.mark.parametrize("within", [0.5, 0.6, 3.0])
def test_a_wide_bracket_has_both_ends_too(within: float) -> None:
    """QUICK=1 asks for 50%: a first rate that holds is half of an answer."""
    for limit in (12.0, 40.0):
        found = bracket(search(lambda rate, limit=limit: "holds" if rate < limit else "fails", QUEUE, within))  # type: ignore[misc]
        assert found.holds_rps is not None
        assert found.fails_rps is not None
        assert found.holds_rps < limit <= found.fails_rps


def test_rates_near_the_limit_that_cannot_be_decided_are_gone_round() -> None:
    def verdict(rate: float) -> Verdict:
        return "undecided" if 27 < rate < 33 else "holds" if rate < 30 else "fails"

    steps = search(verdict, QUEUE)
    found = bracket(steps)
    assert found.holds_rps is not None
    assert found.fails_rps is not None
    assert 23 < found.holds_rps <= 27 < min(found.open_rps)
    assert max(found.open_rps) < 33 <= found.fails_rps < 38


def test_where_nothing_can_be_decided_a_search_ends() -> None:
    steps = search(lambda _: "undecided", QUEUE)
    assert bracket(steps) == Bracket(None, None, tuple(sorted(step.rate_rps for step in steps)))


def test_a_server_that_never_fails_is_tried_up_to_what_can_be_sent() -> None:
    steps = search(lambda _: "holds", NO_QUEUE)
    assert steps[-1].rate_rps == 20_000.0
    assert all(after.rate_rps <= STRIDE * before.rate_rps * (1 + 1e-9) for before, after in pairwise(steps))
    assert bracket(steps) == Bracket(20_000.0, None)


def test_a_server_with_a_queue_is_tried_up_to_nearly_what_its_workers_can_serve() -> None:
    steps = search(lambda _: "holds", QUEUE)
    assert steps[-1].rate_rps == pytest.approx(NEAREST * 50.0)
    assert bracket(steps).fails_rps is None


@pytest.mark.parametrize("highest_rps", [833.333333333, 20_000.0])
@pytest.mark.parametrize("service_s", [0.010398449360360525, 0.0200000013, 0.003, 0.020261234567])
def test_no_rate_is_tried_twice_whatever_digits_the_highest_has(service_s: float, highest_rps: float) -> None:
    """A record has a rate to six digits: if that is less than the highest rate, the highest is not tried again."""
    for workers in (1, 8):
        steps = search(lambda _: "holds", Range(0.5 * workers / service_s, highest_rps, workers / service_s))
        rates = [step.rate_rps for step in steps]
        assert rates == [round(rate, 6) for rate in rates]
        assert rates == sorted(set(rates))


def test_a_server_that_never_holds_ends_the_search_from_below() -> None:
    steps = search(lambda _: "fails", QUEUE)
    rates = [step.rate_rps for step in steps]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1.0
    assert bracket(steps).holds_rps is None


def test_where_the_load_generator_ends_the_search_goes_no_higher() -> None:
    steps = search(lambda rate: "client" if rate > 6000 else "holds", NO_QUEUE)
    found = bracket(steps)
    assert found.fails_rps is None
    assert found.holds_rps is not None
    assert found.client_rps is not None
    assert found.holds_rps < 6000 < found.client_rps <= found.holds_rps * 1.15
    assert max(step.rate_rps for step in steps) <= 6000 * STRIDE


def test_one_rate_that_fails_counts_against_those_above_it() -> None:
    steps = [Step(20.0, "holds"), Step(40.0, "holds"), Step(30.0, "fails"), Step(45.0, "undecided")]
    assert bracket(steps) == Bracket(20.0, 30.0)


def test_a_first_rate_that_cannot_be_sent_is_lowered() -> None:
    assert next_rate([], Range(1500.0, 800.0, math.inf), 0.15) == 800.0
    assert next_rate([Step(800.0, "holds")], Range(1500.0, 800.0, math.inf), 0.15) is None


def test_a_machine_that_is_always_disturbed_ends_the_search_early() -> None:
    steps = search(lambda _: "disturbed", NO_QUEUE)
    assert [step.rate_rps for step in steps] == [1500.0, 1000.0]
    once = search(lambda rate: "disturbed" if rate == 2250 else "holds" if rate < 9000 else "fails", NO_QUEUE)
    assert max(step.rate_rps for step in once) == 2250
