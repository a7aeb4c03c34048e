"""Rich's console, which colours and places text, for text that may contain control characters."""

from collections.abc import Iterable

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from iolab.cli.output import visible


class Console(RichConsole):
    """A console that prints control characters as escapes, whatever the text comes from."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the parts of what is printed; of these only `control` parts are for the terminal itself."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
