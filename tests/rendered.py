"""What a reader sees of a document: the page, Markdown, and the terminal's form."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from iolab.kinds import registry
from iolab.report import brief
from iolab.report.document import Document
from iolab.report.markdown import render as markdown
from iolab.report.pages import render as page
from iolab.report.summary import summary as text
from iolab.results.folder import RunFolder

__all__ = ["figures", "markdown", "page", "summary", "terminal"]


def figures(html: str) -> int:
    """Return how many figures a page has; each has a form for wide screens and paper, and one for narrow screens."""
    wide, narrow = (html.count(f'<div class="form {form}-form"><svg role="img"') for form in ("wide", "narrow"))
    assert wide == narrow == html.count('<div class="form') / 2
    return wide


def terminal(document: Document, width: int = 120, address: str = "results/latest/report.html") -> str:
    """Return what a terminal of so many columns shows."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=width, record=True, file=nowhere)
        brief.show(console, document, address)
    return console.export_text()


def summary(folder: RunFolder) -> dict[str, Any]:
    """Return summary.json of a run, as the reports of its folder would have it."""
    report = registry.kind_of(folder).report(folder)
    written: dict[str, Any] = json.loads(text(folder.read_run(), report.document(), report.cells, report.facts))
    return written
