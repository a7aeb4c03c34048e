"""Which Python computes: the lab's own, and that of servers."""

import json
import platform
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from iolab.host import environment, python
from iolab.host.python import Python
from iolab.results.run_info import GIL_OF_SERVERS, ModelInfo, RunInfo

FREE = "3.13.5 experimental free-threading build (main, Jun 11 2026, 15:36:57) [GCC 14.2.0]"


def test_the_full_version_has_the_build_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python.here().version == " ".join(sys.version.split())
    assert python.here().version.startswith(f"{platform.python_version()} (")
    monkeypatch.setattr(sys, "version", FREE.replace(") [", ") \n["))
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert python.here() == Python(FREE, gil=False)


def test_the_interpreter_of_local_servers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python.of_servers() == Python(" ".join(sys.version.split()), gil=True)
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    assert python.of_servers() is None


@pytest.mark.parametrize("answer", ["", "exec: no python3", "[1]", "[1, 2]", "{}", json.dumps(["3.13", "yes"]), "null"])
def test_any_other_answer_is_not_known(answer: str) -> None:
    assert python.told(answer) is None


def test_both_stand_in_the_environment_of_a_run() -> None:
    found = environment.facts((), "local", {}, {"blocking": Python(FREE, gil=False)})
    assert found["python of the lab"] == " ".join(sys.version.split())
    assert found["GIL of the lab"] is python.here().gil
    assert found["python of the servers"] == {"blocking": FREE}
    assert found[GIL_OF_SERVERS] == {"blocking": False}
    assert "python of the servers" not in environment.facts((), "local", {}, {})


@pytest.mark.parametrize(
    ("known", "threads", "at_once"),
    [
        ({}, 8, 1.0),
        ({"b": True}, 8, 1.0),
        ({"b": False}, 8, 8.0),
        ({"b": False}, None, 1.0),
        ({"other": False}, 8, 1.0),
    ],
)
def test_threads_compute_at_once_only_on_a_free_threaded_build(
    known: dict[str, bool], threads: float | None, at_once: float
) -> None:
    facts: dict[str, Any] = {GIL_OF_SERVERS: known} if known else {}
    run = RunInfo(
        kind="made", experiment={"name": "made"}, models=(), runtime="local", runtime_reason="a test", generator="hey",
        cpu_plans=(), environment=facts, trials_planned=1, started=datetime.now(UTC),
    )  # fmt: skip
    assert run.at_once(ModelInfo(letter="B", title="Pool", service="b", workers=8, threads=threads)) == at_once
