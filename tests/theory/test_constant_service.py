"""M/D/c against published values and four methods that have nothing in common with the one that is used."""

import math
from fractions import Fraction

import numpy as np
import pytest

from iolab.theory import queueing
from iolab.theory.constant_service import HEAVY, ConstantService, waiting


def queue(rho: float, servers: int = 1) -> ConstantService:
    return ConstantService(rho * servers, 1.0, servers)


@pytest.mark.parametrize("rho", [1e-9, 0.1, 0.5, 0.9, 0.999, 1 - HEAVY, 1 - HEAVY / 2, 1 - 1e-8])
def test_one_constant_server_waits_half_as_long_as_an_exponential_one(rho: float) -> None:
    """Pollaczek-Khinchine, in Kleinrock (1975), equation 5.69: rho S / (2 (1 - rho)); a share rho waits."""
    found = queue(rho)
    assert found.mean_wait_s == pytest.approx(rho / (2 * (1 - rho)), rel=1e-6)
    assert found.beyond(0.0) == pytest.approx(rho, rel=1e-4)


@pytest.mark.parametrize(
    ("rho", "p95", "p99"),
    [(0.9, 15.129, 22.898), (0.95, 30.116, 45.938)],
)
def test_percentiles_of_one_server(rho: float, p95: float, p99: float) -> None:
    assert queue(rho).response.p95_s == pytest.approx(p95, abs=5e-4)
    assert queue(rho).response.p99_s == pytest.approx(p99, abs=5e-4)


def erlang(rho: Fraction, wait: Fraction) -> float:
    """Return P(W > wait) of M/D/1 by Erlang's series (1909), which alternates: so in fractions, and with exp() apart.

    P(W <= x) = (1 - rho) sum over j = 0 ... floor(x) of (-rho (x - j))^j / j! exp(rho (x - j)).
    """
    total = Fraction(0)
    for number in range(math.floor(wait) + 1):
        left = rho * (wait - number)
        total += (-left) ** number / math.factorial(number) * exp(left)
    return float(1 - (1 - rho) * total)


def exp(value: Fraction) -> Fraction:
    term, total = Fraction(1), Fraction(1)
    for number in range(1, 120):
        term = term * value / number
        total += term
    return total


@pytest.mark.parametrize("rho", [Fraction(3, 10), Fraction(7, 10), Fraction(9, 10)])
def test_one_server_has_the_distribution_of_erlang_s_series(rho: Fraction) -> None:
    for wait in (Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(47, 4)):
        assert queue(float(rho)).beyond(float(wait)) == pytest.approx(erlang(rho, wait), rel=1e-6, abs=1e-12)


def stationary(rho: float, servers: int, states: int = 400) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the distribution of the number in the system by its chain N' = max(N - c, 0) + Poisson(c rho)."""
    mean = rho * servers
    arrivals = np.exp([k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(states)])
    chain = np.zeros((states, states))
    for state in range(states):
        left = max(state - servers, 0)
        chain[state, left:] = arrivals[: states - left]
        chain[state, -1] += 1 - chain[state].sum()
    equations = np.vstack([chain.T - np.eye(states), np.ones(states)])
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = np.linalg.lstsq(
        equations, np.append(np.zeros(states), 1.0), rcond=None
    )[0]
    return found


@pytest.mark.parametrize(("rho", "servers"), [(0.4, 2), (0.8, 3), (0.9, 8), (0.7, 20)])
def test_many_servers_have_the_queue_of_the_embedded_chain(rho: float, servers: int) -> None:
    """Crommelin (1932): the mean number of waiting requests, and the share of requests that wait."""
    numbers = stationary(rho, servers)
    found = queue(rho, servers)
    waiting = sum(max(state - servers, 0) * float(share) for state, share in enumerate(numbers))
    assert found.mean_wait_s * found.rate_rps == pytest.approx(waiting, rel=1e-6)
    assert found.beyond(0.0) == pytest.approx(float(numbers[servers:].sum()), rel=1e-6)
    for turns in (1, 2, 3):  # whole service times: as many are in the system as are served in that time, or more
        assert found.beyond(float(turns)) == pytest.approx(float(numbers[(turns + 1) * servers :].sum()), rel=1e-5)


@pytest.mark.parametrize(("rho", "servers"), [(0.3, 1), (0.5, 4), (0.9, 2), (0.6, 300), (0.1, 100)])
def test_the_mean_is_that_of_spitzer_s_sum(rho: float, servers: int) -> None:
    """E L = sum over n of E max(Poisson(n c rho) - n c, 0) / n; also where it is as small as 1e-64."""
    total = 0.0
    for number in range(1, 3000):
        mean, least = number * servers * rho, number * servers
        top = least + 40 * math.ceil(math.sqrt(least)) + 40
        excess = sum(
            (k - least) * math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(least + 1, top)
        )
        total += excess / number
        if excess < 1e-9 * total:
            break
    found = queue(rho, servers)
    assert found.mean_wait_s * found.rate_rps == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize(("rho", "servers"), [(0.8, 8), (0.85, 3)])
def test_many_servers_agree_with_the_general_simulation(rho: float, servers: int) -> None:
    draw = np.random.default_rng(3)
    arrivals = np.cumsum(draw.exponential(1 / (rho * servers), 400_000))
    simulated = queueing.many_servers(arrivals, np.ones(len(arrivals)), servers)
    found = queue(rho, servers).response
    assert found.mean_s == pytest.approx(float(simulated.mean()), rel=0.02)
    for name, quantile in (("p50_s", 0.5), ("p95_s", 0.95), ("p99_s", 0.99)):
        assert getattr(found, name) == pytest.approx(float(np.quantile(simulated, quantile)), rel=0.03)


@pytest.mark.parametrize("servers", [1, 8, 300])
@pytest.mark.parametrize("rho", [0.5, 0.97, 0.999])
def test_a_quantile_is_where_the_tail_is_that_share(rho: float, servers: int) -> None:
    found = queue(rho, servers)
    for quantile in (0.5, 0.99, 0.999):
        wait = found.quantile_s(quantile) - 1
        if wait:
            assert found.beyond(wait) == pytest.approx(1 - quantile, rel=1e-6)
        else:
            assert found.beyond(0.0) <= 1 - quantile


@pytest.mark.parametrize("servers", [1, 8, 300])
def test_what_is_used_near_a_utilisation_of_1_follows_on_what_is_used_below(servers: int) -> None:
    """Both sides of the limit, in units of the idle share: no step of more than some 1e-4 of the value."""
    below, above = queue(1 - HEAVY * 1.001, servers), queue(1 - HEAVY * 0.999, servers)
    for quantile in (None, 0.5, 0.999):
        scaled = [
            (each.mean_wait_s if quantile is None else each.quantile_s(quantile)) * (1 - each.utilisation)
            for each in (below, above)
        ]
        assert scaled[0] == pytest.approx(scaled[1], rel=1e-3)


def test_deep_percentiles_of_a_busy_queue_grow_by_an_exponential_law() -> None:
    """The tail is s exp(-a t): p99.99 - p99.9 = p99.9 - p99. Tijms (2003), section 9.6.2."""
    found = queue(0.99, 4)
    p99, p999, p9999 = (found.quantile_s(each) for each in (0.99, 0.999, 0.9999))
    assert p9999 - p999 == pytest.approx(p999 - p99, rel=1e-6)


def test_near_a_utilisation_of_1_the_tail_falls_by_the_pole_that_is_nearest_to_1() -> None:
    """The pole 1 + e solves z^c = exp(c rho (z - 1)), that is log(1 + e) = rho e."""
    idle = HEAVY / 2
    first, second = waiting(1 - idle, 8).at_least(np.array([10_000.0, 20_000.0]))
    pole = math.expm1(math.log(first / second) / 10_000)
    assert 1 - math.log1p(pole) / pole == pytest.approx(idle, rel=1e-6)
