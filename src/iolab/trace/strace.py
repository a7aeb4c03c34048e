"""strace's text -> system calls, one by one, in constant memory.

The format is strace's own (man 1 strace, "TRACE OUTPUT FORMAT"): an optional pid, an optional time stamp, then
`name(arguments) = result <duration>`, or a part of that if another thread made a call in between.
"""

import re
from collections.abc import Iterable, Iterator

from iolab.trace.events import Exit, Signal, Syscall

MOST_PENDING = 1 << 16  # calls under way at once; a kernel has fewer threads
DAY_S = 86400.0

_LEADER = (
    r" *(?:\[pid +(\d{1,9})(?:<[^>]*>)?\] +|(\d{1,7})(?:<[^>]*>)? +)?"  # [pid 17] | 17 | 17<python>
    r"(?:([\d:.]+) +)?"  # -t, -tt, -ttt, -r
    r"(?:\(\+ *[\d.]+\) )?(?:\[[ 0-9a-fx?]+\] )*"  # -r beside -t; -n and -i
)
# Nearly all lines, at half the cost of _CALL and _OTHER.
_USUAL = re.compile(
    r"(?:(\d{1,7}) +)?(?:(\d{10}\.\d{6}) |([\d:.]+) )?(?:([a-z_]\w*)\(|<\.\.\. (\w+) resumed>)", re.ASCII
)
_CALL = re.compile(_LEADER + r"([a-z_]\w*)\(", re.ASCII)
_OTHER = re.compile(_LEADER + r"(?:<\.\.\. (\w+) resumed>(.*)|--- (\w+)(.*) ---|\+\+\+ (.*) \+\+\+)", re.ASCII)
_CHATTER = re.compile(r"strace: |\[ Process ")
_UNFINISHED = "<unfinished ...>"
# Where strace writes to standard error, it reports a new thread in the middle of a line; the call goes on below it.
_TORN = re.compile(r"strace: Process (\d{1,9}) attached$")
_REST_OF_TORN = re.compile(r" =>|[,)] | <unfinished \.\.\.>$")
_DETACHED = "<detached ...>"  # strace was detached from the thread in the middle of this call


class Strace:
    """Iterates once over a log's events, in the order in which they ended, and counts the lines of each sort.

    No text raises: a line that cannot be read is counted in `unreadable`. A line without a pid belongs to thread 0;
    where strace wrote `[pid 17]` only when there was more than one process, thread 0 is the first, `first_pid`.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.lines = 0
        self.unfinished = 0
        self.unreadable = 0
        self.chatter = 0
        self.first_pid: int | None = None
        self._clock = _Clock()
        self._pending: dict[int, Syscall] = {}
        self._children: set[int] = set()
        self._torn: Syscall | None = None

    def __iter__(self) -> Iterator[Syscall | Signal | Exit]:
        match_usual, pending, time_of = _USUAL.match, self._pending, self._clock.time_of
        number = 0
        time_s: float | None
        for number, text in enumerate(self._lines, 1):
            match = match_usual(text)
            if match is None:
                yield from self._unusual(number, text)
                continue
            pid, stamp, other_stamp, name, resumed = match.groups()
            tid = int(pid) if pid else 0
            if stamp:
                time_s = float(stamp)
            else:
                stamp = other_stamp
                time_s = time_of(stamp) if stamp else None
            rest = text[match.end() :]
            call = Syscall(number, tid, stamp, time_s, name or resumed, rest, text)
            at = rest.rfind(" = ")
            if resumed:
                yield self._resumed(call)
            elif at > 0 and rest[at - 1] == ")" and tid not in pending and not rest.endswith(_UNFINISHED):
                call.result_at = at
                yield call
            else:
                yield from self._began(call)
        self.lines = number
        yield from map(self._abandoned, list(pending))

    def _began(self, call: Syscall) -> Iterator[Syscall]:
        """Yield a call that has ended; keep one that has not."""
        tid, rest, pending = call.tid, call.rest, self._pending
        if tid in pending:
            yield self._abandoned(tid)
        if rest.endswith(_UNFINISHED):
            self.unfinished += 1
            call.rest = rest[: -len(_UNFINISHED)].rstrip()
            call.end_line = None
            self._keep(call)
            return
        if torn := _TORN.search(rest):
            self.chatter += 1
            self._children.add(int(torn[1]))
            call.rest = rest[: torn.start()]
            call.end_line = None
            self._keep(call)
            self._torn = call
            return
        call.result_at = _result_at(rest, rest.rfind(" = "))
        if call.result_at < 0:
            call.end_line = None
            self.unreadable += not rest.endswith(_DETACHED)
        yield call

    def _keep(self, call: Syscall) -> None:
        if len(self._pending) < MOST_PENDING:
            self._pending[call.tid] = call

    def _abandoned(self, tid: int) -> Syscall:
        return self._pending.pop(tid)

    def _bracketed(self, pid: int) -> int:
        """Return the thread of `[pid N]`: the first process has no such mark until there is a second."""
        if self.first_pid is None and pid not in self._children:
            self.first_pid = pid
        return 0 if pid == self.first_pid else pid

    def _unusual(self, number: int, text: str) -> Iterator[Syscall | Signal | Exit]:
        if match := _CALL.match(text):
            bracket, pid, stamp, name = match.groups()
            tid = int(pid) if pid else 0 if bracket is None else self._bracketed(int(bracket))
            time_s = self._clock.time_of(stamp) if stamp else None
            yield from self._began(Syscall(number, tid, stamp, time_s, name, text[match.end() :], text))
        elif match := _OTHER.match(text):
            yield self._other(number, text, match)
        elif _CHATTER.match(text.lstrip()):
            self.chatter += 1
            if born := re.search(r"Process (\d{1,9}) attached", text):
                self._children.add(int(born[1]))
        elif (torn := self._torn) and self._pending.get(torn.tid) is torn and _REST_OF_TORN.match(text):
            self._torn = None
            if text.endswith(_UNFINISHED):
                self.unfinished += 1
            else:
                del self._pending[torn.tid]
                yield self._ended(torn, text, number, None)
        elif text.strip():
            self.unreadable += 1

    def _other(self, number: int, text: str, match: re.Match[str]) -> Syscall | Signal | Exit:
        bracket, pid, stamp, resumed, rest, signal, _, how = match.groups()
        tid = int(pid) if pid else 0 if bracket is None else self._bracketed(int(bracket))
        time_s = self._clock.time_of(stamp) if stamp else None
        if signal:
            return Signal(number, tid, time_s, signal, text)
        if how is not None:
            self._children.discard(tid)
            return Exit(number, tid, time_s, how, text)
        return self._resumed(Syscall(number, tid, stamp, time_s, resumed, rest, text))

    def _resumed(self, end: Syscall) -> Syscall:
        number, tid, name, text = end.line, end.tid, end.name, end.text
        call = self._pending.pop(tid, None)
        rest = end.rest.replace(_UNFINISHED, "").lstrip()
        if call is None or call.name != name:
            if call is not None:
                self._pending[tid] = call
            # The log begins in the middle of this call: it has an end, and the arguments that the kernel wrote.
            call = Syscall(number, tid, None, None, name, "", text)
        if call.rest and not rest.startswith(")"):
            rest = " " + rest
        return self._ended(call, rest, number, end.time_s)

    def _ended(self, call: Syscall, rest: str, number: int, stamp_s: float | None) -> Syscall:
        call.rest += rest
        call.end_line, call.end_stamp_s = number, stamp_s
        at = call.rest.rfind(" = ")
        call.result_at = _result_at(call.rest, at)
        if call.result_at < 0:
            call.end_line = None
            self.unreadable += not call.rest.endswith(_DETACHED)
        return call


def _result_at(rest: str, at: int) -> int:
    """Return where ` = ` stands that follows the closing bracket, looking from `at` to the left; -1 for nowhere.

    strace pads with blanks between the two, and an equals sign may stand in a path after it (-y).
    """
    while at > 0:
        before = at - 1
        while before >= 0 and rest[before] == " ":
            before -= 1
        if before >= 0 and rest[before] == ")":
            return at
        at = rest.rfind(" = ", 0, before + 1)
    return -1


class _Clock:
    """Makes seconds of time stamps: of the epoch (-ttt), of the day (-t, -tt), relative to the line before (-r)."""

    def __init__(self) -> None:
        self._sum_s = 0.0
        self._days = 0
        self._last_s = 0.0

    def time_of(self, stamp: str) -> float | None:
        """Return the time of a line with this stamp; None for text that is not a time."""
        try:
            if ":" in stamp:
                hours, minutes, seconds = stamp.split(":")
                if len(stamp) > 20:
                    return None
                of_day = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
                if of_day < self._last_s - DAY_S / 2:
                    self._days += 1
                self._last_s = of_day
                return self._days * DAY_S + of_day
            value = float(stamp)
        except (ValueError, OverflowError):
            return None
        if value > 1e11:
            return None
        if value >= 1e6:
            return value
        self._sum_s += value
        return self._sum_s
