"""The list of runs: of every state, in time, whatever is in the folders."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.host import lock
from iolab.web import follow
from iolab.web.runs import Runs, standing_alone

HOSTILE = "<script>alert(1)</script>\x1b]0;x\x07$(x)"


def run_of(results: Path, name: str, summary: dict[str, Any] | None = None, **changes: Any) -> Path:
    folder = results / name
    folder.mkdir(parents=True)
    run = {
        "schema": 2,
        "kind": "closed",
        "experiment": {"name": "bench", "question": "How long?"},
        "models": [{"letter": "A"}, {"letter": "C"}],
        "started": f"2026-11-{int(name[6:8]):02d}T10:00:00+00:00",
        "trials_planned": 4,
        "status": "complete",
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(run))
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def names(runs: Runs) -> dict[str, str]:
    return {each["name"]: each["status"] for each in runs.entries()}


def test_runs_are_listed_the_newest_first_with_their_answers(tmp_path: Path) -> None:
    run_of(tmp_path, "20261120T1-a")
    newer = {"question": "Which?", "verdict": "C.", "trust": {"level": "good", "text": "Fine."}, "lacks": ""}
    run_of(tmp_path, "20261122T1-b", newer)
    run_of(tmp_path, "20261121T1-c", status="partial")
    found = Runs(tmp_path).entries()
    assert [each["name"] for each in found] == ["20261122T1-b", "20261121T1-c", "20261120T1-a"]
    assert (found[0]["question"], found[0]["verdict"], found[0]["trust"]) == ("Which?", "C.", "good")
    assert found[0]["models"] == ("A", "C")
    assert (found[1]["status"], found[2]["question"]) == ("partial", "How long?")


def test_a_run_that_says_it_runs_was_killed_unless_it_holds_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_path", lambda: tmp_path / "lock")
    now = datetime.now(UTC)
    run_of(tmp_path / "results", "20261126T1-a", status="running", started=now.isoformat())
    runs = Runs(tmp_path / "results")
    assert names(runs) == {"20261126T1-a": "killed"}
    with lock.only_bench("bench", 10.0):
        assert names(runs) == {"20261126T1-a": "running"}
        assert follow.progress(tmp_path / "results" / "20261126T1-a")["left_s"] == pytest.approx(10, abs=2)
    with lock.only_bench("the live view"):
        assert names(runs) == {"20261126T1-a": "killed"}
    assert lock.holder() is None


def test_a_changed_or_removed_run_is_noticed(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "20261120T1-a", status="running")
    runs = Runs(tmp_path)
    assert names(runs) == {"20261120T1-a": "killed"}
    text = (folder / "run.json").read_text().replace('"running"', '"complete"')
    (folder / "run.json").write_text(text)
    os.utime(folder / "run.json", (1, 1))
    assert names(runs) == {"20261120T1-a": "complete"}
    (folder / "run.json").unlink()
    assert names(runs) == {}


def test_five_hundred_runs_are_listed_within_a_second(tmp_path: Path) -> None:
    for number in range(500):
        run_of(
            tmp_path, f"202611{number % 28 + 1:02d}T{number:06d}Z-bench", {"verdict": "C.", "trust": {"level": "good"}}
        )
    runs = Runs(tmp_path)
    began = time.process_time()
    assert len(runs.entries()) == 500
    first_s = time.process_time() - began
    began = time.process_time()
    runs.entries()
    assert first_s < 1
    assert time.process_time() - began < first_s


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{" * 100_000, b'{"started": 1}', b'{"started": "never"}',
        b'{"started": "2026-11-26T10:00:00"}', b'{"started": "0001-01-01T00:00:00+23:59"}', b"1" * 5000,
    ],
    ids=range(12),
)  # fmt: skip
def test_a_damaged_run_is_listed_as_damaged(tmp_path: Path, content: bytes) -> None:
    run_of(tmp_path, "20261120T1-a")
    (run_of(tmp_path, "20261121T1-b") / "run.json").write_bytes(content)
    assert names(Runs(tmp_path)) == {"20261120T1-a": "complete", "20261121T1-b": "damaged"}
    assert follow.progress(tmp_path / "20261121T1-b")["status"] == "gone"


@pytest.mark.parametrize("value", [None, 1, -1, 1e308, 10**400, True, [], {}, [None], HOSTILE, "x" * 10_000])
@pytest.mark.parametrize(
    "name", ["kind", "experiment", "models", "trials_planned", "status", "quick", "resumed", "started"]
)
def test_whatever_a_value_is_the_list_is_there(tmp_path: Path, name: str, value: Any) -> None:
    run_of(tmp_path, "20261120T1-a", {"trust": value, "verdict": value, "question": value}, **{name: value})
    (found,) = Runs(tmp_path).entries()
    assert len(json.dumps(found)) < 6000
    follow.progress(tmp_path / "20261120T1-a")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Of {users} users, {wait_ms} ms?", "Of 4 and 16 users, 20 ms?"),
        ("{boards} and {nothing}", "24 and {nothing}"),
        ("{freeze_s} s of {run_s} s", "2 s of 10 s"),
        (HOSTILE, HOSTILE),
        ("{x}", "{x}"),
    ],
)
def test_a_question_has_the_values_of_its_settings(tmp_path: Path, question: str, said: str) -> None:
    settings = {
        "concurrency": [4, 16],
        "server": {"wait_ms": 20.0},
        "boards": 24,
        "freeze": {"for_s": 2.0, "run_s": 10.0},
    }
    run_of(tmp_path, "20261120T1-a", experiment={"name": "x", "question": question, **settings})
    (found,) = Runs(tmp_path).entries()
    assert found["question"] == said


def test_links_and_pipes_are_no_runs(tmp_path: Path) -> None:
    outside = run_of(tmp_path / "elsewhere", "20261120T1-a")
    results = tmp_path / "results"
    real = run_of(results, "20261121T1-b", {"verdict": "x"})
    (results / "20261122T1-link").symlink_to(outside)
    (results / "latest").symlink_to(real.name)
    (run_of(results, "20261123T1-c") / "run.json").unlink()
    os.mkfifo(results / "20261123T1-c" / "run.json")
    (real / "report.html").symlink_to(outside / "run.json")
    runs = Runs(results)
    assert names(runs) == {"20261121T1-b": "complete"}
    with pytest.raises(UsageError):
        runs.file("20261121T1-b", "report.html")


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("..", "run.json"), ("20261121T1-b", "../x/run.json"), ("latest", "run.json"), (".", "run.json"),
        ("20261121T1-b", "samples/../run.json"), ("20261121T1-b", "secret.txt"), ("a/b", "run.json"), ("", "run.json"),
        ("20261121T1-b", "samples/0001-requests.csv.gz/x"), ("trace", "run.json"), ("20261121T1-b", "run.json\n"),
    ],
)  # fmt: skip
def test_no_other_file_is_given(tmp_path: Path, run: str, name: str) -> None:
    run_of(tmp_path, "20261121T1-b")
    (tmp_path / "20261121T1-b" / "secret.txt").write_text("secret")
    with pytest.raises((UsageError, FileNotFoundError)):
        Runs(tmp_path).file(run, name)


def test_the_headline_figure_brings_its_own_colours(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "20261121T1-b")
    page = (
        '<div class="form wide-form"><svg viewBox="0 0 1 1"><path/></svg></div><div class="form wide-form"><svg/></div>'
    )
    (folder / "report.html").write_text(page)
    svg = Runs(tmp_path).figure("20261121T1-b")
    assert svg.startswith('<svg viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg"><style>')
    assert "prefers-color-scheme" in standing_alone("<svg></svg>")
    (folder / "report.html").write_text("no figure")
    assert Runs(tmp_path).figure("20261121T1-b") == ""


def test_progress_counts_trials_and_shows_what_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_path", lambda: tmp_path / "lock")
    now = datetime.now(UTC).isoformat()
    folder = run_of(tmp_path / "results", "20261126T1-a", status="running", started=now)
    (folder / "trials.jsonl").write_text('{"index": 0}\n{"index": 1}\n{"ind')
    (folder / ".progress.json").write_text(json.dumps({"lines": ["A 4: 80 ms"], "figure": "<svg></svg>"}))
    with lock.only_bench("bench"):
        found = follow.progress(folder)
        assert (found["status"], found["trials"], found["planned"]) == ("running", 2, 4)
        assert found["lines"] == ["A 4: 80 ms"]
        assert "prefers-color-scheme" in found["figure"]  # it is shown by itself
        assert found["left_s"] is not None
        for content in ("{", "[]", '{"lines": 1}', "null"):
            (folder / ".progress.json").write_text(content)
            assert follow.progress(folder)["lines"] == []
    assert follow.progress(folder)["status"] == "killed"
