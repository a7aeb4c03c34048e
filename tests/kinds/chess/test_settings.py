"""What a chess experiment asks of its servers."""

from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.kinds.chess.settings import ChessExperiment
from tests.conftest import ROOT
from tests.shortened import shortened

PATH = ROOT / "experiments" / "chess.toml"


def planned(**given: Any) -> planning.Plan[ChessExperiment]:
    return planning.plan(ROOT, PATH, ChessExperiment.changes(given), ChessExperiment)


@pytest.mark.parametrize("scale_ms", [0.5, 1.0, 20.0])
def test_a_request_waits_as_long_as_an_opponent_and_computes_as_long_as_the_master(scale_ms: float) -> None:
    plan = planned(models=("A",), boards=(3,), moves=2, scale_ms=scale_ms, threads=4)
    expected = {"WAIT_MS": f"{55 * scale_ms:g}", "CPU_MS": f"{5 * scale_ms:g}", "THREADS": "4", "BACKLOG": "1024"}
    assert expected.items() <= plan.experiment.variables().items()
    assert plan.experiment.boards == 3
    assert plan.experiment.chess.moves == 2
    assert [model.letter for model in plan.models] == ["A"]
    environment = plan.models[0].service.environment  # it is there without reading the file twice
    assert (environment["WAIT_MS"], environment["CPU_MS"]) == (expected["WAIT_MS"], expected["CPU_MS"])


def test_what_is_not_given_is_the_experiment_s_own() -> None:
    assert ChessExperiment.changes({"models": None, "boards": None, "threads": None}) == {}
    plan = planned()
    assert plan.experiment.concurrency == (24,)
    assert plan.experiment.server.threads == 8
    assert len(plan.models) == len(plan.lab.models)


def test_a_wait_beside_the_rules_means_nothing(tmp_path: Path) -> None:
    path = shortened("chess", tmp_path, {"backlog = 1024": "wait_ms = 20.0"})
    with pytest.raises(UsageError, match=r"server\.wait_ms is not a setting of kind chess: \[server\] has backlog"):
        planning.plan(ROOT, path, {}, ChessExperiment)
