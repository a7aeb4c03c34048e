"""How far a benchmark is: a live display in a terminal, plain lines elsewhere."""

import statistics
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from iolab.experiment import Trial
from iolab.report import words
from iolab.results.records import ClosedRecord, Sample


class BenchProgress:
    """Shows each trial as it begins and its result as it ends."""

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._trials = console, trials
        self._live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._live.add_task("starting", total=trials)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, trial: Trial) -> None:
        """Show which trial runs; a precision that is not reached yet takes more than were planned."""
        self._trials = max(self._trials, trial.index + 1)
        self._live.update(self._task, total=self._trials)
        self._live.update(self._task, description=f"{trial.model} {trial.service}, {words.users(trial.concurrency)}")

    def finished(self, record: ClosedRecord, samples: Sequence[Sample]) -> None:
        """Show what came of it."""
        self._live.advance(self._task)
        latencies_ms = sorted(
            sample.latency_s * 1000 for sample in samples if sample.status == 200 and sample.latency_s is not None
        )
        number = f"{record.index + 1:{len(str(self._trials))}}/{self._trials}"
        place = f"{number}  {record.model} {record.service:<20} c = {record.concurrency:<4}"
        text = f"invalid: {record.reason}"
        if record.valid and latencies_ms:
            median, slowest = words.milliseconds(statistics.median(latencies_ms)), words.milliseconds(latencies_ms[-1])
            failed = f"   {record.errors} failed" if record.errors else ""
            text = f"median {median:>8}   slowest {slowest:>8}{failed}"
        self._console.print(
            f"{place} {text}", style=None if record.valid else "red", markup=False, highlight=False, soft_wrap=True
        )
