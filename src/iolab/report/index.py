"""index.html in the folder of the results: all runs, the newest first, each with its answer and its report."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from iolab.errors import UsageError
from iolab.report.doubts import Trust
from iolab.report.pages import template
from iolab.results import files

NAME = "index.html"
REPORTS = "reports"  # of runs of the checkout, whose folders are left as they are
OURS = frozenset(
    {"trace", "sbom", "contract", "compare", "ab", "aa", REPORTS}
)  # logs, pages, outcomes, series: no runs


class Entry(NamedTuple):
    """A run as the head of its summary.json tells it; `folder` is its name under the results."""

    folder: str
    question: str
    verdict: str
    trust: Trust
    about: str
    lacks: str = ""


def write(results: Path) -> list[str]:
    """Write the page of all runs of a folder; return a line for each folder in it that has no report to show."""
    entries, skipped = read(results)
    page = template("index.html.j2").render(entries=entries, skipped=skipped)
    files.write(results.resolve() / NAME, page.encode())
    return skipped


def read(results: Path) -> tuple[list[Entry], list[str]]:
    """Return the runs of a folder, the newest first, and a line for each other folder in it."""
    dated: list[tuple[datetime, Entry]] = []
    skipped = []
    for folder in sorted(results.iterdir()):
        if not folder.is_dir() or folder.is_symlink() or folder.name in OURS or folder.name.startswith("."):
            continue
        try:
            dated.append(_entry(folder))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError):
            known = (folder / "run.json").is_file()
            what = "it has no report; make report RUN= with this folder writes it" if known else "it is no run folder"
            skipped.append(f"{folder.name} is not shown: {what}.")
    return [entry for _, entry in sorted(dated, key=lambda each: (each[0], each[1].folder), reverse=True)], skipped


def _entry(folder: Path) -> tuple[datetime, Entry]:
    head: dict[str, Any] = json.loads(files.read(folder / "summary.json"))
    started = datetime.fromisoformat(head["started"])
    if started.tzinfo is None:
        raise ValueError(head["started"])
    if not (folder / "report.html").is_file():
        raise FileNotFoundError(folder / "report.html")
    named = head["kind"] if head["kind"] == head["experiment"] else f"{head['experiment']} ({head['kind']})"
    about = [named, f"{started:%Y-%m-%d %H:%M} UTC", *(["quick"] if head["quick"] else []), head["status"]]
    trust, told = Trust(**head["trust"]), ", ".join(about)
    return started, Entry(folder.name, head["question"], head["verdict"], trust, told, head.get("lacks", ""))
