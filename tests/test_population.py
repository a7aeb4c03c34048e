"""Little's law on loads whose population is known by construction."""

import pytest

from iolab.results.records import Sample
from iolab.theory.littles_law import population


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
