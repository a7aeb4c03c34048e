"""How far a run is: a live display in a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from iolab.kind import Line
from iolab.report import numbers
from iolab.results.folder import RunFolder

TO_DO = "make worker"  # what names it is something to do, and is shown wherever the output goes


class Left:
    """How long a run still takes: at first by theory, and the more trials have ended, the more by those.

    `planned` trials take `expected_s` in theory; times are those of a clock that shows `now_s`.
    """

    def __init__(self, planned: int = 0, expected_s: float | None = None, now_s: float = 0.0) -> None:
        self._planned, self._expected_s, self._begun_s = planned, expected_s, now_s
        self._first, self._done, self._total, self._trial_s = 0, 0, 0, now_s

    def trial(self, number: int, total: int, now_s: float) -> None:
        """Take note that trial `number` of `total` begins; the first one of a resumed run is not number 1."""
        self._first = self._first or number
        self._done, self._total, self._trial_s = number - self._first, total, now_s

    def left_s(self, now_s: float) -> float | None:
        """Return the seconds that are left; None where nothing is known of them."""
        if self._expected_s is None:
            return None
        if not self._total:
            return max(0.0, self._begun_s + self._expected_s - now_s)
        to_do = self._total - self._first + 1
        by_theory_s = self._expected_s * to_do / self._planned
        # The share that is done took that long; the rest is taken from theory.
        whole_s = (1 - self._done / to_do) * by_theory_s + (self._trial_s - self._begun_s)
        return max(0.0, self._begun_s + whole_s - now_s)


class LeftColumn(ProgressColumn):
    """The time that is left."""

    def __init__(self, left: Left) -> None:
        super().__init__()
        self.left = left

    def render(self, task: Task) -> Text:  # noqa: ARG002 (rich's signature)
        """Return it, and nothing where it is not known."""
        left_s = self.left.left_s(time.monotonic())
        return Text(f"about {numbers.duration(left_s)} left" if left_s else "", style="dim")


class RunProgress:
    """Shows each trial as it begins and its result as it ends."""

    def __init__(self, console: Console) -> None:
        self._console, self._count = console, 0
        self._left = LeftColumn(Left())
        self._live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            self._left,
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
            self._print(f"{what} ...", "dim")

    def opened(self, folder: RunFolder) -> None:
        """Show nothing: the last line of a command names the report."""

    def planned(self, count: int, expected_s: float | None) -> None:
        """Show of how many trials it is (0: not known), and how long all of them take in theory."""
        self._count = count
        self._left.left = Left(count, expected_s, time.monotonic())
        self._live.update(self._task, total=count or None)
        if expected_s is not None:
            trials = f"{numbers.counted(count, 'trial')}: " if count else ""
            self._print(f"{trials}about {numbers.duration(expected_s)} of load, and the time to start servers.", "dim")

    def started(self, what: str, number: int, total: int) -> None:
        """Show which trial runs, of how many there are now."""
        self._count = total
        self._left.left.trial(number, total, time.monotonic())
        self._live.update(self._task, description=what, completed=number - 1, total=total or None)

    def finished(self, line: Line, number: int) -> None:
        """Print the result of a trial."""
        self._live.update(self._task, completed=number)
        place = f"{number:{len(str(self._count))}}/{self._count}" if self._count else f"{number:2}"
        self._print(f"{place}  {line.text}", line.style)
        if line.note:
            self._print(f"  {line.note}", "dim")

    def _print(self, text: str, style: str | None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
