import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from iolab import experiment
from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kinds.open import plan as openplan
from iolab.lab import Lab, Model
from iolab.results.records import Calibration
from tests.conftest import ROOT

KNOWN = {letter: Calibration(service_s=0.02, overhead_s=0.0005, transit_s=0.0005) for letter in "ABCD"}


def read(**changes: Any) -> Experiment:
    return experiment.read(ROOT / "experiments" / "queue.toml", changes)


@pytest.fixture
def models(lab: Lab) -> Sequence[Model]:
    return lab.select(["all"])


def test_rates_keep_workers_busy_for_the_share_and_others_take_the_same(models: Sequence[Model]) -> None:
    arrivals = openplan.arrivals_of(read())
    found = openplan.rates(arrivals, models, KNOWN)
    assert [share for share, _ in found["A"]] == [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]
    assert found["A"][0][1] == pytest.approx(15.0)
    assert found["B"][-1][1] == pytest.approx(380.0)
    assert found["C"] == found["D"]
    assert [rate for _, rate in found["C"]] == sorted({rate for letter in "AB" for _, rate in found[letter]})
    assert {share for share, _ in found["C"]} == {None}


def test_shares_that_are_given_are_those_of_every_model_with_a_queue(models: Sequence[Model]) -> None:
    arrivals = openplan.arrivals_of(read(arrivals={"every_utilisation": [0.4]}))
    found = openplan.rates(arrivals, models, KNOWN)
    ((share, rate),) = found["A"]
    assert share == 0.4
    assert rate == pytest.approx(20.0)
    assert found["B"][0][1] == pytest.approx(160.0)


def test_blocks_share_a_server_and_are_the_same_every_time(models: Sequence[Model]) -> None:
    first, again = (openplan.blocks(read(), models, KNOWN, 1500.0) for _ in range(2))
    assert first == again
    assert first != openplan.blocks(read(seed=7), models, KNOWN, 1500.0)
    assert len(first) == 8
    for block in first:
        assert len({(trial.model.letter, trial.variant) for trial in block}) == 1
    trials = [trial for block in first for trial in block]
    assert [trial.index for trial in trials] == list(range(60))
    assert len({trial.seed for trial in trials}) == 60
    assert {trial.plan_s for trial in trials if math.isinf(trial.model.workers)} == {6.0}


def test_a_rate_that_cannot_be_sent_in_time_is_refused_with_what_can(models: Sequence[Model]) -> None:
    fast = {letter: each.model_copy(update={"service_s": 0.0002}) for letter, each in KNOWN.items()}
    with pytest.raises(UsageError, match=r"arrivals a second: the load generator sends 1,500 in time"):
        openplan.blocks(read(), models, fast, 1500.0)


def test_models_without_a_queue_alone_have_nothing_to_be_measured_at(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no model of this run has a utilisation: take A, B"):
        openplan.blocks(read(), lab.select(["C", "D"]), KNOWN, 1500.0)


def test_an_experiment_without_arrivals_is_refused() -> None:
    with pytest.raises(UsageError, match=r"experiment bench has no \[arrivals\]"):
        openplan.arrivals_of(experiment.read(ROOT / "experiments" / "bench.toml", {}))


def test_a_trace_is_played_at_the_wanted_rate(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("10\n10.5\n13\n14\n")
    arrivals = openplan.arrivals_of(read(arrivals={"process": "trace", "trace": str(path)}))
    trial = openplan.OpenTrial(0, lab.models[0], "constant", 0.5, 3.0, 30.0, 1)
    assert openplan.moments(trial, arrivals) == pytest.approx((0.0, 0.125, 0.75, 1.0))
    assert openplan.moments(trial, openplan.arrivals_of(read())) is None


@pytest.mark.parametrize("content", [None, "1\ntwo\n", "5\n", "5\n5\n"])
def test_a_trace_that_is_none_is_refused(lab: Lab, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "trace.txt"
    if content is not None:
        path.write_text(content)
    arrivals = openplan.arrivals_of(read(arrivals={"process": "trace", "trace": str(path)}))
    trial = openplan.OpenTrial(0, lab.models[0], "constant", 0.5, 3.0, 30.0, 1)
    with pytest.raises(UsageError, match="must"):
        openplan.moments(trial, arrivals)
