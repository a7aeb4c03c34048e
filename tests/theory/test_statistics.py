import math
from types import ModuleType

import numpy as np
import pytest

from iolab.theory import statistics
from iolab.theory.statistics import Array, median_interval, percentile, quantile_estimate, quantile_of, ratio_interval


def test_a_percentile_of_too_few_values_is_not_known() -> None:
    assert percentile(np.arange(367.0), 0.99) is None
    assert percentile(np.arange(368.0), 0.99) == pytest.approx(363.33)
    assert percentile(np.arange(200.0), 0.99) is None
    assert percentile(np.arange(71.0), 0.95) is None
    assert percentile(np.arange(72.0), 0.95) is not None
    assert percentile(np.arange(5.0), 0.5) is None
    assert percentile(np.arange(6.0), 0.5) == 2.5
    assert percentile(np.empty(0), 0.95) is None


@pytest.mark.parametrize("count", [1, 2, 7, 100])
@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.5, 0.95, 1.0])
def test_quantiles_are_numpy_s(count: int, quantile: float) -> None:
    values = np.random.default_rng(count).normal(size=count)
    assert quantile_of(values, quantile) == pytest.approx(float(np.quantile(values, quantile)), rel=1e-12)


@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("lengths", [(1, 1, 1), (1, 40, 7), (30, 30, 30, 30, 30)])
def test_resamples_are_those_of_their_repeats_put_together(lengths: tuple[int, ...], quantile: float) -> None:
    draw = np.random.default_rng(len(lengths))
    repeats = [draw.integers(0, 30, length) / 7 for length in lengths]  # many values are there more than once
    drawn = draw.integers(0, len(lengths), (60, len(lengths)))
    found = statistics._resampled(repeats, drawn, quantile)
    for row, value in zip(drawn, found, strict=True):
        assert value == quantile_of(np.concatenate([repeats[index] for index in row]), quantile)


def test_the_interval_comes_from_the_repeats_not_from_the_requests() -> None:
    close = [np.full(200, value) for value in (20.0, 21.0, 22.0)]
    low, high = median_interval(close) or (0, 0)
    assert low < 20.0  # three repeats tell little: their own range would be too narrow
    assert high > 22.0
    # a hundred times more requests would not make it narrower
    assert median_interval([np.full(20_000, value) for value in (20.0, 21.0, 22.0)]) == (low, high)


def test_three_repeats_are_as_wide_as_student_s_t_and_the_missing_repeat_make_them() -> None:
    """Of 27 draws of three repeats the middle one is the lowest in 7, the highest in 7: their spread is known."""
    logs = np.log(np.repeat([20.0, 21.0, 22.0], [7, 13, 7]) / 21)
    half = 4.3027 * float(logs.std()) * np.sqrt(3 / 2)  # Student's t with two degrees of freedom
    low, high = median_interval([np.full(9, value) for value in (20.0, 21.0, 22.0)]) or (0, 0)
    assert np.log(high / 21) == pytest.approx(half, rel=0.08)  # 999 draws
    assert np.log(21 / low) == pytest.approx(half, rel=0.08)


def runs(draw: np.random.Generator, repeats: int, level: float = 20.0) -> list[Array]:
    """Return repeats whose requests are correlated: each repeat has a level of its own."""
    return [draw.normal(level * np.exp(draw.normal(0, 0.02)), 1, 100) for _ in range(repeats)]


@pytest.mark.load
@pytest.mark.parametrize("repeats", [3, 6])
def test_intervals_cover_the_truth_and_equal_things_are_seldom_called_different(repeats: int) -> None:
    draw = np.random.default_rng(repeats)
    covered = different = 0
    for _ in range(60):
        low, high = median_interval(runs(draw, repeats)) or (0, 0)
        covered += low <= 20 <= high
        _, low, high = ratio_interval(runs(draw, repeats), runs(draw, repeats)) or (0, 0, 0)
        different += not low <= 1 <= high
    assert covered >= 52  # of 60; 57 are expected
    assert different <= 7  # 3 are


def test_a_real_difference_is_found() -> None:
    draw = np.random.default_rng(1)
    ratio, low, high = ratio_interval(runs(draw, 6, 24.0), runs(draw, 6, 20.0)) or (0, 0, 0)
    assert 1 < low < ratio < high
    assert ratio == pytest.approx(1.2, rel=0.05)


def test_the_step_in_which_latencies_are_told_widens_an_interval() -> None:
    same = [np.full(50, 20.0)] * 3
    assert median_interval(same, resolution=0.1) == pytest.approx((19.95, 20.05))
    _, low, high = ratio_interval(same, same, resolution=0.1) or (0, 0, 0)
    assert (low, high) == pytest.approx((0.995, 1.005))
    assert ratio_interval(same, same[:2]) is None


def test_more_repeats_make_it_narrower() -> None:
    draw = np.random.default_rng(4)

    def width(repeats: int) -> float:
        low, high = median_interval([draw.normal(level, 0.1, 50) for level in draw.normal(20, 1, repeats)]) or (0, 0)
        return high - low

    assert width(60) < width(4)


def test_equal_repeats_have_a_point_for_an_interval() -> None:
    assert median_interval([np.full(10, 20.0)] * 3) == pytest.approx((20.0, 20.0))


def test_without_three_repeats_there_is_none() -> None:
    assert median_interval([np.ones(100)] * 2) is None
    assert median_interval([np.ones(100), np.ones(100), np.empty(0)]) is None


@pytest.mark.parametrize("repeats", [3, 5, 9])
def test_the_error_of_a_median_is_that_of_scipy_s_bootstrap(repeats: int, stats: ModuleType) -> None:
    drawn = np.random.default_rng(repeats)
    values = [drawn.exponential(0.02, 50) for _ in range(repeats)]

    def log_median(indices: Array) -> float:
        return math.log(float(np.median(np.concatenate([values[int(index)] for index in indices]))))

    theirs = stats.bootstrap(
        (np.arange(repeats),),
        log_median,
        vectorized=False,
        n_resamples=999,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    estimate = quantile_estimate(values)
    assert estimate
    assert estimate.log_error == pytest.approx(theirs.standard_error * math.sqrt(repeats / (repeats - 1)))


def test_a_ratio_s_interval_is_welch_s(stats: ModuleType) -> None:
    """Three repeats that vary beside six that hardly do: almost two degrees of freedom, not seven."""
    these = [np.full(9, value) for value in (20.0, 21.0, 22.0)]
    those = [np.full(9, 10.0 + number / 1000) for number in range(6)]
    one, other = quantile_estimate(these), quantile_estimate(those, 1)
    assert one
    assert other
    squares = [(each.log_error**2, each.freedom) for each in (one, other)]
    total = sum(square for square, _ in squares)
    # https://en.wikipedia.org/wiki/Welch%E2%80%93Satterthwaite_equation
    freedom = total**2 / sum(square**2 / freedom for square, freedom in squares)
    for left, right, value in ((these, those, one.value / other.value), (those, these, other.value / one.value)):
        ratio, low, high = ratio_interval(left, right) or (0, 0, 0)
        assert ratio == pytest.approx(value)
        half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(total)
        assert math.log(high / ratio) == pytest.approx(half, rel=0.08)  # seeds are of places
        assert math.log(ratio / low) == pytest.approx(half, rel=0.08)
    assert freedom == pytest.approx(2, abs=0.01)


def test_the_step_of_a_ratio_is_that_of_both() -> None:
    these, those = [np.full(50, 20.0)] * 3, [np.full(50, 2.0)] * 3
    for left, right, ratio in ((these, those, 10.0), (those, these, 0.1)):
        _, low, high = ratio_interval(left, right, resolution=0.1) or (0, 0, 0)
        assert (low / ratio, high / ratio) == pytest.approx((1 - 0.0275, 1 + 0.0275))
