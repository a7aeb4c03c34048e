"""Intervals of percentiles by order statistics: published ranks, the exact tails, and their coverage."""

import math

import numpy as np
import pytest

from iolab.theory.order_statistics import interval, ranks


def below(count: int, quantile: float, rank: int) -> float:
    """Return P(fewer than `rank` of `count` values lie below the quantile), summed term by term."""
    return math.fsum(math.comb(count, k) * quantile**k * (1 - quantile) ** (count - k) for k in range(rank))


@pytest.mark.parametrize(
    ("count", "quantile", "expected"),
    [
        (624, 0.99, (612, 623)),
        (600, 0.95, (559, 581)),
        (10, 0.5, (2, 9)),  # David, Nagaraja: the sign-test interval of the median, 97.9%
        (6, 0.5, (1, 6)),
    ],
)
def test_known_ranks(count: int, quantile: float, expected: tuple[int, int]) -> None:
    assert ranks(count, quantile) == expected


@pytest.mark.parametrize(("quantile", "least"), [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_too_few_values_have_no_interval(quantile: float, least: int) -> None:
    """The largest of n values is below the quantile with probability q^n: that must be 2.5% at most."""
    assert least == math.ceil(math.log(0.025) / math.log(quantile))
    assert ranks(least - 1, quantile) is None
    assert ranks(least, quantile) is not None
    assert interval(np.arange(least - 1.0), quantile) is None


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("count", [80, 150, 301])
def test_each_tail_is_the_narrowest_that_suffices(count: int, quantile: float, confidence: float) -> None:
    found, tail = ranks(count, quantile, confidence), (1 - confidence) / 2
    if found is None:
        assert min(quantile, 1 - quantile) == pytest.approx(0.05)
        assert 0.95**count > tail
        return
    low, high = found
    assert below(count, quantile, low) <= tail < below(count, quantile, low + 1)
    assert 1 - below(count, quantile, high) <= tail < 1 - below(count, quantile, high - 1)


def test_the_interval_has_the_values_of_those_ranks_in_any_order() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1.0, 625.0))
    assert interval(values, 0.99) == (612.0, 623.0)


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_it_covers_the_quantile_of_any_distribution(quantile: float) -> None:
    drawn = np.random.default_rng(7).lognormal(size=(2000, 600))
    truth = math.exp({0.5: 0.0, 0.95: 1.6448536269514722, 0.99: 2.3263478740408408}[quantile])
    found = [interval(each, quantile) for each in drawn]
    hits = sum(each is not None and each[0] <= truth <= each[1] for each in found)
    assert 0.945 <= hits / len(drawn) <= 0.99


@pytest.mark.parametrize(("quantile", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.5, 0.0), (0.5, 1.0)])
def test_nonsense_is_refused(quantile: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ranks(100, quantile, confidence)
