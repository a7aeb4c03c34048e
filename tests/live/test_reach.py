"""Which machines can reach what the lab publishes: one sentence at the start, whenever BIND is not loopback."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from iolab import session
from iolab.cli import live as cli_live
from iolab.errors import UsageError
from iolab.host.processes import Finished
from iolab.lab import Lab
from iolab.live import app, reach, standing
from iolab.runtime.compose import Compose, Engine
from tests.conftest import ROOT, Run

ENGINE = Engine("28", "2.40", 2, "v2", "", rootless=False, cpusets=True)
OPEN = ["0.0.0.0", "192.168.1.10", "[::]"]


def lab(**variables: str) -> Lab:
    return Lab.parse(ROOT, (ROOT / "docker-compose.yml").read_text(), variables)


@pytest.mark.parametrize(
    "variables", [{}, {"BIND": ""}, {"BIND": "127.0.0.1"}, {"BIND": "127.0.0.2"}, {"BIND": "[::1]"}]
)
def test_loopback_needs_no_sentence(variables: Mapping[str, str]) -> None:
    assert reach.of_up(lab(**variables), 8078) == reach.of_run(lab(**variables), None, None) == ""


def test_the_sentence_names_the_page_the_servers_and_the_port_of_load_workers() -> None:
    said = reach.of_up(lab(BIND="0.0.0.0", LOCUST_MASTER_PORT="6557"), 8078)
    assert said == (
        "BIND=0.0.0.0: every machine that reaches any address of this machine can use the servers"
        " (ports 8080 to 8083), Streamlit (port 8079), Locust's page (port 8089) and the lab's page (port 8078), which"
        " starts experiments, and join as a load worker (port 6557): there is no password and no encryption."
    )
    assert "every machine that reaches 192.168.1.10 can" in reach.of_up(lab(BIND="192.168.1.10"), 8078)
    assert "(ports 8080, 8082, 8083, 9081)" in reach.of_up(lab(BIND="10.0.0.1", THREADPOOL_PORT="9081"), 8078)


@pytest.mark.parametrize("bind", OPEN)
def test_up_says_it_before_anything_starts(inside: Run, monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    def up(*_: object, **__: object) -> list[tuple[str, str]]:
        raise UsageError("nothing is started here")

    monkeypatch.setattr(cli_live, "find_engine", lambda: ENGINE)
    monkeypatch.setattr(standing, "up", up)
    done = inside("up", variables={"BIND": bind})
    address = bind.strip("[]")
    assert done.stdout.startswith(f"BIND={address}: every machine that reaches "), done.stdout
    assert done.stdout.count("\n") == 1
    assert inside("up", variables={"BIND": ""}).stdout == ""


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        (
            ("bench",),
            {},
            "BIND=192.0.2.1 is for make up: only this machine can reach the servers of this run (127.0.0.1).",
        ),
        (("locust",), {}, "BIND=192.0.2.1 is for make up: only this machine can reach the servers of this run"),
        (("crowd",), {}, "BIND=192.0.2.1 is for make up: only this machine can reach the servers of this run"),
        (("queue",), {}, "BIND=192.0.2.1 is for make up: only this machine can reach the servers of this run"),
        *(
            (
                (kind,),
                {"JOIN": "1", "LOCUST_MASTER_PORT": "6557"},
                "BIND=192.0.2.1: every machine that reaches 192.0.2.1 can use the servers of this run,"
                " and join as a load worker (port 6557): there is no password and no encryption.",
            )
            for kind in ("queue", "slo")
        ),
    ],
)
def test_a_run_says_it_before_it_measures(
    inside: Run, monkeypatch: pytest.MonkeyPatch, command: Sequence[str], variables: Mapping[str, str], said: str
) -> None:
    def stops(*_: object) -> None:
        raise UsageError("nothing is measured here")

    monkeypatch.setattr(session, "measure", stops)
    monkeypatch.setattr("iolab.runtime.local.LocalRuntime.check", lambda *_: None)
    done = inside(*command, "--runtime", "local", variables={"BIND": "192.0.2.1", **variables})
    assert done.stderr == "iolab: nothing is measured here\n"
    assert said in done.stdout
    assert "BIND" not in inside(*command, "--runtime", "local", variables={"BIND": ""}).stdout


def test_a_traced_app_in_a_container_is_not_published_to_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make trace LOOP=` presses the button from inside: BIND would open the app for nothing."""
    seen: dict[str, str] = {}

    def record(self: Compose, *arguments: str, **_: Any) -> Finished:
        seen.update(self.variables)
        return Finished(0, "", "")

    monkeypatch.setattr(Compose, "__call__", record)
    monkeypatch.setattr(Compose, "build", lambda *_: None)
    monkeypatch.setattr(standing, "trace_folder", lambda *_: None)
    with app.in_docker(lab(BIND="0.0.0.0"), ENGINE, "uvicorn", lambda _: None):
        pass
    assert seen["BIND"] == "127.0.0.1"
