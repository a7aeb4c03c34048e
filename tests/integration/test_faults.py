"""Every fault for real, on a small crowd of local processes: asserted by its shape."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, Start
from tests.rendered import figures
from tests.shortened import FAULTS, NEWCOMERS, STUCK, shortened
from tests.waiting import wait_until

pytestmark = pytest.mark.load
USERS = 100


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The lab's experiment, made short."""
    return shortened("faults", tmp_path, FAULTS)


def arguments(short: Path, model: str) -> tuple[str, ...]:
    return ("faults", "--runtime", "local", "--users", str(USERS), "--models", model, "--experiment", str(short))


def records(folder: Path) -> list[dict[str, Any]]:
    path = folder / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(("model", "transport", "stated_s"), [("C", "websocket", 10.0), ("D", "poll", 12.5)])
@pytest.mark.bounds
def test_every_fault_has_its_shape_and_no_acknowledged_click_is_lost(  # noqa: PLR0917
    inside: Run, tmp_path: Path, short: Path, model: str, transport: str, stated_s: float
) -> None:
    done = inside(*arguments(short, model))
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "results").glob("*-faults")
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    found = records(folder)
    assert {(each["transport"], each["asked"], each["allowed"]) for each in found} == {(transport, USERS, USERS)}
    of: dict[str, dict[str, Any]] = {record["fault"]: record["figures"] for record in found}
    assert list(of) == ["baseline", "broadcast", "slow", "vanished", "half_open", "killed", "herd"]
    for record in found:
        clicks = record["clicks"]
        assert (clicks["lost"], clicks["unrecorded"]) == (0, 0)
        assert clicks["answered"] > 20
        assert (folder / record["rows"]["clicks"]).is_file()
        assert record["back"] == (None if record["fault"] == "killed" else USERS)
    assert of["broadcast"]["reached"] == USERS
    assert of["broadcast"]["first_s"] <= of["broadcast"]["median_s"] <= of["broadcast"]["last_s"] < 5
    assert (of["slow"]["cut"], of["slow"]["stuck"], of["slow"]["others_lost"]) == (STUCK, STUCK, 0)
    assert of["slow"]["rss_growth_bytes"] < 32 * 2**20
    assert (of["vanished"]["vanished"], of["vanished"]["left"]) == (USERS // 10, 0)
    assert of["vanished"]["stated_s"] == stated_s
    assert 1 < of["vanished"]["noticed_s"] <= stated_s
    assert of["vanished"]["freed_s"] <= stated_s
    assert of["half_open"]["kept"] >= 900
    assert of["half_open"]["served"] == of["half_open"]["served_before"] == NEWCOMERS
    assert of["killed"]["detected"] == USERS
    assert of["killed"]["last_s"] < 5
    assert of["herd"]["served"] == of["herd"]["reconnecting"] == USERS
    assert of["herd"]["tries"] == USERS + of["herd"]["refused"]
    page = (folder / "report.html").read_text()
    assert figures(page) == 3
    assert "it answers: no click is lost" in page
    assert "no click is lost" in " ".join(done.stdout.split())
    summary = json.loads((folder / "summary.json").read_text())
    assert [cell["acknowledged_clicks_safe"] for cell in summary["cells"]] == [True] * 7
    assert (tmp_path / "results" / "latest").resolve() == folder.resolve()
    (folder / "report.html").unlink()
    told = inside("report", str(folder))
    assert (told.returncode, told.stderr) == (0, "")
    assert (folder / "report.html").read_text() == page


@pytest.mark.bounds
def test_an_interruption_keeps_what_is_there(start: Start, tmp_path: Path, short: Path) -> None:
    process = start(*arguments(short, "C"))

    wait_until(lambda: len(records(tmp_path / "results" / "latest")) >= 2 or process.poll() is not None, limit_s=60)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (folder,) = (tmp_path / "results").glob("*-faults")
    assert json.loads((folder / "run.json").read_text())["status"] == "partial"
    assert len(records(folder)) >= 2
    assert "interrupted" in (folder / "report.html").read_text()
