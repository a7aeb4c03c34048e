"""What a reader sees of a document: the page, Markdown, and the terminal's form."""

from pathlib import Path

from rich.console import Console

from iolab.report import brief
from iolab.report.document import Document
from iolab.report.markdown import render as markdown
from iolab.report.pages import render as page

__all__ = ["figures", "markdown", "page", "terminal"]


def figures(html: str) -> int:
    """Return how many figures a page has; each has a form for wide screens and paper, and one for narrow screens."""
    wide, narrow = (html.count(f'<div class="form {form}-form"><svg role="img"') for form in ("wide", "narrow"))
    assert wide == narrow == html.count('<div class="form') / 2
    return wide


def terminal(document: Document, width: int = 120, folder: str = "results/latest") -> str:
    """Return what a terminal of so many columns shows."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=width, record=True, file=nowhere)
        brief.show(console, document, folder)
    return console.export_text()
