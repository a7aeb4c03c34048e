"""How long an event loop does not wait for events: a turn is the time between two such waits of one thread."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iolab.trace.decode import EPOLL_WAITS
from iolab.trace.events import Syscall
from iolab.trace.strace import Strace

HELD_S = 1e-3
LEAST_WORTH = 0.1  # of a turn: a call that takes less is not the reason for its length


@dataclass(frozen=True)
class Turn:
    """The longest turn of a loop: from when epoll woke thread `tid` to when it waited again, `length_s` later.

    `begin_line` is the line of the wait before it, `end_line` that of the wait after it. `calls` are the system calls
    of that thread in between that took HELD_S or longer, by name, and `in_calls_s` their total time: a thread that
    computes makes system calls, too.
    """

    tid: int
    begin_line: int
    end_line: int
    length_s: float
    calls: Mapping[str, int]
    in_calls_s: Mapping[str, float]

    @property
    def blocker(self) -> str | None:
        """The system call that held the thread for the largest share of the turn, if that is above LEAST_WORTH."""
        name = max(self.in_calls_s, key=lambda name: self.in_calls_s[name], default=None)
        return name if name and self.in_calls_s[name] > LEAST_WORTH * self.length_s else None


@dataclass
class _Away:
    """A thread between two waits."""

    line: int
    since_s: float
    calls: Counter[str]
    in_calls_s: Counter[str]


def longest(lines: Iterable[str], start_s: float, end_s: float) -> Turn | None:
    """Return the longest turn that ended between two moments (seconds since the epoch); None where there is none."""
    away: dict[int, _Away] = {}
    found: Turn | None = None
    for event in Strace(lines):
        if not isinstance(event, Syscall) or event.time_s is None:
            continue
        here = away.get(event.tid)
        if event.name in EPOLL_WAITS:
            if here and start_s <= event.time_s <= end_s and here.since_s >= start_s:
                length_s = event.time_s - here.since_s
                if found is None or length_s > found.length_s:
                    found = Turn(event.tid, here.line, event.line, length_s, here.calls, _seconds(here.in_calls_s))
            if event.end_s is not None:
                away[event.tid] = _Away(event.line, event.end_s, Counter(), Counter())
        elif here and (duration_s := event.duration_s or 0.0) >= HELD_S:
            here.calls[event.name] += 1
            here.in_calls_s[event.name] += round(duration_s * 1e6)  # a Counter counts whole microseconds
    return found


def _seconds(microseconds: Counter[str]) -> dict[str, float]:
    return {name: count / 1e6 for name, count in microseconds.items()}
