"""What a chess experiment asks of its servers."""

import pytest

from iolab import cli_chess, session
from iolab.errors import UsageError
from iolab.kinds.chess import run as chess
from tests.conftest import ROOT


@pytest.mark.parametrize("scale_ms", [0.5, 1.0, 20.0])
def test_a_request_waits_as_long_as_an_opponent_and_computes_as_long_as_the_master(scale_ms: float) -> None:
    plan = cli_chess.planned(ROOT, {"models": ("A",), "concurrency": [3]}, {"moves": 2, "scale_ms": scale_ms}, 4)
    server = plan.experiment.server
    assert (server.wait_ms, server.cpu_ms, server.threads) == (55 * scale_ms, 5 * scale_ms, 4)
    assert plan.experiment.concurrency == (3,)
    assert chess.rules(plan.experiment).moves == 2
    assert [model.letter for model in plan.models] == ["A"]


def test_what_is_not_given_is_the_experiment_s_own() -> None:
    plan = cli_chess.planned(ROOT, {"models": None, "concurrency": None}, {"moves": None, "scale_ms": None}, None)
    assert plan.experiment.concurrency == (24,)
    assert plan.experiment.server.threads == 8
    assert len(plan.models) == len(plan.lab.models)


def test_another_experiment_has_no_rules() -> None:
    with pytest.raises(UsageError, match=r"has no \[chess\]: take experiments/chess.toml"):
        chess.rules(session.plan(ROOT, None, {}).experiment)
