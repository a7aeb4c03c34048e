import numpy as np
import pytest

from iolab.stats import least_count, median_interval, percentile


def test_least_counts_are_those_of_wilks() -> None:
    # https://en.wikipedia.org/wiki/Tolerance_interval: 59 for 95%/95%, 299 for 99%/95%
    assert (least_count(0.95), least_count(0.99), least_count(0.5)) == (59, 299, 5)


def test_a_percentile_of_too_few_values_is_not_known() -> None:
    assert percentile(np.arange(298.0), 0.99) is None
    assert percentile(np.arange(299.0), 0.99) == pytest.approx(295.02)
    assert percentile(np.empty(0), 0.95) is None


def test_the_interval_comes_from_the_repeats_not_from_the_requests() -> None:
    close = [np.full(200, value) for value in (20.0, 21.0, 22.0)]
    low, high = median_interval(close) or (0, 0)
    assert (low, high) == (20.0, 22.0)  # a hundred times more requests would not make it narrower
    assert median_interval([np.full(20_000, value) for value in (20.0, 21.0, 22.0)]) == (low, high)


def test_more_repeats_make_it_narrower() -> None:
    draw = np.random.default_rng(4)

    def width(repeats: int) -> float:
        low, high = median_interval([draw.normal(level, 0.1, 50) for level in draw.normal(20, 1, repeats)]) or (0, 0)
        return high - low

    assert width(60) < width(4)


def test_equal_repeats_have_a_point_for_an_interval() -> None:
    assert median_interval([np.full(10, 20.0)] * 3) == (20.0, 20.0)


def test_without_three_repeats_there_is_none() -> None:
    assert median_interval([np.ones(100)] * 2) is None
    assert median_interval([np.ones(100), np.ones(100), np.empty(0)]) is None
