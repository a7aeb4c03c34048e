"""What `make theory` computes, against formulas of single cases."""

import math

import pytest

from iolab.theory.calculator import Closed, Server, closed, objective_result, open_loop
from iolab.theory.capacity import Bound

ONE, EIGHT = Server(20.0, 1, "constant"), Server(20.0, 8, "exponential")


def test_a_closed_loop_keeps_as_many_workers_busy_as_it_has_users() -> None:
    assert closed(ONE, 16) == Closed(16, 50.0, 320.0, 1.0, 15)
    assert closed(EIGHT, 4) == Closed(4, 200.0, 20.0, 0.5, 0)
    assert closed(EIGHT, 12) == Closed(12, 400.0, 30.0, 1.0, 4)
    assert closed(Server(20.0, math.inf, "constant"), 100) == Closed(100, 5000.0, 20.0, None, 0)


def test_an_open_loop_of_one_constant_server() -> None:
    """Pollaczek-Khinchine at 80%: the mean is 3 S, and Little's law gives the numbers of requests."""
    found = open_loop(ONE, 40.0)
    assert (found.queue, found.unstable_at_rps) == ("M/D/1", 50.0)
    assert found.utilisation == pytest.approx(0.8)
    assert found.mean_ms == pytest.approx(60)
    assert found.mean_wait_ms == pytest.approx(40)
    assert found.mean_queue_length == pytest.approx(1.6)
    assert found.mean_in_system == pytest.approx(2.4)
    assert found.waits == pytest.approx(0.8)
    assert found.p50_ms < found.mean_ms < found.p95_ms < found.p99_ms < found.p99_9_ms


def test_an_open_loop_of_one_exponential_server() -> None:
    found = open_loop(Server(20.0, 1, "exponential"), 40.0)
    assert found.mean_ms == pytest.approx(100)
    assert found.p99_9_ms == pytest.approx(100 * math.log(1000))


def test_any_number_of_workers_has_neither_utilisation_nor_limit() -> None:
    found = open_loop(Server(20.0, math.inf, "exponential"), 1e6)
    assert (found.queue, found.utilisation, found.unstable_at_rps) == ("M/M/inf", None, None)
    assert (found.mean_ms, found.waits, found.mean_queue_length) == (20.0, 0.0, 0.0)
    assert found.mean_in_system == pytest.approx(20_000)


def test_an_objective_has_a_rate_that_keeps_it_and_a_number_of_workers() -> None:
    bound = Bound(0.99, 0.1, "constant", 0.02)
    found = objective_result(ONE, "p99<100ms", bound, 40.0)
    assert found.highest_rps is not None
    assert found.utilisation == pytest.approx(found.highest_rps / 50)
    assert (found.holds, found.workers_needed) == (False, 2)
    without = objective_result(ONE, "p99<100ms", bound, None)
    assert (without.highest_rps, without.holds, without.value_ms) == (found.highest_rps, None, None)
    anything = objective_result(Server(20.0, math.inf, "constant"), "p99<100ms", bound, 40.0)
    assert (anything.highest_rps, anything.holds, anything.value_ms) == (None, True, 20.0)
    with pytest.raises(ValueError, match="without any queue it is 20 ms"):
        objective_result(ONE, "p99<1ms", Bound(0.99, 0.001, "constant", 0.02), None)
