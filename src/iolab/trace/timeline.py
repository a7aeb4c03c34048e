"""What the page draws: lanes of threads and descriptors, in a bounded number of marks for a log of any length."""

from collections import Counter
from dataclasses import dataclass, field

from iolab.trace.decode import ACCEPTS, CLONES, CONTROL, OPENS, READS, WRITES, ready
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.objects import Epoll
from iolab.trace.tasks import Task
from iolab.trace.waiting import WAIT_CALLS, timeout_s, waits
from iolab.trace.waits import LEAST_IN_ACCEPT_S

MOST_MARKS = 6000
MOST_BARS = 4000
FINEST_S = 0.0005
LANES_KEPT = 4000  # while reading; the page shows the busiest

_KINDS = {
    **dict.fromkeys(READS, "read"),
    **dict.fromkeys(WRITES, "write"),
    **dict.fromkeys(ACCEPTS, "accept"),
    **dict.fromkeys(OPENS, "open"),
    **dict.fromkeys(CLONES, "clone"),
    "bind": "listen",
    "listen": "listen",
    "epoll_ctl": "register",
}
_SLEEPS = {**dict.fromkeys(WAIT_CALLS, "wait"), "clock_nanosleep": "sleep", "nanosleep": "sleep", "futex": "lock"}

_BUSY = ("read", "write", "accept", "listen", "wake")

Lane = tuple[str, int, int]  # ("thread", tid, 0) or ("fd", fd, the process that has it); number -1: all others


@dataclass(slots=True)
class Mark:
    """Calls of one kind in one lane, so near each other that they are drawn as one.

    Waits of one thread that follow each other without anything happening in between are drawn as a bar.
    """

    lane: Lane
    kind: str
    start: float
    end: float
    count: int
    line: int
    last_line: int


@dataclass
class Timeline:
    """Marks and bars by time in seconds from the log's first stamp, or by line where it has no stamps."""

    unit: str = "line"
    end: float = 0.0
    bars: list[Mark] = field(default_factory=list)
    seen: Counter[Lane] = field(default_factory=Counter)
    _marks: dict[tuple[Lane, str, int], Mark] = field(default_factory=dict)
    _width: float = 1.0
    _gap: float = 0.0
    _origin: float | None = None
    _last_bar: dict[Lane, Mark] = field(default_factory=dict)

    @property
    def marks(self) -> list[Mark]:
        """All marks, by time."""
        return sorted(self._marks.values(), key=lambda mark: mark.start)

    @property
    def origin_s(self) -> float | None:
        """The time stamp that counts as zero; None where the axis is lines."""
        return self._origin

    @property
    def idle(self) -> set[Lane]:
        """The descriptors on which nothing was read, written or accepted."""
        busy = {mark.lane for mark in self._marks.values() if mark.kind in _BUSY}
        return {lane for lane in self.seen if lane[0] == "fd" and lane not in busy}

    def see(self, event: Syscall | Signal | Exit, task: Task | None) -> None:
        """Take the next event, of this task."""
        if self._origin is None and self._width == 1.0 and not self.end and event.time_s is not None:
            self.unit, self._origin, self._width = "s", event.time_s, FINEST_S
        at = self._at(event)
        self.end = max(self.end, at)
        lane = ("thread", event.tid, 0)
        if isinstance(event, Signal):
            self._mark(lane, "signal", at, event.line)
        elif isinstance(event, Exit):
            self._mark(lane, "exit", at, event.line)
        else:
            self._call(event, lane, at, task)

    def _call(self, call: Syscall, lane: Lane, at: float, task: Task | None) -> None:
        sleeping = _SLEEPS.get(call.name)
        waiting = waits(call) if sleeping == "wait" else sleeping != "lock" or "FUTEX_WAIT" in call.rest
        if sleeping and waiting:
            self._slept(call, lane, sleeping, at, task)
            return
        if call.name in ACCEPTS and (end := self._end(call, at)) - at >= LEAST_IN_ACCEPT_S:
            self._bar(lane, "wait", at, end, call.line)  # the connection is there at its end
            self.end, at = max(self.end, end), end
        pid = task.process.pid if task else 0
        kind = _KINDS.get(call.name, "other")
        if call.error:
            kind = "other" if kind != "open" else "open"
        self._mark(lane, kind, at, call.line)
        if kind in ("read", "write", "listen", "accept") and (fd := call.fd) is not None:
            self._mark(("fd", fd, pid), kind, at, call.line)
            if kind == "accept" and call.returned is not None:
                self._mark(("fd", call.returned, pid), kind, at, call.line)
        elif kind == "register" and (match := CONTROL.match(call.rest)):
            self._mark(("fd", int(match[3]), pid), kind, at, call.line)

    def _slept(self, call: Syscall, lane: Lane, kind: str, at: float, task: Task | None) -> None:
        end = self._end(call, at)
        self.end = max(self.end, end)
        happened = kind == "wait" and bool(call.returned) and (call.returned or 0) > 0
        if kind != "wait" or timeout_s(call) != 0:
            self._bar(lane, kind, at, end, call.line)
        else:
            self._mark(lane, "look", at, call.line)
        if happened:
            self._mark(lane, "wake", end, call.end_line or call.line)
            epoll = task.process.find(call.fd) if task else None
            for word, guess in ready(call):
                fd = epoll.descriptor(word, guess) if isinstance(epoll, Epoll) else guess
                if fd is not None:
                    self._mark(("fd", fd, task.process.pid if task else 0), "wake", end, call.end_line or call.line)

    def _end(self, call: Syscall, at: float) -> float:
        """Return where a call ends that begins at `at`; the same where the log does not tell, or has no times."""
        end_s = call.end_s
        return at if end_s is None or self._origin is None else max(at, end_s - self._origin)

    def _bar(self, lane: Lane, kind: str, start: float, end: float, line: int) -> None:
        self.seen[lane] += 1
        last = self._last_bar.get(lane)
        # Consecutive waits are drawn as one long wait; what happened in between is drawn as marks above it.
        if last and last.kind == kind and start - last.end <= max(self._gap, 0.002 if self._origin is not None else 3):
            last.end, last.count, last.last_line = max(last.end, end), last.count + 1, line
            return
        bar = Mark(lane, kind, start, end, 1, line, line)
        self._last_bar[lane] = bar
        self.bars.append(bar)
        if len(self.bars) > MOST_BARS:
            self._join_bars()

    def _join_bars(self) -> None:
        """Join bars over ever wider gaps until half of them are left."""
        self._gap = max(self._gap, 0.001 if self._origin is not None else 1.0)
        while len(self.bars) > MOST_BARS // 2:
            self._gap *= 2
            joined: list[Mark] = []
            last: dict[tuple[Lane, str], Mark] = {}
            for bar in self.bars:
                before = last.get((bar.lane, bar.kind))
                if before and bar.start - before.end <= self._gap:
                    before.end, before.count = max(before.end, bar.end), before.count + bar.count
                    before.last_line = bar.last_line
                else:
                    joined.append(bar)
                    last[bar.lane, bar.kind] = bar
            if self._gap > max(self.end, 1.0) * 2:
                joined = joined[: MOST_BARS // 2]  # more lanes than that: threads that only slept
            self.bars = joined
        self._last_bar = {bar.lane: bar for bar in self.bars}

    def _mark(self, lane: Lane, kind: str, at: float, line: int) -> None:
        self.seen[lane] += 1
        if len(self.seen) > LANES_KEPT:
            self.seen.pop(lane)
            lane = (lane[0], -1, 0)
            self.seen[lane] += 1
        key = (lane, kind, int(at / self._width))
        mark = self._marks.get(key)
        if mark:
            mark.end, mark.count, mark.last_line = max(mark.end, at), mark.count + 1, line
            return
        self._marks[key] = Mark(lane, kind, at, at, 1, line, line)
        if len(self._marks) > MOST_MARKS:
            self._widen()

    def _widen(self) -> None:
        """Double the width of a mark until half of them are left."""
        while len(self._marks) > MOST_MARKS // 2 and self._width < max(self.end, 1.0) * 2:
            self._width *= 2
            joined: dict[tuple[Lane, str, int], Mark] = {}
            for mark in self._marks.values():
                key = (mark.lane, mark.kind, int(mark.start / self._width))
                before = joined.get(key)
                if before:
                    before.end = max(before.end, mark.end)
                    before.count += mark.count
                    before.last_line = max(before.last_line, mark.last_line)
                else:
                    joined[key] = mark
            self._marks = joined
        if len(self._marks) > MOST_MARKS // 2:  # more lanes and kinds than that: the quiet ones go
            busiest = sorted(self._marks.items(), key=lambda item: -item[1].count)[: MOST_MARKS // 2]
            self._marks = dict(busiest)

    def _at(self, event: Syscall | Signal | Exit) -> float:
        if self._origin is None:
            return float(event.line)
        return max(0.0, event.time_s - self._origin) if event.time_s is not None else self.end
