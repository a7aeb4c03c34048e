"""What a reader sees of a document: the page, Markdown, and the terminal's form."""

from pathlib import Path

from rich.console import Console

from iolab.report import brief
from iolab.report.document import Document
from iolab.report.markdown import render as markdown
from iolab.report.pages import render as page

__all__ = ["markdown", "page", "terminal"]


def terminal(document: Document, width: int = 120, folder: str = "results/latest") -> str:
    """Return what a terminal of so many columns shows."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=width, record=True, file=nowhere)
        brief.show(console, document, folder)
    return console.export_text()
