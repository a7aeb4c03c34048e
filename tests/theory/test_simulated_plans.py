"""Simulated plans: each is the queue of the other module, and their range holds what a fresh plan gives."""

import math

import numpy as np
import pytest

from iolab.theory import queueing
from iolab.theory.capacity import Distribution, queue
from iolab.theory.plan_length import forgets_s, needed_s
from iolab.theory.simulated_plans import LOOPED_PLANS, Plan, Services, responses_s, simulated
from iolab.theory.statistics import Array

S = 0.02
CONSTANT = Services(np.full(50, S))
EXPONENTIAL = Services(np.random.default_rng(9).exponential(S, 4000))


def drawn(services: Services, draw: np.random.Generator, shape: tuple[int, int]) -> Array:
    found: Array = services.values[draw.integers(0, len(services.values), shape)]
    return found


@pytest.mark.parametrize("services", [CONSTANT, EXPONENTIAL], ids=["constant", "exponential"])
@pytest.mark.parametrize("workers", [1, 2, 8, math.inf])
def test_each_row_is_the_queue_of_one_plan(services: Services, workers: float) -> None:
    draw = np.random.default_rng(4)
    rate = 0.9 * min(workers, 16) / S
    arrivals = np.cumsum(draw.exponential(1 / rate, (5, 600)), axis=1)
    each = drawn(services, draw, arrivals.shape)
    expected = [queueing.many_servers(*rows, workers) for rows in zip(arrivals, each, strict=True)]
    assert responses_s(arrivals, each, workers) == pytest.approx(np.array(expected), rel=1e-9)


def test_service_times_that_are_nearly_constant_are_dealt_out_in_turn() -> None:
    draw = np.random.default_rng(5)
    arrivals = np.cumsum(draw.exponential(S / 7.2, (4, 3000)), axis=1)
    each = draw.uniform(0.99 * S, 1.01 * S, arrivals.shape)
    expected = [queueing.many_servers(*rows, 8).mean() for rows in zip(arrivals, each, strict=True)]
    assert responses_s(arrivals, each, 8).mean(axis=1) == pytest.approx(np.array(expected), rel=0.005)


@pytest.mark.load
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("rho", [0.5, 0.95])
@pytest.mark.parametrize("services", [CONSTANT, EXPONENTIAL], ids=["constant", "exponential"])
def test_the_range_holds_95_percent_of_fresh_plans(services: Services, workers: int, rho: float) -> None:
    plan = Plan("poisson", rho * workers / S, 8.0, workers)
    found = simulated(plan, services, 800)
    assert found
    draw, inside, number = np.random.default_rng(99), 0, 300
    for _ in range(number):
        arrivals = np.sort(draw.uniform(0, 8.0, draw.poisson(plan.rate_rps * 8.0)))
        each = services.values[draw.integers(0, len(services.values), len(arrivals))]
        mean = queueing.many_servers(arrivals, each, workers).mean()
        inside += found.mean_s[0] <= mean <= found.mean_s[1]
    assert 0.90 * number <= inside <= 0.985 * number


def test_a_short_plan_at_a_high_utilisation_is_usually_too_low() -> None:
    """It begins with an empty queue: half of the plans are below a mean that most intervals around them exclude."""
    found = simulated(Plan("poisson", 0.95 / S, 30.0, 1), CONSTANT, 1000)
    truth = queue("constant", 0.95 / S, S, 1).mean_s
    assert found
    assert found.mean_s[0] < 0.5 * truth
    assert found.mean_s[1] < 2.2 * truth
    assert found.mean_s[0] < found.p50_s[1] < found.p95_s[1] < found.p99_s[1]


def test_many_plans_with_several_workers_are_fewer() -> None:
    few = simulated(Plan("poisson", 200.0, 2.0, 8), EXPONENTIAL)
    all_of_them = simulated(Plan("poisson", 200.0, 2.0, 8), CONSTANT)
    assert few
    assert all_of_them
    assert few.plans == LOOPED_PLANS < all_of_them.plans


def test_constant_arrivals_leave_only_the_service_times_to_chance() -> None:
    found = simulated(Plan("constant", 20.0, 5.0, 1), CONSTANT)
    assert found
    assert found.mean_s == pytest.approx((S, S))
    assert found.later(0.01).p99_s == pytest.approx((S + 0.01, S + 0.01))


def test_arrivals_after_the_end_of_a_plan_do_not_count() -> None:
    """Two requests for each that one worker can serve: each response takes longer than the one before."""
    found = simulated(Plan("constant", 2 / S, 1.0, 1), CONSTANT)
    arrivals = np.arange(1, 100) * S / 2  # 0.01 to 0.99 s
    expected_s = queueing.many_servers(arrivals, np.full(99, S), 1)
    assert found
    assert found.mean_s == pytest.approx((expected_s.mean(), expected_s.mean()))
    assert found.p99_s[1] <= expected_s.max()


def test_where_hardly_a_request_comes_there_is_no_range() -> None:
    assert simulated(Plan("poisson", 0.1, 1.0, 1), CONSTANT) is None


@pytest.mark.load
@pytest.mark.parametrize(
    ("distribution", "workers", "rho"),
    [
        ("constant", 1, 0.5),
        ("constant", 1, 0.9),
        ("exponential", 1, 0.8),
        ("constant", 8, 0.9),
        ("exponential", 8, 0.8),
    ],
)
def test_a_plan_that_is_long_enough_has_a_mean_within_a_tenth(
    distribution: Distribution, workers: int, rho: float
) -> None:
    """95% of plans of that length: 90% to 99% by simulation, which is right to a third of the length."""
    found = queue(distribution, rho * workers / S, S, workers)
    services = CONSTANT if distribution == "constant" else Services(np.random.default_rng(9).exponential(S, 40_000))
    plan = Plan("poisson", found.rate_rps, needed_s(found, 0.1), workers)
    chance = simulated(plan, services, 300)
    assert chance
    half = (chance.mean_s[1] - chance.mean_s[0]) / 2 / found.mean_s
    assert 0.075 < half < 0.13


@pytest.mark.parametrize("rho", [0.3, 0.8, 0.95])
def test_the_length_follows_from_the_exact_variance_of_the_waiting_time(rho: float) -> None:
    """M/M/1: E[W^2] = 2 rho / a^2 with a = (1 - rho) / S; M/D/1, by Takacs: 2 E[W]^2 + lambda S^3 / (3 (1 - rho))."""
    rate, drain = rho / S, (1 - rho) / S
    for distribution, second_moment, service in (
        ("constant", 2 * (rho * S / 2 / (1 - rho)) ** 2 + rate * S**3 / 3 / (1 - rho), 0.0),
        ("exponential", 2 * rho / drain**2, S**2),
    ):
        found = queue("constant" if distribution == "constant" else "exponential", rate, S, 1)
        waiting = second_moment - found.mean_wait_s**2
        of_a_second = waiting * (2 / rate + forgets_s(found)) + service / rate
        assert needed_s(found, 0.1) == pytest.approx((1.96 / 0.1 / found.mean_s) ** 2 * of_a_second, rel=0.01)


def test_the_length_grows_with_the_square_of_what_is_to_be_known() -> None:
    found = queue("constant", 45.0, S, 1)
    assert needed_s(found, 0.05) == pytest.approx(4 * needed_s(found, 0.1))


def test_constant_service_forgets_about_twice_as_fast() -> None:
    constant, exponential = (forgets_s(queue(each, 47.5, S, 1)) for each in ("constant", "exponential"))
    assert constant == pytest.approx(exponential / 2, rel=0.03)
