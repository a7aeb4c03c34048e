"""Runs as the unit: against scipy, a published example, and made-up runs whose truth is known."""

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from iolab.theory.between_runs import Difference, Within, between, holm, of_two_runs

FEW, MANY = [20.1, 20.4, 20.0], [20.9, 21.3, 20.6, 21.8, 20.8]


def test_several_runs_a_side_are_welch_s_test_of_logarithms(stats: ModuleType) -> None:
    found = between(FEW, MANY)
    assert found
    oracle = stats.ttest_ind(np.log(MANY), np.log(FEW), equal_var=False)
    assert found.p == pytest.approx(oracle.pvalue)
    interval = oracle.confidence_interval(0.95)
    assert found.interval == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    back = between(MANY, FEW)
    assert back
    assert (back.p, back.log_ratio) == pytest.approx((found.p, -found.log_ratio))


def test_a_side_with_one_run_varies_as_the_other_does(stats: ModuleType) -> None:
    """The t test of one value against n: s sqrt(1 + 1/n), with n - 1 degrees of freedom."""
    for lone in (between(MANY, [20.0]), between([20.0], MANY)):
        assert lone
        logs = np.log(MANY)
        t = (math.log(20.0) - logs.mean()) / (logs.std(ddof=1) * math.sqrt(1 + 1 / 5))
        assert lone.p == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert between([20.0], [21.0]) is None


def test_no_spread_is_no_certainty() -> None:
    assert between([20.0, 20.0], [30.0, 30.0]) is None
    told_in_steps = between([20.0, 20.0], [20.1, 20.1], resolution=0.1)
    assert told_in_steps
    assert told_in_steps.p == 1  # the two may be as good as the same
    apart = between([20.0, 20.0, 20.0], [30.0, 30.0, 30.0], resolution=0.1)
    assert apart
    assert 0 < apart.p < 1e-3
    rounding = 0.1 / math.sqrt(12)
    assert apart.error == pytest.approx(math.sqrt((rounding / 20) ** 2 / 3 + (rounding / 30) ** 2 / 3))
    assert apart.steps == pytest.approx(0.05 / 20 + 0.05 / 30)


def test_of_two_runs_only_what_is_beyond_the_noise_counts(stats: ModuleType) -> None:
    errors = (Within(0.003, 2), Within(0.004, 2))
    found = of_two_runs((20.0, 21.0), errors, noise=0.03)
    assert found
    assert (found.error, found.noise) == pytest.approx((0.005, math.log(1.03)))
    beyond = math.log(1.05) - math.log(1.03)
    freedom = 0.005**4 / (0.003**4 / 2 + 0.004**4 / 2)
    assert found.p == pytest.approx(2 * stats.t.sf(beyond / 0.005, freedom))
    assert replace(found, noise=0.0).p == pytest.approx(2 * stats.t.sf(math.log(1.05) / 0.005, freedom))
    within = of_two_runs((20.0, 20.6), errors, noise=0.031)
    assert within
    assert within.p == 1
    assert of_two_runs((20.0, 21.0), (Within(0.0, 2), Within(0.0, 2)), noise=0.03) is None
    assert of_two_runs((20.0, 21.0), (Within(0.0, 2), Within(0.0, 2)), noise=0.03, resolution=0.1)


@pytest.mark.parametrize("comparisons", [1, 32])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_the_smallest_difference_is_where_p_is_five_percent_of_all(comparisons: int, noise: float) -> None:
    found = Difference(0.0, 0.01, 4.0, steps=0.002, noise=noise)
    at = replace(found, log_ratio=math.log(found.smallest(comparisons)))
    assert at.p * comparisons == pytest.approx(0.05)
    if comparisons == 1:  # the interval ends where the noise does
        assert at.interval[0] == pytest.approx(math.exp(noise))


def test_holm_s_example() -> None:
    # https://en.wikipedia.org/wiki/Holm%E2%80%93Bonferroni_method: of 0.01, 0.04, 0.03 and 0.005, at 5% the fourth and
    # the first are rejected.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_runs_of_the_same_settings_differ_in_five_percent_of_comparisons_whatever_runs_have_in_common() -> None:
    """Each run has a part of its own, of which its repeats know nothing."""
    draw = np.random.default_rng(7)
    for deviation in (0.003, 0.01, 0.03):
        sides = np.exp(draw.normal(3, deviation, (1500, 2, 3)))
        alarms = [found.p < 0.05 for first, second in sides.tolist() if (found := between(first, second))]
        assert 0.02 < np.mean(alarms) < 0.065  # Welch's test of three and three is a little cautious
