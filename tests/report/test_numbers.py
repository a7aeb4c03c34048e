"""Numbers as reports write them."""

import math

import pytest

from iolab.report import numbers


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(None, "-"), (0.0213, "21.3 ms"), (0.1234, "123 ms"), (5.4, "5.40 s"), (math.inf, "never")],
)
def test_latencies(value_s: float | None, text: str) -> None:
    assert numbers.latency(value_s) == text


def test_a_percentile_of_too_few_is_not_one_of_nothing() -> None:
    assert [numbers.percentile(value_s, count) for value_s, count in ((0.1, 9), (None, 9), (None, 0))] == [
        "100 ms",
        "too few",
        "-",
    ]


def test_the_median_of_a_few_values_is_not_known() -> None:
    assert [numbers.median([0.02] * count) for count in (6, 5, 0)] == ["20.0 ms", "too few", "-"]
    assert numbers.median([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == "350 ms"


def test_things_are_counted_with_their_noun() -> None:
    found = [
        numbers.counted(*each)
        for each in ((1, "thread"), (1001, "thread"), (1, "process"), (6, "process"), (2, "strategy"), (3, "day"))
    ]
    assert found == ["1 thread", "1,001 threads", "1 process", "6 processes", "2 strategies", "3 days"]
    assert [numbers.count(each) for each in (None, 0, 1234, 945.6)] == ["-", "0", "1,234", "946"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0 KiB"),
        (-20.0, "0.0 KiB"),
        (-3.0 * 1024, "-3.0 KiB"),
        (14.7 * 1024, "14.7 KiB"),
        (200 * 1024, "200 KiB"),
        (166 * 2**20, "166 MiB"),
        (1.6 * 2**30, "1.6 GiB"),
    ],
)
def test_amounts_of_memory(value: float, text: str) -> None:
    assert numbers.memory(value) == text


def test_small_shares_keep_their_digits() -> None:
    shares = (0.000004, 0.00004, 0.0003, 0.028, 0.5)
    assert [numbers.share(each) for each in shares] == ["<0.001%", "0.004%", "0.03%", "2.8%", "50%"]


def test_a_utilisation_below_1_is_not_shown_as_100_percent() -> None:
    shares = (None, 0.05, 0.994, 0.996, 0.9996, 0.99996, 0.999996, 1.0, 1.2)
    shown = ["-", "5%", "99%", "99.6%", "99.96%", "99.996%", "<100%", "100%", "120%"]
    assert [numbers.utilisation(each) for each in shares] == shown


def test_a_list_has_its_and() -> None:
    assert [numbers.listed(parts) for parts in ([], ["1"], ["1", "2"], ["1", "2", "3"])] == [
        "",
        "1",
        "1 and 2",
        "1, 2 and 3",
    ]
