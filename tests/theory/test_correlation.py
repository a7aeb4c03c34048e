"""How much a correlated series knows, and the coverage of the intervals that follow from it."""

import math

import numpy as np
import pytest

from iolab.theory import correlation, queueing
from iolab.theory.correlation import count_as_one
from iolab.theory.queueing import ExponentialService
from iolab.theory.statistics import Array


def autoregressive(draw: np.random.Generator, keeps: float, count: int) -> Array:
    """Return x' = keeps x + noise, of which 1 + 2 (keeps + keeps^2 + ...) = (1 + keeps) / (1 - keeps) count as one."""
    values = np.empty(count)
    values[0] = draw.normal(0.0, 1 / math.sqrt(1 - keeps**2))
    for index, noise in enumerate(draw.normal(size=count - 1).tolist()):
        values[index + 1] = keeps * values[index] + noise
    return values + 10.0


def queue(draw: np.random.Generator, rate: float, count: int) -> Array:
    """Return response times of an M/M/1 queue with a service time of 1 that has run for long."""
    arrivals = np.cumsum(draw.exponential(1 / rate, count + 2000))
    return queueing.one_server(arrivals, draw.exponential(1.0, count + 2000))[2000:]


@pytest.mark.parametrize("keeps", [0.0, 0.5, 0.9])
def test_values_that_count_as_one(keeps: float) -> None:
    draw = np.random.default_rng(3)
    expected = (1 + keeps) / (1 - keeps)
    assert count_as_one([autoregressive(draw, keeps, 40_000)]) == pytest.approx(expected, rel=0.12)
    parts = [autoregressive(draw, keeps, 4000) for _ in range(10)]
    assert count_as_one(parts) == pytest.approx(expected, rel=0.15)


def test_series_that_are_too_short_or_do_not_vary_are_independent() -> None:
    assert count_as_one([np.array([1.0])]) == 1.0
    assert count_as_one([np.full(500, 0.02)]) == 1.0
    assert count_as_one([np.array([0.1, 0.2, 0.1]), np.array([0.3, 0.1])]) == 1.0


def test_without_values_nothing_is_known() -> None:
    assert correlation.quantile([], 0.99, 0.95) is None
    assert correlation.mean([np.array([])], 0.95) is None


def test_independent_values_have_the_ranks_of_order_statistics() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1.0, 625.0))
    found = correlation.quantile([values], 0.99, 0.95)
    assert found
    assert 560 < found.independent <= 624
    assert found.low == pytest.approx(612, abs=2)
    assert found.high == pytest.approx(623, abs=1)


def test_few_values_bound_a_high_percentile_from_below_alone() -> None:
    found = correlation.quantile([np.random.default_rng(2).uniform(size=50)], 0.99, 0.95)
    assert found
    assert found.low is not None
    assert found.high is None


def test_more_of_the_same_makes_an_interval_narrower() -> None:
    values = np.random.default_rng(2).exponential(size=2000)
    now, later = (correlation.quantile([values], 0.95, 0.95, times) for times in (1.0, 8.0))
    assert now
    assert later
    assert later.independent == pytest.approx(8 * now.independent, rel=0.01)
    assert now.low is not None
    assert later.low is not None
    assert now.high is not None
    assert later.high is not None
    assert now.low < later.low < later.value < later.high < now.high
    means = [correlation.mean([values], 0.95, times) for times in (1.0, 8.0)]
    widths = [(each.high or 0) - (each.low or 0) for each in means if each]
    assert widths[0] == pytest.approx(widths[1] * math.sqrt(8), rel=0.05)


@pytest.mark.parametrize(("quantile", "count"), [(0.95, 3000), (0.99, 8000)])
def test_an_interval_of_a_percentile_covers_it_where_requests_wait_behind_each_other(
    quantile: float, count: int
) -> None:
    """At 60% some ten requests of an M/M/1 queue count as one."""
    draw, truth = np.random.default_rng(11), ExponentialService(0.6, 1.0, 1).quantile_s(quantile)
    runs = [queue(draw, 0.6, count) for _ in range(300)]
    found = [correlation.quantile([each], quantile, 0.95) for each in runs]
    hits = sum(bool(each and (each.low or 0) <= truth <= (each.high or math.inf)) for each in found)
    assert hits >= 0.91 * 300


def test_an_interval_of_a_mean_covers_it() -> None:
    draw, truth = np.random.default_rng(12), ExponentialService(0.6, 1.0, 1).mean_s
    found = [correlation.mean([queue(draw, 0.6, 6000)], 0.95) for _ in range(300)]
    hits = sum(bool(each and each.low and each.high and each.low <= truth <= each.high) for each in found)
    assert hits >= 0.90 * 300
    few = correlation.mean([queue(draw, 0.6, 200)], 0.95)
    assert few
    assert few.independent < correlation.LEAST_OF_A_MEAN
    assert (few.low, few.high) == (None, None)
