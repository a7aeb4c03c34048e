"""Formulas against published values, against each other and against a simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iolab.theory import queueing
from iolab.theory.constant_service import ConstantService
from iolab.theory.queueing import ExponentialService


@pytest.mark.parametrize(
    ("servers", "load", "waits"),
    [
        # Closed forms of Erlang's C: c = 1 gives rho; c = 2 gives a^2 / (2 + a), Kleinrock (1975), section 3.5.
        (1, 0.7, 0.7),
        (2, 1.0, 1 / 3),
        (2, 1.5, 1.5**2 / 3.5),
        # Erlang C tables, such as Cooper, Introduction to Queueing Theory (1981), appendix: 8 servers, 6 erlangs.
        (8, 6.0, 0.3570),
    ],
)
def test_the_probability_to_wait(servers: int, load: float, waits: float) -> None:
    assert queueing.erlang_c(load / 0.02, 0.02, servers) == pytest.approx(waits, abs=5e-4)
    assert ExponentialService(load / 0.02, 0.02, servers).beyond(0.0) == pytest.approx(waits, abs=5e-4)


@pytest.mark.parametrize("rho", [0.3, 0.8, 0.95, 0.999999])
def test_one_exponential_server_has_exponential_response_times(rho: float) -> None:
    """Kleinrock (1975), equation 3.26, and the distribution in section 5.12."""
    found = ExponentialService(rho / 0.02, 0.02, 1)
    mean = 0.02 / (1 - rho)
    assert found.mean_s == pytest.approx(mean)
    for quantile in (0.5, 0.95, 0.99, 0.999):
        assert found.quantile_s(quantile) == pytest.approx(-mean * math.log(1 - quantile))
    assert found.response.p95_s == found.quantile_s(0.95)


def test_many_exponential_servers_agree_with_a_simulation() -> None:
    draw = np.random.default_rng(1)
    arrivals = np.cumsum(draw.exponential(1 / 320, 200_000))
    services = np.random.default_rng(2).exponential(0.02, 200_000)
    simulated = queueing.many_servers(arrivals, services, 8)
    found = ExponentialService(320, 0.02, 8)
    assert found.mean_s == pytest.approx(float(simulated.mean()), rel=0.03)
    assert found.quantile_s(0.95) == pytest.approx(float(np.quantile(simulated, 0.95)), rel=0.03)


@pytest.mark.parametrize("servers", [2, 8])
def test_queue_and_service_of_the_same_rate_are_no_special_case(servers: int) -> None:
    """With c (1 - rho) = 1 the sum of both is Erlang-2, whose tail is (1 + t) exp(-t); nearby it hardly differs."""
    found = ExponentialService(servers - 1.0, 1.0, servers)
    for time in (0.1, 1.0, 5.0):
        tail = math.exp(-time) * (1 + found.waits * time)
        assert found.later(time) == pytest.approx(tail, rel=1e-12)
        for off in (-1e-7, 1e-7):
            assert ExponentialService(servers - 1 + off, 1.0, servers).later(time) == pytest.approx(tail, rel=1e-5)


@pytest.mark.parametrize(("rate", "servers"), [(1.5, 2), (7.2, 8), (0.6, 2)])
def test_the_tail_of_a_response_is_that_of_the_book(rate: float, servers: int) -> None:
    """Gross, Harris (1998), equation 2.37, as it stands there."""
    found = ExponentialService(rate, 1.0, servers)
    drain = servers - rate
    for time in (0.2, 2.0, 9.0):
        both = (drain * math.exp(-time) - math.exp(-drain * time)) / (drain - 1)
        assert found.later(time) == pytest.approx((1 - found.waits) * math.exp(-time) + found.waits * both)


def test_a_busier_queue_forgets_later_and_one_that_is_none_at_once() -> None:
    """Cohen (1982): 1 / (mu (1 - sqrt(rho))^2); at rho = 1/4, four service times."""
    assert queueing.relaxation_s(0.25, 1.0, 1) == pytest.approx(4.0)
    assert queueing.relaxation_s(12.5, 0.02, 1) == pytest.approx(0.08)
    assert queueing.relaxation_s(100.0, 0.02, 8) == pytest.approx(0.01)  # eight servers: an eighth of the time
    assert queueing.relaxation_s(380, 0.02, 8) > 10 * queueing.relaxation_s(320, 0.02, 8)
    assert queueing.relaxation_s(1000, 0.02, math.inf) == 0.0


def test_a_queue_without_end_and_one_without_arrivals_are_refused() -> None:
    for queue in (ExponentialService, ConstantService):
        with pytest.raises(ValueError, match="below 1"):
            queue(50.0, 0.02, 1)
        with pytest.raises(ValueError, match="above 0"):
            queue(0.0, 0.02, 1)


def test_a_request_that_arrives_alone_does_not_wait() -> None:
    arrivals, services = np.array([0.0, 1.0, 1.01]), np.array([0.02, 0.02, 0.02])
    assert queueing.one_server(arrivals, services) == pytest.approx([0.02, 0.02, 0.03])
    assert queueing.many_servers(arrivals, services, 2) == pytest.approx([0.02, 0.02, 0.02])
    assert queueing.many_servers(arrivals, services, math.inf) == pytest.approx(services)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 1)), min_size=1, max_size=60), st.integers(1, 4))
def test_both_recursions_agree_and_more_servers_never_make_anybody_wait_longer(
    customers: list[tuple[float, float]], servers: int
) -> None:
    arrivals = np.cumsum([gap for gap, _ in customers])
    services = np.array([service for _, service in customers])
    one = queueing.one_server(arrivals, services)
    free = 0.0  # Lindley's recursion, as it stands in the book
    for index, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        free = max(free, float(arrival)) + service
        assert one[index] == pytest.approx(free - arrival)
    many = queueing.many_servers(arrivals, services, servers)
    assert np.all(many <= one + 1e-9)
    assert np.all(many >= services - 1e-9)
