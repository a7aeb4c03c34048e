"""The bracket of a search holds the truth: the simulation of benchmarks/coverage_slo.py, with fewer searches."""

import pytest

from benchmarks.coverage_slo import Ideal, figures, searches
from iolab.kinds.slo.settings import Search

pytestmark = pytest.mark.load  # statistics of many searches

SHORT = Search(least_s=10.0, most_s=60.0)


@pytest.mark.parametrize(
    ("ideal", "narrower_than"),
    [
        (Ideal("p95<100ms", 0.02026), 2.0),
        (Ideal("p99<100ms", 0.02026), 10.0),  # a minute at 27 a second hardly bounds a p99 from above
        (Ideal("p95<100ms", 0.02026, 1, "exponential"), 4.0),
    ],
)
def test_a_bracket_holds_the_true_rate(ideal: Ideal, narrower_than: float) -> None:
    found = searches(ideal, 60, SHORT, seed=3)
    assert found.holds >= 0.90 * 60
    low, high = found.ends()
    assert high < 1.6
    assert low == 0.0 or high / low < narrower_than


def test_a_longer_time_at_each_rate_makes_the_bracket_narrower() -> None:
    short, long = (searches(Ideal("p95<100ms", 0.02026), 30, Search(most_s=most_s), seed=1) for most_s in (60.0, 600.0))
    assert long.holds >= 27
    (low, high), (nearer, farther) = short.ends(), long.ends()
    assert farther - nearer < high - low


def test_the_figures_name_each_search() -> None:
    headings, *rows = list(figures(count=1))
    assert {len(row) for row in rows} == {len(headings)}
    assert rows[0][0] == "p99<100ms, M/D/1, S = 20.26 ms"
    assert rows[0][1] == "27.42/s"
