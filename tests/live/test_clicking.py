"""CLICK=1: the standing app is clicked; where it does not run, one is started for the clicks, as with LOOP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab.lab import Lab
from iolab.live import app, standing
from iolab.live.app import Traced
from iolab.runtime.compose import Engine
from tests.conftest import Run
from tests.trace.logs import CLICK, SERVER

ENGINE = Engine("28.0", "2.40", 2, "v2", "unix:///nowhere", rootless=False, cpusets=True)


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """A Docker engine that is not there: what is asked of it is written down."""
    seen: list[object] = []
    log = tmp_path / "log.txt"
    log.write_text(SERVER + CLICK)

    @contextmanager
    def in_docker(lab: Lab, engine: Engine, loop: app.Loop | None, say: app.Say) -> Iterator[Traced]:
        seen.append(("started", loop))
        yield Traced(log, 8079, lambda clicks: seen.append(("pressed", clicks)))
        seen.append("stopped")

    monkeypatch.setattr(app, "engine_or_reason", lambda wanted: (ENGINE, ""))
    monkeypatch.setattr(app, "in_docker", in_docker)
    monkeypatch.setattr(app, "IDLE_S", 0)
    monkeypatch.setattr(app, "SETTLE_S", 0)
    return seen


def test_a_click_starts_the_app_where_none_runs(
    inside: Run, happened: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "press_standing", lambda *_: None)
    done = inside("trace", "--click", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert happened == [("started", None), ("pressed", 2), "stopped"]
    assert json.loads(done.stdout)["clicks_visible"] == 1


def test_the_standing_app_is_clicked_where_it_runs(
    inside: Run, happened: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    standing_one = Traced(tmp_path / "log.txt", 8079, lambda _: None)
    monkeypatch.setattr(app, "press_standing", lambda *_: standing_one)
    assert inside("trace", "--click", "2", "--json").returncode == 0
    assert happened == []


class Composed:
    """Compose, of which the services in `runs` run."""

    runs: tuple[str, ...] = ()
    settings: dict[str, str]

    def __init__(self, root: Path, project: str, variables: dict[str, str]) -> None:
        type(self).settings = variables
        self.pressed: list[tuple[Any, ...]] = []

    def running(self) -> tuple[str, ...]:
        return self.runs

    def build(self, services: list[str]) -> None:
        assert services == ["streamlit"]

    def down(self) -> None:
        pass

    def __call__(self, *words: str, **options: object) -> Any:
        return type("Done", (), {"status": 0, "stderr": "", "stdout": ""})


def test_whether_the_standing_app_runs_is_asked_of_compose(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "Compose", Composed)
    monkeypatch.setattr(app, "SETTLE_S", 0)
    assert app.press_standing(lab, 1, lambda _: None) is None
    monkeypatch.setattr(Composed, "runs", ("streamlit",))
    found = app.press_standing(lab, 1, lambda _: None)
    assert found is not None
    assert found.log.name == "log_streamlit.txt"


@pytest.mark.parametrize(("loop", "name"), [(None, "log_streamlit.txt"), ("tornado", "log_streamlit-tornado.txt")])
def test_the_app_of_a_click_has_the_loop_and_the_log_of_make_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, loop: app.Loop | None, name: str
) -> None:
    monkeypatch.setattr(app, "Compose", Composed)
    monkeypatch.setattr(standing, "trace_folder", lambda root, settings: None)
    monkeypatch.setattr(standing, "variables", lambda *_: {})
    with app.in_docker(lab, ENGINE, loop, lambda _: None) as traced:
        assert traced.log.name == name
    assert Composed.settings["LOOP"] == (loop or "uvicorn")
    assert Composed.settings["TRACE_LOG"] == f"/trace/{name}"
