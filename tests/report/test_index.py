"""The page of all runs: the newest first, each with what its summary.json says; what cannot be read is named."""

import json
from pathlib import Path

import pytest

from iolab.report import index
from iolab.report.doubts import Trust
from iolab.results.folder import RunFolder
from tests.conftest import Run
from tests.kinds.recordings import one_cell

pytestmark = pytest.mark.usefixtures("undrawn")

HEAD = {
    "schema": 2,
    "kind": "closed",
    "experiment": "bench",
    "started": "2026-11-26T08:00:00+00:00",
    "runtime": "local",
    "status": "complete",
    "quick": False,
    "question": "Who <waits>?",
    "verdict": "A waits.",
    "trust": {"level": "limited", "text": "1 of 3 cells is in doubt."},
    "cells": [],
}


def put(results: Path, name: str, **changes: object) -> Path:
    folder = results / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "summary.json").write_text(json.dumps(HEAD | changes))
    (folder / "report.html").write_text("<html></html>")
    return folder


def test_the_newest_run_is_first_and_every_entry_says_what_its_summary_says(tmp_path: Path) -> None:
    put(tmp_path, "b-older")
    put(tmp_path, "a-newer", started="2026-11-27T09:30:00+00:00", kind="slo", experiment="slo", quick=True)
    (tmp_path / "latest").symlink_to("a-newer")
    (tmp_path / "trace").mkdir()
    (tmp_path / "contract").mkdir()
    entries, skipped = index.read(tmp_path)
    assert skipped == []
    assert [each.folder for each in entries] == ["a-newer", "b-older"]
    assert entries[0].about == "slo, 2026-11-27 09:30 UTC, quick, complete"
    assert entries[1].about == "bench (closed), 2026-11-26 08:00 UTC, complete"
    assert entries[1].trust == Trust("limited", "1 of 3 cells is in doubt.")
    assert index.write(tmp_path) == []
    page = (tmp_path / index.NAME).read_text()
    assert page.index("a-newer/report.html") < page.index("b-older/report.html")
    assert "Who &lt;waits&gt;?" in page
    assert "prefers-color-scheme: dark" in page
    assert not [word for word in ('src="', "http:", "https:", "@import", "url(") if word in page]
    assert {path.name for path in tmp_path.iterdir()} == {
        "a-newer",
        "b-older",
        "latest",
        "trace",
        "contract",
        index.NAME,
    }


@pytest.mark.parametrize("damage", ["summary.json", "report.html", "run.json"])
def test_a_folder_without_a_report_is_named_and_the_others_are_shown(tmp_path: Path, damage: str) -> None:
    put(tmp_path, "good")
    bad = put(tmp_path, "bad")
    (bad / damage).unlink()
    if damage == "run.json":
        (bad / "summary.json").write_text('{"cells": [')
    (line,) = index.write(tmp_path)
    assert line.startswith("bad is not shown: it ")
    assert ("make report RUN=" in line) == (damage != "run.json")
    page = (tmp_path / index.NAME).read_text()
    assert "good/report.html" in page
    assert "bad/report.html" not in page
    assert line in page


def test_a_damaged_summary_is_no_entry(tmp_path: Path) -> None:
    put(tmp_path, "bad", trust={"level": "good", "text": "", "more": 1})
    assert len(index.write(tmp_path)) == 1
    page = (tmp_path / index.NAME).read_text()
    assert "bad/report.html" not in page
    assert "No run has a report yet: <code>make bench</code>" in page


def test_every_report_of_a_run_in_results_writes_the_page_and_elsewhere_none(
    inside: Run, tmp_path: Path, recorded_copy: RunFolder
) -> None:
    assert inside("report", str(recorded_copy.path)).returncode == 0
    assert not (tmp_path / "results" / index.NAME).exists()  # no link to the newest: it is no folder of results
    (tmp_path / "results" / "latest").symlink_to(recorded_copy.path.name)
    assert inside("report", "--results", str(tmp_path / "results")).returncode == 0
    ((entry,), skipped) = index.read(tmp_path / "results")
    head = json.loads((recorded_copy.path / "summary.json").read_text())
    assert skipped == []
    assert (entry.question, entry.verdict, entry.trust._asdict()) == (head["question"], head["verdict"], head["trust"])
    assert list(head)[-1] == "cells"
    assert "report.html" in (tmp_path / "results" / index.NAME).read_text()


@pytest.fixture
def recorded_copy(tmp_path: Path) -> RunFolder:
    folder = tmp_path / "results" / "20261126T080000Z-bench"
    return RunFolder(one_cell(folder))


def test_open_opens_the_page_or_says_where_it_is(inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "CODESPACES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    opened: list[str] = []

    def open_(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr("webbrowser.open", open_)
    nothing = inside("open")
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "run an experiment first" in nothing.stderr
    put(tmp_path / "results", "one")
    (tmp_path / "results" / "foreign").mkdir()
    page = tmp_path / "results" / index.NAME
    done = inside("open")
    assert (done.returncode, done.stdout.strip(), opened) == (0, page.as_uri(), [])
    assert "foreign is not shown: it is no run folder." in done.stderr
    assert page.exists()
    done = inside("open", variables={"DISPLAY": ":0"})
    assert (done.stdout, opened) == ("", [page.as_uri()])
    inside("open", variables={"DISPLAY": ":0", "CODESPACES": "true"})
    assert len(opened) == 1
