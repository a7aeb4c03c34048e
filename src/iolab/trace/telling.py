"""The parts of a story, and the words that its steps share."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from iolab.trace.records import Cited, Open, Run
from iolab.trace.tasks import Task
from iolab.trace.watch import Watch

Status = Literal["proved", "inferred", "missing"]


@dataclass(frozen=True)
class Step:
    """One step of the story; `lines` are (line, what it means)."""

    number: int
    title: str
    status: Status
    sentence: str
    lines: tuple[tuple[Cited, str], ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Click:
    """One click, with the milliseconds since its wake-up (None where the log has no times)."""

    number: int
    status: Status
    opened: Open
    lines: tuple[tuple[Cited, str], ...]
    read_ms: float | None
    clone_ms: float | None
    open_ms: float | None
    answer_ms: float | None


def newest(watch: Watch, start: str) -> str:
    """Begin a sentence about the newest run, if there are several."""
    return start if len(watch.runs) < 2 else f"In the newest run {start[0].lower()}{start[1:]}"


def subject(run: Run, task: Task | None, names: Mapping[int, int]) -> str:
    """Name a thread by its role, or as a process or thread of its number."""
    if task is None or task is run.binder:
        return "The listening thread"
    tid = names.get(task.tid, task.tid)
    return f"Process {tid}" if task.process.pid == task.tid else f"Thread {tid}"


def address(host: str, port: int) -> str:
    """Write a host and port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def times(number: int) -> str:
    """Say how often."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def count(number: int, noun: str) -> str:
    """Say how many of a noun; "processes" is the plural of "process"."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def range_ms(values: list[float]) -> str:
    """Write the least and the most of some times."""
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return f"{low} ms" if low == high else f"{low} to {high} ms"


def a_second(rate: float) -> str:
    """Write a rate with the digits that it needs."""
    return f"{rate:.1f} times a second" if rate >= 1 or not rate else f"{rate:.2g} times a second"


def acceptors(run: Run) -> list[Task]:
    """Return the threads of a run that accepted connections."""
    return [task for task in run.tasks.values() if task.accepts]


def total_calls(watch: Watch) -> Counter[str]:
    """Return how often each call was made."""
    counts: Counter[str] = Counter()
    for calls in watch.calls.values():
        counts.update(calls)
    return counts
