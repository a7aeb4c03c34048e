"""Markdown of the course in a terminal."""

from typing import ClassVar

from rich.console import JustifyMethod
from rich.markdown import Markdown, MarkdownElement, TableDataElement


class _Cell(TableDataElement):
    """A cell whose long words, and Chinese sentences, which have no spaces, are folded; rich would cut them."""

    def __init__(self, justify: JustifyMethod) -> None:
        super().__init__(justify)
        self.content.overflow = "fold"


class Handout(Markdown):
    """Markdown whose tables show all of their text in any width."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "th_open": _Cell, "td_open": _Cell}
