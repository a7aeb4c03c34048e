"""Facts that follow directly from a watched log: its clicks, its event loop, its duration."""

from collections import Counter

from iolab.trace.decode import EPOLL_WAITS
from iolab.trace.records import SCRIPT_THREAD, Open, Run
from iolab.trace.watch import Watch


def script_opens(watch: Watch) -> list[Open]:
    """Return the clicks: opens of the script by another thread than the listener's."""
    return [opened for opened in all_opens(watch) if opened.by == SCRIPT_THREAD]


def all_opens(watch: Watch) -> list[Open]:
    """Return every open of the script, in the order of the log."""
    return [*watch.clicks.orphans, *(opened for run in watch.runs for opened in run.opens)]


def waits(watch: Watch) -> dict[str, int]:
    """Return how often each epoll wait was called, by name."""
    counts: Counter[str] = Counter()
    for calls in watch.calls.values():
        counts.update({name: calls[name] for name in EPOLL_WAITS if calls[name]})
    return dict(counts)


def loop_of(watch: Watch) -> str | None:
    """Say which event loop ran: "uvloop" or "asyncio"; None where the log does not show it."""
    if watch.made.uvloop or watch.uring:
        return "uvloop"
    return "asyncio" if watch.made.server or any(run.listeners and run.listeners[0].add for run in watch.runs) else None


def duration_s(watch: Watch) -> float | None:
    """Return how long the log lasts, in seconds."""
    if watch.first_s is None or watch.last_s is None or watch.last_s <= watch.first_s:
        return None
    return watch.last_s - watch.first_s


def serving_s(run: Run) -> float | None:
    """Return how long a run has served: from its registration (else its bind) to its last call, in seconds."""
    first = run.listeners[0].add or run.listeners[0].bind
    if first.time_s is None or run.last_s is None or run.last_s <= first.time_s:
        return None
    return run.last_s - first.time_s
