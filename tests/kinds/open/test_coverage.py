"""The range of simulated plans holds a plan's mean: the simulation of benchmarks/coverage_open.py, with fewer plans."""

import pytest

from benchmarks.coverage_open import figures, long_enough, within_range
from iolab.theory.capacity import Distribution

pytestmark = pytest.mark.load  # statistics of many plans


@pytest.mark.parametrize(("distribution", "rho"), [("constant", 0.95), ("exponential", 0.5), ("exponential", 0.9)])
def test_the_range_holds_the_mean_and_the_percentiles_of_a_plan(distribution: Distribution, rho: float) -> None:
    """The interval of batch means held the mean in 52% of the plans at 95% utilisation."""
    found = within_range(distribution, 1, rho, 200)
    assert [*found] == ["mean", "p50", "p95", "p99"]
    assert 0.90 * 200 <= found["mean"] <= 200 * 0.99
    assert all(0.87 * 200 <= inside < 200 for inside in found.values())


def test_a_plan_of_the_length_that_is_asked_for_is_long_enough() -> None:
    near, of = long_enough("constant", 1, 0.8, 150)
    assert near >= 0.87 * of


def test_the_figures_name_each_queue() -> None:
    headings, first = next(rows := figures(count=1)), next(rows)
    assert len(headings) == len(first)
    assert first[0] == "M/D/1 at 50%"
