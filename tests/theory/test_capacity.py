"""Which rate keeps an objective, and how many workers a rate needs."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iolab.theory.capacity import MOST_WORKERS, Bound, Distribution, queue


@pytest.mark.parametrize(
    ("quantile", "limit_s", "service_s", "workers", "highest_rps"),
    [
        (0.99, 0.1, 0.02026, 1, 27.42),
        (0.95, 0.1, 0.02026, 1, 34.05),
        (0.99, 1.0, 0.02026, 1, 47.06),
        (0.99, 0.1, 0.02009, 8, 371.2),
        (None, 0.03, 0.02, 1, 25.0),  # Pollaczek-Khinchine: the mean is 1.5 S at 50%
    ],
)
def test_the_rate_at_which_an_objective_of_constant_service_breaks(
    quantile: float | None, limit_s: float, service_s: float, workers: int, highest_rps: float
) -> None:
    assert Bound(quantile, limit_s, "constant", service_s).highest_rps(workers) == pytest.approx(highest_rps, rel=2e-4)


def test_the_rate_at_which_an_objective_of_exponential_service_breaks() -> None:
    """An M/M/1 queue's response time is exponential: p99 = ln(100) / (1/S - lambda)."""
    assert Bound(0.99, 0.2, "exponential", 0.02).highest_rps(1) == pytest.approx(50 - math.log(100) / 0.2)
    assert Bound(None, 0.1, "exponential", 0.02).highest_rps(1) == pytest.approx(40)


def test_an_objective_below_the_service_time_never_holds_and_one_without_a_queue_always() -> None:
    assert Bound(0.99, 0.02, "constant", 0.02).highest_rps(1) == 0.0
    assert Bound(0.99, 0.02, "constant", 0.02).highest_rps(math.inf) == 0.0
    assert Bound(0.5, 0.0138, "exponential", 0.02).highest_rps(8) == 0.0  # ln 2 x 20 ms = 13.9 ms
    assert Bound(0.5, 0.0139, "exponential", 0.02).highest_rps(8) > 0.0
    assert Bound(0.99, 0.021, "constant", 0.02).highest_rps(math.inf) == math.inf
    with pytest.raises(ValueError, match="without any queue it is 20 ms, so no rate can meet it"):
        Bound(0.99, 0.02, "constant", 0.02).least_workers(10)


def test_a_loose_objective_holds_up_to_nearly_all_that_the_workers_can_serve() -> None:
    assert 49.9 < Bound(0.99, 60.0, "constant", 0.02).highest_rps(1) < 50
    assert Bound(0.99, 1e300, "constant", 0.02).highest_rps(1) == 50


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["constant", "exponential"]),
    st.sampled_from([None, 0.5, 0.95, 0.99]),
    st.integers(1, 20),
    st.floats(6, 40),
)
def test_just_below_that_rate_an_objective_holds_and_just_above_it_does_not(
    distribution: Distribution, quantile: float | None, workers: int, limit_s: float
) -> None:
    bound = Bound(quantile, limit_s, distribution, 1.0)
    highest_rps = bound.highest_rps(workers)
    assert bound.value_s(highest_rps * (1 - 1e-5), workers) < limit_s
    if highest_rps * (1 + 1e-5) < workers:
        assert bound.value_s(highest_rps * (1 + 1e-5), workers) > limit_s


@pytest.mark.parametrize("distribution", ["constant", "exponential"])
@pytest.mark.parametrize("rate_rps", [10.0, 390.0, 3000.0])
def test_the_least_number_of_workers_is_enough_and_one_less_is_not(distribution: Distribution, rate_rps: float) -> None:
    bound = Bound(0.99, 0.1, distribution, 0.02)
    least = bound.least_workers(rate_rps)
    assert least is not None
    assert bound.value_s(rate_rps, least) < 0.1
    if (least - 1) > rate_rps * 0.02:
        assert bound.value_s(rate_rps, least - 1) >= 0.1


def test_workers_that_nobody_has_are_not_counted() -> None:
    bound = Bound(0.99, 0.021, "constant", 0.02)
    assert bound.least_workers(MOST_WORKERS / 0.02 - 1) is None
    assert bound.least_workers(1e9) is None


def test_any_number_of_workers_makes_no_request_wait() -> None:
    constant, exponential = (queue(each, 1e6, 0.02, math.inf) for each in ("constant", "exponential"))
    assert constant.response.p99_s == constant.mean_s == exponential.mean_s == 0.02
    assert exponential.quantile_s(0.5) == pytest.approx(0.02 * math.log(2))
    assert constant.beyond(0.0) == exponential.mean_wait_s == 0.0
    assert constant.utilisation == 0.0
