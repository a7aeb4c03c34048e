"""Crowds against real chat servers, as local processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from iolab.chat.entries import Entry
from iolab.kinds.crowd import run as crowd
from iolab.kinds.crowd.records import Click
from iolab.results.folder import RunFolder
from tests.conftest import ROOT, Run, Start
from tests.integration.test_local import latest, wait_for
from tests.shortened import CROWD, shortened


@pytest.fixture
def short(tmp_path: Path) -> str:
    """The lab's own experiment, in a hurry; everybody clicks once in a second."""
    return str(
        shortened(
            "crowd",
            tmp_path,
            {**CROWD, "patience_s = 10.0": "patience_s = 4.0", "click_every_s = 100.0": "click_every_s = 1.0"},
        )
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def records(results: Path) -> list[dict[str, Any]]:
    path = results / "latest" / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.load
@pytest.mark.bounds
def test_an_event_loop_and_threads_hold_all_a_pool_eight_and_the_blocking_server_one(
    inside: Run, short: str, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "CLICK_WAIT_S", 4.0)  # of A and B nobody has an answer, however long all wait
    done = inside("crowd", "--runtime", "local", "--users", "40", "--experiment", short)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(each["model"], each["transport"]): each for each in records(results)}
    held = {key: each["held"] for key, each in found.items()}
    loop = [("C", "websocket"), ("C", "poll")]
    assert held == {("A", "poll"): 1, ("B", "poll"): 8, **dict.fromkeys((*loop, ("D", "poll")), 40)}
    for key in (("A", "poll"), ("B", "poll")):
        assert found[key]["obstacle"] == "queue"
        assert found[key]["waiting"] == 40 - held[key]
        assert found[key]["answered"] == 0  # a click needs a thread, too
    for key in (*loop, ("D", "poll")):
        assert found[key]["obstacle"] is None
        assert found[key]["answered"] == found[key]["clicks"] > 20
        assert found[key]["lost"] == found[key]["refused"] == 0
    assert found["D", "poll"]["quiet"]["threads"] - found["D", "poll"]["empty"]["threads"] == 40
    assert found["C", "websocket"]["quiet"]["threads"] == found["C", "websocket"]["empty"]["threads"]
    assert found["C", "websocket"]["busy"]["collector_pause_s"] is not None
    folder = RunFolder.open(results / "latest")
    for each in found.values():
        entries = folder.read_rows(each["rows"], "users", Entry)
        assert [entry.user for entry in entries] == list(range(40))
        assert sum(entry.outcome == "held" for entry in entries) == each["held"]
    clicks = folder.read_rows(found["C", "poll"]["rows"], "clicks", Click)
    assert all(click.planned_s <= click.sent_s < (click.answered_s or 0) for click in clicks)
    assert latest(results, "summary.json")["status"] == "complete"
    assert "B" in done.stdout


@pytest.mark.load
@pytest.mark.bounds
def test_a_user_takes_less_without_a_library_and_more_with_compression(inside: Run, short: str, results: Path) -> None:
    options = ("--models", "C", "--transport", "websocket", "--chat", "usual,lean,compressed", "--users", "400")
    done = inside("crowd", "--runtime", "local", *options, "--experiment", short)
    assert done.returncode == 0, done.stderr
    found = {each["form"]: each for each in latest(results, "summary.json")["cells"]}
    for each in found.values():
        assert (each["held"], each["obstacle"]) == (400, None)
        assert each["answered"] == each["clicks"] > 200
    taken = {form: each["server_bytes_per_user"] for form, each in found.items()}
    assert 3 * taken["lean"] < taken["usual"] < taken["compressed"] / 3
    assert taken["lean"] < 6 * 1024
    assert "C WebSocket, lean" in done.stdout


@pytest.mark.load
@pytest.mark.bounds
def test_several_processes_hold_who_one_may_not(iolab: Run, short: str, results: Path) -> None:
    """With 300 open files, one process holds fewer than 300; three share more, and the level is not capped in vain."""
    few = ("sh", "-c", 'ulimit -n 300; exec "$@"', "sh")
    options = ("crowd", "--runtime", "local", "--models", "C", "--transport", "websocket", "--experiment", short)
    one = iolab(*options, "--users", "400", before=few)
    assert one.returncode == 0, one.stderr
    (record,) = records(results)
    assert record["users"] < 300
    assert record["held"] == record["users"]
    assert "400 users can connect" in record["capped"]
    assert "PROCESSES=" in record["capped"]


@pytest.mark.load
def test_an_interruption_keeps_what_is_measured_and_leaves_nobody(
    start: Start, inside: Run, short: str, results: Path
) -> None:
    Path(short).write_text(Path(short).read_text().replace("busy_s = 2.0", "busy_s = 0.5"))
    process = start("crowd", "--runtime", "local", "--models", "C", "--users", "30,31", "--experiment", short)
    wait_for(lambda: len(records(results)) == 1, process)
    process.terminate()
    assert process.wait(30) == 143
    assert latest(results, "run.json")["status"] == "partial"
    assert records(results)[0]["users"] == 30
    rest = inside("crowd", "--runtime", "local", "--resume", str(results / "latest"))
    assert rest.returncode == 0, rest.stderr
    assert latest(results, "run.json")["status"] == "complete"
    assert [(each["index"], each["transport"], each["users"]) for each in records(results)] == [
        (0, "websocket", 30),
        (1, "websocket", 31),
        (2, "poll", 30),
        (3, "poll", 31),
    ]
    again = inside(
        "crowd", "--runtime", "local", "--models", "C", "--transport", "poll", "--users", "5", "--experiment", short
    )
    assert again.returncode == 0, again.stderr  # the port is free


def test_nonsense_ends_in_one_line(inside: Run) -> None:
    for options, said in (
        (("--users", "0"), "USERS=0"),
        (("--users", "many"), "USERS=many: must be a whole number"),
        (("--models", "A", "--transport", "websocket"), "no chat server of A supports websocket"),
        (("--models", "B", "--processes", "2"), "in 2 processes"),
        (("--experiment", str(ROOT / "experiments" / "bench.toml")), "is of kind closed: make bench EXPERIMENT="),
    ):
        done = inside("crowd", "--runtime", "local", *options)
        assert (done.returncode, done.stdout) == (2, ""), done.stdout
        assert len(done.stderr.splitlines()) == 1
        assert said in done.stderr
