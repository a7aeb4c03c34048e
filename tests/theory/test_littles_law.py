"""Little's law on loads whose population is known by construction."""

import pytest

from iolab.results.samples import Sample
from iolab.theory.littles_law import population, span_s, steady


def turns(users: int, requests: int, latency_s: float, pause_s: float = 0.0) -> list[Sample]:
    """Return a closed loop of so many users, each with so many requests one after the other."""
    return [Sample(number * (latency_s + pause_s), latency_s, 200) for _ in range(users) for number in range(requests)]


def test_users_who_always_wait_are_all_there() -> None:
    found = population(turns(4, 50, 0.02), 4)
    assert found is not None
    assert found.mean == pytest.approx(4)
    assert (found.start, found.middle, found.end) == pytest.approx((0, 0, 0))
    assert found.holds


def test_a_pause_between_requests_is_missing_in_the_middle() -> None:
    found = population(turns(4, 50, 0.018, pause_s=0.002), 4)
    assert found is not None
    assert found.middle == pytest.approx(0.4, rel=0.05)
    assert not found.holds


def test_a_user_who_comes_late_is_missing_at_the_start() -> None:
    late = [
        Sample(start_s + 1.0, latency_s, 200) for start_s, latency_s, _ in turns(1, 50, 0.02) if start_s is not None
    ]
    found = population([*turns(3, 100, 0.02), *late], 4)
    assert found is not None
    assert found.start == pytest.approx(0.5, rel=0.01)
    assert found.end == pytest.approx(0, abs=1e-6)


def test_a_user_who_leaves_early_is_missing_at_the_end() -> None:
    found = population([*turns(3, 100, 0.02), *turns(1, 50, 0.02)], 4)
    assert found is not None
    assert found.end == pytest.approx(0.5, rel=0.01)
    assert found.mean + found.start + found.middle + found.end == pytest.approx(4)


def test_a_request_without_an_answer_is_missing() -> None:
    answered = turns(4, 50, 0.02)
    failed = [
        Sample(start_s, None, 0) if 20 < number < 40 else each
        for number, each in enumerate(answered)
        for start_s in [each.start_s]
    ]
    found = population(failed, 4)
    assert found is not None
    assert found.mean < 4
    assert not found.holds


def test_nothing_is_known_of_nothing() -> None:
    assert population([], 4) is None
    assert population([Sample(None, None, 0)], 4) is None


def test_the_steady_window_of_equal_users_is_all_but_the_first_turn() -> None:
    found = steady(turns(4, 50, 0.02), 4)
    assert found is not None
    assert (found.begin_s, found.end_s) == pytest.approx((0.02, 0.98))
    assert found.answered == 192
    assert found.throughput_rps == pytest.approx(200)


def test_the_steady_window_ends_where_a_user_has_sent_its_share() -> None:
    """Four circulate beside one that waits for 6 s: the one with the smallest share ends the window."""
    found = steady([*turns(3, 50, 0.02), Sample(0.0, 6.0, 200), *turns(1, 10, 0.02)], 5)
    assert found is not None
    assert found.end_s == pytest.approx(0.18)  # the user of ten requests is the first that leaves
    assert found.throughput_rps == pytest.approx(200, rel=0.05)


def test_a_server_that_most_users_cannot_reach_is_steady_while_they_wait() -> None:
    """Seven circulate behind a short queue, nine wait for their connection, and then finish their share alone."""
    waiting = [Sample(0.0, 3.0 + 0.14 * number, 200) for number in range(9)]
    inside = [Sample(0.14 * turn + 0.02 * user, 0.14, 200) for user in range(7) for turn in range(13)]
    found = steady([*inside, *waiting], 16)
    assert found is not None
    assert found.throughput_rps == pytest.approx(50, rel=0.02)
    assert found.end_s < 2
    whole = len(inside + waiting) / span_s([*inside, *waiting])
    assert whole < 30


def test_there_is_no_steady_window_where_the_users_are_never_all_there() -> None:
    assert steady(turns(3, 50, 0.02), 4) is None
    assert steady(turns(4, 1, 0.02), 4) is None
    assert steady(turns(4, 2, 0.02), 4) is None  # one turn is the common start
    assert steady([], 4) is None
