"""Intervals hold the true value as often as they say, in the simulations of `make coverage`."""

from importlib import import_module

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.simulated import HEY_S, ClosedLoop, independent
from iolab.kinds.closed.precision import LEAST_ROUNDS
from tests.conftest import ROOT


def test_no_simulation_of_coverage_is_left_out() -> None:
    there = {f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("coverage_*.py")}
    assert set(coverage.OTHERS) == there
    for name in coverage.OTHERS:
        assert callable(import_module(name).figures)


def test_intervals_by_order_statistics_hold_if_requests_are_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "LOADS", {"independent": independent})
    found = list(coverage.order_statistics(400))
    assert [figure.interval[:3] for figure in found] == ["p50", "p95", "p99"]
    assert all(figure.covered >= 0.93 for figure in found)
    (narrow,) = {coverage.covered(400, 0.0207, lambda draw: (0.0207, 0.0207 + draw.normal(0, 1e-4)), 1)}
    assert 0.4 < narrow < 0.6  # a coverage that is not there is not shown


def test_a_closed_loop_behaves_as_theory_says() -> None:
    draw = np.random.default_rng(1)
    for users, workers, services in ((4, 8, 1), (16, 8, 2), (16, 1, 16)):
        (values,) = ClosedLoop(users, workers).repeats(draw, 1)
        assert len(values) == 208
        assert np.median(values) == pytest.approx(services * 0.0205, rel=0.1)
        assert np.round(values / HEY_S) == pytest.approx(values / HEY_S)


@pytest.mark.load
def test_in_a_closed_loop_only_the_intervals_of_repeats_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is why the report says which of its two kinds of interval is that of independent requests."""
    monkeypatch.setattr(coverage, "LOADS", {"closed": ClosedLoop(16, 8).repeats})
    p50, _, _ = coverage.order_statistics(200)
    assert p50.covered < 0.8
    assert all(figure.covered >= 0.92 for figure in coverage.within_a_run(100))
    assert all(figure.covered >= 0.92 for figure in coverage.ratios(100))


@pytest.mark.load
def test_the_ratio_of_two_rates_holds_at_least_as_often_as_it_says() -> None:
    assert all(figure.covered >= 0.94 for figure in coverage.rate_ratios(1000))


@pytest.mark.load
def test_at_the_stop_of_a_precision_the_interval_holds() -> None:
    found = list(coverage.precision_stops(50))
    assert len(found) == len(coverage.SPREADS)
    assert all(figure.covered >= 0.94 for figure in found)


def test_a_precision_ends_no_earlier_than_after_its_least_rounds() -> None:
    rounds, (low, high) = coverage.stop(np.random.default_rng(1), 0.001)
    assert rounds == LEAST_ROUNDS
    assert (low, high) == pytest.approx((0.02 * 0.97, 0.02 * 1.03), rel=0.01)
