"""What is promised of an acknowledged click is checked, and a mistake is told before anything starts."""

import math
from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.cli import compare as cli_compare
from iolab.errors import UsageError
from iolab.kinds.faults import clicks as fault_clicks
from iolab.kinds.faults.plan import chat_server_of
from iolab.kinds.faults.records import Clicks, FaultRecord
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.results.folder import RunFolder
from tests import faults as made_up
from tests.conftest import ROOT, Run
from tests.fakes import FakeServer

PATH = ROOT / "experiments" / "faults.toml"
ROWS = [["c1-0", 1, 10.0, 10.001, 10.002], ["c2-1", 2, 10.1, 10.101, None]]


class Writes(FakeServer):
    """A server that has written down these clicks."""

    written = "a server\nc1-0\n"

    def log(self) -> str:
        return self.written


def checked(tmp_path: Path, acknowledged: list[str], written: str = Writes.written) -> Clicks:
    server = Writes(("127.0.0.1", 1), [], "C")
    server.written = written
    answers = [{"rows": ROWS, "acknowledged": acknowledged}]
    return fault_clicks.checked(RunFolder.create(tmp_path, "faults"), 0, 9.5, answers, server)[0]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_clicks, "RECORD_S", 0.0)


def test_an_answer_that_a_user_saw_is_on_disk_and_was_written_down(tmp_path: Path) -> None:
    clicks = checked(tmp_path, ["c1-0"])
    assert (clicks.sent, clicks.answered, clicks.lost, clicks.unrecorded) == (2, 1, 0, 0)
    assert clicks.slowest_s == math.inf  # the other one was never answered
    assert clicks.p99_s is None  # of one
    assert made_up.record("baseline", clicks=clicks).acknowledged_clicks_safe


def test_an_answer_that_is_not_on_disk_is_found(tmp_path: Path) -> None:
    clicks = checked(tmp_path, ["c1-0", "c2-1"], "c1-0\nc2-1")
    assert (clicks.lost, clicks.unrecorded) == (1, 0)
    assert not made_up.record("baseline", clicks=clicks).acknowledged_clicks_safe


def test_an_answer_that_the_server_has_not_written_down_is_found(tmp_path: Path) -> None:
    clicks = checked(tmp_path, ["c1-0"], "a server\n")
    assert (clicks.lost, clicks.unrecorded) == (0, 1)
    assert not made_up.record("baseline", clicks=clicks).acknowledged_clicks_safe
    assert checked(tmp_path, ["c1-0"], "").unrecorded is None


def test_what_is_written_is_read_again_explained_and_exported(tmp_path: Path, inside: Run) -> None:
    never = Clicks(sent=9, answered=8, p50_s=0.1, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    records = [made_up.record(fault, clicks=never) for fault in made_up.FIGURES]
    folder = made_up.run(made_up.folder(tmp_path), records=records)
    assert folder.read_trials(FaultRecord) == records
    refused = inside("explain", str(folder.path), "C16")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "CELL=C16 matches 0 cells of this run; choose one: fault baseline; fault broadcast" in refused.stderr
    explained = inside("explain", str(folder.path), "broadcast")
    assert "clicks p99 s" in explained.stdout, explained.stderr
    exported = inside("export", str(folder.path))
    assert {"deliveries.csv", "trials.csv", "cells.csv"} <= {Path(line).name for line in exported.stdout.split()}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"models": ["A"]}, "MODELS=A: Blocking serves only 1 user at a time"),
        ({"models": ["C", "D"]}, "one server at a time"),
        ({"models": ["D"], "crowd": {"transports": ["websocket"]}}, "no chat server of D supports websocket"),
    ],
)
def test_a_server_for_which_it_makes_no_sense_is_told_in_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        planning.plan(ROOT, PATH, changes, FaultsExperiment)


def test_the_first_way_is_taken_that_the_server_speaks() -> None:
    for changes, transport in (({}, "websocket"), ({"models": ["D"]}, "poll")):
        plan = planning.plan(ROOT, PATH, changes, FaultsExperiment)
        assert chat_server_of(plan.experiment, plan.models).transport == transport


def test_the_command_says_it_in_one_line(inside: Run) -> None:
    done = inside("faults", "--models", "B", "--runtime", "local")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "choose C or D" in done.stderr


def test_two_runs_of_faults_are_compared_by_what_clicks_and_faults_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    slower = Clicks(sent=400, answered=399, p50_s=0.002, p99_s=math.inf, slowest_s=math.inf)
    records = [made_up.record("baseline", clicks=slower), made_up.record("herd", valid=False, reason="it died")]
    first = made_up.run(made_up.folder(tmp_path))
    second = made_up.run(made_up.folder(tmp_path), records=records)
    arguments = [str(first.path), str(second.path), "--results", str(tmp_path)]
    assert cli_compare.compare.main(arguments, standalone_mode=False) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = [" ".join(row) for row in rows]
    assert any("clicks p50 s 0.001 0.002 2.000 - no interval" in line for line in told)
    assert any("clicks p99 s 0.004 never - - never ended" in line for line in told)
    assert any("figures last s 1.2 1.2 1.000 - within the noise" in line for line in told)
    assert any(row[:7] == ["(!)", "fault", "herd:", "not", "valid", "in", "the"] for row in rows)
