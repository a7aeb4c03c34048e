"""The addresses that commands print: of the lab's page if it is open, else of a file."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from iolab.lab import COMPOSE_FILE
from iolab.results.folder import RunFolder
from iolab.web import record


def of_run(folder: RunFolder) -> str:
    """Return where a browser finds the report of a run."""
    path = folder.path.resolve()
    page = _page(path.parent)
    return f"{page}/#run/{quote(path.name)}" if page else (path / "report.html").as_uri()


def of_comparison(sides: Sequence[Sequence[RunFolder]], file: Path) -> str:
    """Return where a browser finds a comparison of runs, of which `file` is the page without the lab."""
    folders = {folder.path.resolve().parent for side in sides for folder in side}
    page = _page(folders.pop()) if len(folders) == 1 else ""
    names = "/".join(",".join(quote(folder.path.name) for folder in side) for side in sides)
    return f"{page}/#run/{names}" if page else file.resolve().as_uri()


def of_trace(file: Path) -> str:
    """Return where a browser finds the page of a trace."""
    path = file.resolve()
    page = _page(path.parent.parent) if path.parent.name == "trace" else ""
    return f"{page}/#trace/{quote(path.name)}" if page else path.as_uri()


def of_runs(file: Path) -> str:
    """Return where a browser finds the list of all runs, of which `file` is the page without the lab."""
    page = _page(file.resolve().parent)
    return f"{page}/#runs" if page else file.resolve().as_uri()


def _page(results: Path) -> str:
    """Return the address of the lab's page if it is open and shows this folder; else ""."""
    if results.name != "results" or not (results.parent / COMPOSE_FILE).is_file():
        return ""
    serving = record.serving(results.parent)
    return serving.url if serving else ""
