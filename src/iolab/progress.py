"""How far a run is: a live display in a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from iolab.kind import Line

TO_DO = "make worker"  # what names it is something to do, and is shown wherever the output goes


class RunProgress:
    """Shows each trial as it begins and its result as it ends."""

    def __init__(self, console: Console) -> None:
        self._console, self._count = console, 0
        self._live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._live.add_task("starting", total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def says(self, what: str) -> None:
        """Show what is done just now."""
        self._live.update(self._task, description=what)
        if TO_DO in what:
            self._console.print(f"{what} ...", style="dim", markup=False, highlight=False, soft_wrap=True)

    def planned(self, count: int) -> None:
        """Show of how many trials it is; 0 where that is not known."""
        self._count = count
        self._live.update(self._task, total=count or None)

    def started(self, what: str, number: int) -> None:
        """Show which trial runs; a plan can take more than it was to."""
        if self._count:
            self._count = max(self._count, number)
            self._live.update(self._task, total=self._count)
        self._live.update(self._task, description=what, completed=number - 1)

    def finished(self, line: Line, number: int) -> None:
        """Print what came of it."""
        self._live.update(self._task, completed=number)
        place = f"{number:{len(str(self._count))}}/{self._count}" if self._count else f"{number:2}"
        self._console.print(f"{place}  {line.text}", style=line.style, markup=False, highlight=False, soft_wrap=True)
        if line.note:
            self._console.print(f"  {line.note}", style="dim", markup=False, highlight=False, soft_wrap=True)
