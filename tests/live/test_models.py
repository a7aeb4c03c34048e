"""`make models`: the table of all models."""

import re
from dataclasses import replace

import pytest

from iolab.contract import suite
from iolab.lab import Lab
from iolab.live.models import all_models
from tests import own
from tests.conftest import ROOT, Run


@pytest.mark.bounds
def test_the_table_has_a_row_for_each_model_and_what_it_uses(inside: Run) -> None:
    done = inside("models", variables={"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if re.match(r" ?[A-Z]  ", line)}
    assert [*rows] == [model.letter for model in Lab.read(ROOT).measured]
    assert "blocking" in rows["A"]
    assert rows["A"][2:5] == ["1", "1", "1"]  # worker, process, thread
    assert rows["B"][3:6] == ["8", "1", "9"]
    assert rows["E"][2:5] == ["8", "9", "9"]  # the parent has no thread that serves
    assert (
        "MODELS=main takes A, B, C, D, MODELS=all takes A, B, C, D, E, F, G, H, J, K; Y is measured only" in done.stdout
    )


def test_a_server_that_does_not_run_here_has_no_figures_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab.read(ROOT)
    node = next(model for model in lab.optional if model.letter == "J")
    absent = replace(node, service=replace(node.service, command=("no-such-program", "server_node.js")))
    fails = replace(
        lab.models[0], service=replace(lab.models[0].service, environment={"WAIT_MS": "0"}, command=("python3", "-c"))
    )
    alone = replace(lab, models=(fails,), optional=(absent,))
    monkeypatch.setattr(suite, "script", lambda model: ROOT / "services" / model.name / "server.py")
    first, second = all_models(alone, lambda: own.free_ports(1)[0])
    assert first.lacks.startswith("did not start: ")
    assert second.lacks == "needs the program no-such-program: install it, or use Docker"
    assert {first.memory_bytes, first.threads, second.memory_bytes, second.threads} == {None}
