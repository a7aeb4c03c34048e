import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from iolab import experiment_file
from iolab.errors import UsageError
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.open import plan as openplan
from iolab.kinds.open.settings import OpenExperiment
from iolab.lab import Lab, Model
from tests.conftest import ROOT
from tests.planned import WORKERS

KNOWN = {letter: Calibration(service_s=0.02, overhead_s=0.0005, transit_s=0.0005) for letter in "ABCD"}


def read(**changes: Any) -> OpenExperiment:
    return experiment_file.parsed(ROOT / "experiments" / "queue.toml", changes, OpenExperiment)


@pytest.fixture
def models(lab: Lab) -> Sequence[Model]:
    return lab.select(["main"])


def rates(read: OpenExperiment, models: Sequence[Model]) -> dict[str, list[tuple[float | None, float]]]:
    """Return (utilisation, arrivals a second) of each model's plans of the first variant, by rate."""
    by_letter = {model.letter: model for model in models}
    found: dict[str, list[tuple[float | None, float]]] = {}
    for trial in (each for block in openplan.blocks(read, models) for each in block):
        if trial.variant == read.variants[0]:
            rate_rps = openplan.rate_rps(trial, by_letter, KNOWN)
            found.setdefault(trial.model, []).append((trial.utilisation, rate_rps))
    return {letter: sorted(pairs, key=lambda pair: pair[1]) for letter, pairs in found.items()}


def test_rates_keep_workers_busy_for_the_share_and_others_take_the_same(models: Sequence[Model]) -> None:
    found = rates(read(), models)
    assert [share for share, _ in found["A"]] == [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]
    assert found["A"][0][1] == pytest.approx(15.0)
    assert found["B"][-1][1] == pytest.approx(380.0)
    assert found["C"] == found["D"]
    assert [rate for _, rate in found["C"]] == sorted({rate for letter in "AB" for _, rate in found[letter]})
    assert {share for share, _ in found["C"]} == {None}


def test_shares_that_are_given_are_those_of_every_model_with_a_queue(models: Sequence[Model]) -> None:
    found = rates(read(arrivals={"every_utilisation": [0.4]}), models)
    ((share, rate),) = found["A"]
    assert share == 0.4
    assert rate == pytest.approx(20.0)
    assert found["B"][0][1] == pytest.approx(160.0)


def test_blocks_share_a_server_and_are_the_same_every_time(models: Sequence[Model]) -> None:
    first, again = (openplan.blocks(read(), models) for _ in range(2))
    assert first == again
    assert first != openplan.blocks(read(seed=7), models)
    assert len(first) == 8
    for block in first:
        assert len({(trial.model, trial.variant) for trial in block}) == 1
    trials = [trial for block in first for trial in block]
    assert [trial.index for trial in trials] == list(range(60))
    assert len({trial.seed for trial in trials}) == 60
    assert {trial.plan_s for trial in trials if math.isinf(WORKERS[trial.model])} == {6.0}
    assert {trial.plan_s for trial in trials if math.isfinite(WORKERS[trial.model])} == {30.0}


def test_a_rate_that_cannot_be_sent_in_time_is_refused_with_what_can(models: Sequence[Model]) -> None:
    fast = {letter: each.model_copy(update={"service_s": 0.0002}) for letter, each in KNOWN.items()}
    trials = [trial for block in openplan.blocks(read(), models) for trial in block]
    by_letter = {model.letter: model for model in models}
    openplan.check_rates(trials, by_letter, KNOWN, 1500.0)
    with pytest.raises(UsageError, match=r"arrivals a second: the load generator sends 1,500 in time"):
        openplan.check_rates(trials, by_letter, fast, 1500.0)
    with pytest.raises(UsageError, match=r"requests in one plan, and a run holds 1,000,000 of a plan: make it shorter"):
        openplan.check_rates(trials, by_letter, fast, 1e6)


def test_models_without_a_queue_alone_have_nothing_to_be_measured_at(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no model of this run has a utilisation: add one of A, B"):
        openplan.blocks(read(), lab.select(["C", "D"]))


def test_a_plan_says_whose_workers_are_busy(models: Sequence[Model]) -> None:
    titles = {trial.title for block in openplan.blocks(read(), models) for trial in block}
    assert "A constant, busy 50% of the time" in titles
    assert "C exponential, at a rate that keeps B busy 95% of the time" in titles


def test_a_trace_is_played_at_the_wanted_rate(tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("10\n10.5\n13\n14\n")
    arrivals = read(arrivals={"process": "trace", "trace": str(path)}).arrivals
    assert openplan.moments(arrivals, 3.0, 30.0) == pytest.approx((0.0, 0.125, 0.75, 1.0))
    assert openplan.moments(arrivals, 3.0, 0.5) == pytest.approx((0.0, 0.125))
    assert openplan.moments(read().arrivals, 3.0, 30.0) is None


@pytest.mark.parametrize("content", [None, "1\ntwo\n", "5\n", "5\n5\n"])
def test_a_trace_that_is_none_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "trace.txt"
    if content is not None:
        path.write_text(content)
    arrivals = read(arrivals={"process": "trace", "trace": str(path)}).arrivals
    with pytest.raises(UsageError, match="must"):
        openplan.moments(arrivals, 3.0, 30.0)


def test_a_model_that_waits_downstream_has_a_queue_for_its_connections() -> None:
    pooled = Lab.read(ROOT, {"DOWNSTREAM": "4"}).select(["A", "B", "C"])
    found = rates(read(), pooled)
    assert [share for share, _ in found["C"]] == [0.5, 0.8, 0.9]
    assert [rate for _, rate in found["C"]] == pytest.approx([share * 4 / 0.02 for share in (0.5, 0.8, 0.9)])
    assert [rate for _, rate in found["B"]] == pytest.approx([(share or 0) * 4 / 0.02 for share, _ in found["B"]])
    assert [rate for _, rate in found["A"]] == pytest.approx([(share or 0) / 0.02 for share, _ in found["A"]])
    assert [share for share, _ in rates(read(arrivals={"every_utilisation": [0.3]}), pooled)["C"]] == [0.3]
