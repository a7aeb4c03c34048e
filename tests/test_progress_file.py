"""A page that follows a run: the measuring process draws between two trials, and only if a page looks."""

import json
import os
import time
from pathlib import Path

import pytest

from iolab import progress_file
from iolab.kind import Line
from iolab.progress_file import ProgressFile, headline
from iolab.results.files import PROGRESS, WATCHED
from iolab.results.folder import RunFolder
from tests.fakes import Watcher
from tests.kinds.recordings import recording


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return recording("closed", tmp_path)


def test_without_a_page_nothing_is_written_or_drawn(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "headline", lambda _: pytest.fail("drawn"))
    there = ProgressFile(Watcher())
    there.opened(folder)
    there.finished(Line("A 4: 80 ms"), 1)
    assert not (folder.path / PROGRESS).exists()
    (folder.path / WATCHED).touch()
    os.utime(folder.path / WATCHED, (time.time() - 60,) * 2)  # a page that has gone
    there.finished(Line("B 4: 20 ms"), 2)
    assert not (folder.path / PROGRESS).exists()


def test_for_a_page_lines_and_figure_are_written_and_removed_at_the_end(folder: RunFolder) -> None:
    there = ProgressFile(Watcher())
    there.opened(folder)
    there.finished(Line("A 4: 80 ms"), 1)
    (folder.path / WATCHED).touch()
    there.finished(Line("B 4: 20 ms"), 2)
    found = json.loads((folder.path / PROGRESS).read_text())
    assert found["lines"] == ["A 4: 80 ms", "B 4: 20 ms"]
    assert found["figure"].startswith("<svg")
    there.close()
    assert not list(folder.path.glob(".*"))


def test_a_drawing_that_fails_does_not_end_the_measurement(folder: RunFolder) -> None:
    (folder.path / "trials.jsonl").write_text("damaged\n")
    assert headline(folder) == ""
    assert headline(RunFolder(folder.path / "gone")) == ""
