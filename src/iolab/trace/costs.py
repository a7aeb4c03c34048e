"""What a request costs a server: system calls and threads, counted in a log between two moments."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from iolab.trace.events import Syscall
from iolab.trace.lines import Lines
from iolab.trace.strace import Strace
from iolab.trace.turns import Turn


@dataclass(frozen=True)
class Switches:
    """Context switches: a thread that waits gives its core away, one that is still busy has it taken away."""

    voluntary: int
    involuntary: int


@dataclass(frozen=True)
class Costs:
    """What `requests` requests at once cost a server.

    `calls` are the system calls of all its threads by name, under strace; `switches` (None if threads started or
    ended, because the kernel drops their counts) and `seconds` (from the first to the last answer) are of the same load
    without strace, which would add its own. `turn` is the longest turn of its event loop, if it has one.
    """

    service: str
    title: str
    requests: int
    calls: Mapping[str, int]
    threads: int
    switches: Switches | None
    seconds: float
    turn: Turn | None = None

    @property
    def calls_per_request(self) -> float:
        """The mean number of system calls a request."""
        return sum(self.calls.values()) / self.requests

    @property
    def switches_per_request(self) -> float | None:
        """The mean number of context switches a request."""
        return None if self.switches is None else (self.switches.voluntary + self.switches.involuntary) / self.requests


def as_json(costs: Costs) -> dict[str, Any]:
    """Return the costs as plain values, with what they are a request."""
    return {
        "service": costs.service,
        "title": costs.title,
        "requests": costs.requests,
        "calls": dict(sorted(costs.calls.items(), key=lambda item: -item[1])),
        "calls_per_request": costs.calls_per_request,
        "threads": costs.threads,
        "switches": costs.switches and asdict(costs.switches),
        "switches_per_request": costs.switches_per_request,
        "seconds": costs.seconds,
        "longest_turn": None
        if costs.turn is None
        else {
            "lines": [costs.turn.begin_line, costs.turn.end_line],
            "seconds": costs.turn.length_s,
            "blocker": costs.turn.blocker,
            "seconds_in_calls": dict(costs.turn.in_calls_s),
        },
    }


def count(lines: Lines, start_s: float, end_s: float) -> tuple[Counter[str], int]:
    """Return the calls by name that began between two moments (seconds since the epoch), and by how many threads."""
    calls: Counter[str] = Counter()
    threads: set[int] = set()
    for event in Strace(lines):
        if isinstance(event, Syscall) and event.time_s is not None and start_s <= event.time_s <= end_s:
            calls[event.name] += 1
            threads.add(event.tid)
    return calls, len(threads)
