"""Facts that follow directly from a watched log: its clicks, its event loop, its duration."""

from collections import Counter

from iolab.trace.decode import EPOLL_WAITS
from iolab.trace.identity import Identity, identify
from iolab.trace.records import SCRIPT_THREAD, Open, Run
from iolab.trace.tasks import Task
from iolab.trace.watch import Watch

LEAST_HELD = 0.05  # of the time served, in a call that waits for no descriptor, that is worth telling
LEAST_RATE_S = 1.0  # "times a second" needs a second


def script_opens(watch: Watch) -> list[Open]:
    """Return the clicks: opens of the script by another thread than the listener's."""
    return [opened for opened in all_opens(watch) if opened.by == SCRIPT_THREAD]


def all_opens(watch: Watch) -> list[Open]:
    """Return every open of the script, in the order of the log."""
    return [*watch.clicks.orphans, *(opened for run in watch.runs for opened in run.opens)]


def shows_streamlit(watch: Watch) -> bool:
    """Whether the log shows Streamlit: its files, its websocket, or its script that a click opens."""
    return (
        any("streamlit" in process.program.parts for process in watch.processes.all)
        or watch.streamlit_socket
        or bool(all_opens(watch) or watch.clicks.pyc_opens)
    )


def waits(watch: Watch) -> dict[str, int]:
    """Return how often each epoll wait was called, by name."""
    counts: Counter[str] = Counter()
    for calls in watch.calls.values():
        counts.update({name: calls[name] for name in EPOLL_WAITS if calls[name]})
    return dict(counts)


def identity(watch: Watch) -> Identity:
    """Say which server and which loop ran, with what shows it."""
    return identify(watch.made, watch.run, sockets_only_go=watch.mask_of_size_0)


def loop_of(watch: Watch) -> str | None:
    """Return the name of the event loop, such as "uvloop" or "asyncio"; None where nothing in the log shows it."""
    return identity(watch).loop


def duration_s(watch: Watch) -> float | None:
    """Return how long the log lasts, in seconds."""
    if watch.first_s is None or watch.last_s is None or watch.last_s <= watch.first_s:
        return None
    return watch.last_s - watch.first_s


def task_serving_s(run: Run, task: Task) -> float | None:
    """Return how long a thread has served: from its registration (else bind, else first wait) to its last call's end.

    A wait that the log does not end counts to the log's last known moment. None where that is no time at all.
    """
    first_s = task.serves_from_s
    if task is run.binder:
        first = run.listeners[0].adds.get(task.tid) or run.listeners[0].bind
        first_s = first.time_s
    ends = [each for each in (task.last_s, task.waited_until_s) if each is not None]
    if first_s is None or not ends or max(ends) <= first_s:
        return None
    return max(ends) - first_s


def share_asleep(run: Run, task: Task) -> float | None:
    """Return the share of its time that a thread slept, 0 to 1; None where the log does not tell."""
    total_s = task_serving_s(run, task)
    return min(1.0, task.sleep.slept_s / total_s) if total_s and task.sleep.timed else None


def longest_held(run: Run, task: Task) -> tuple[str, float] | None:
    """Return the call without descriptors that held a thread longest, and its seconds; None if that is little.

    Such a thread waits for a lock, a time or a process, and is not idle for want of events alone.
    """
    total_s = task_serving_s(run, task)
    name, microseconds = max(task.sleep.held_us.items(), key=lambda item: item[1], default=("", 0))
    return (name, microseconds / 1e6) if total_s and microseconds / 1e6 >= LEAST_HELD * total_s else None


def rate(number: int, seconds: float | None) -> float | None:
    """Return how often a second something happened; None in less than a second."""
    return number / seconds if seconds is not None and seconds >= LEAST_RATE_S else None
