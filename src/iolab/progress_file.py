"""How far a run is, in a file of its folder: for a page that shows the run while it is measured.

The page asks for it by a file of its own. What is drawn is drawn here, between two trials, because a process that draws
at the same time would disturb what is measured.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from iolab.kind import Line
from iolab.kinds import registry
from iolab.report.answers import unanswered
from iolab.report.document import Document, Figure, Section
from iolab.results.files import PROGRESS, WATCHED
from iolab.results.folder import RunFolder
from iolab.session import Observer
from iolab.withheld import withheld

FRESH_S = 10.0  # a page that looks asks every second


class ProgressFile:
    """Passes a run's progress on to another observer; if a page looks, it writes lines and headline figure."""

    def __init__(self, observer: Observer, root: Path | None = None) -> None:
        self._observer, self._root = observer, root
        self._folder: RunFolder | None = None
        self._lines: list[str] = []

    def says(self, what: str) -> None:
        """Pass it on."""
        self._observer.says(what)

    def opened(self, folder: RunFolder) -> None:
        """Take note of the run folder."""
        self._folder = folder
        self._observer.opened(folder)

    def planned(self, count: int, expected_s: float | None) -> None:
        """Pass it on."""
        self._observer.planned(count, expected_s)

    def started(self, what: str, number: int, total: int) -> None:
        """Pass it on."""
        self._observer.started(what, number, total)

    def finished(self, line: Line, number: int) -> None:
        """Pass it on, and write the file if a page looks."""
        self._observer.finished(line, number)
        self._lines.append(line.text)
        if self._folder and self._is_watched(self._folder):
            content = {"lines": self._lines, "figure": headline(self._folder, self._root)}
            self._folder.write(PROGRESS, json.dumps(content))

    def close(self) -> None:
        """Remove the files: the run has ended, and has its report."""
        if self._folder:
            for name in (WATCHED, PROGRESS):
                (self._folder.path / name).unlink(missing_ok=True)

    @staticmethod
    def _is_watched(folder: RunFolder) -> bool:
        try:
            return time.time() - (folder.path / WATCHED).lstat().st_mtime < FRESH_S
        except OSError:
            return False


def headline(folder: RunFolder, root: Path | None = None) -> str:
    """Return the headline figure of a run as it is now, as SVG; "" if it has none, or cannot be drawn yet.

    Where the reports of the run withhold theory, it has none; `root` is the checkout.
    """
    try:
        document: Document = registry.kind_of(folder).report(folder).document()
        document = unanswered(document) if withheld(folder, root) else document
        return next((figure.draw(False) for figure in _figures(document.answer)), "")
    except Exception:  # noqa: BLE001 (whatever a half-measured run does to a drawing, the measurement goes on)
        return ""


def _figures(sections: Sequence[Section]) -> Iterator[Figure]:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield block
