"""strace's text -> system calls, one by one, in constant memory.

The format is strace's own (man 1 strace, "TRACE OUTPUT FORMAT"): an optional pid, an optional time stamp, then
`name(arguments) = result <duration>`, or a part of that where another thread came in between.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

CHUNK_BYTES = 1 << 18
LONGEST_LINE = 1 << 16  # characters; the rest of a longer line, which no strace writes, is not kept
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
_DURATION = re.compile(r" <(\d+\.\d+)>$")
_UNFINISHED = "<unfinished ...>"
# Where strace writes to standard error, it tells of a new thread in the middle of a line; the call goes on below it.
_TORN = re.compile(r"strace: Process (\d{1,9}) attached$")
_REST_OF_TORN = re.compile(r" =>|[,)] | <unfinished \.\.\.>$")
_DETACHED = "<detached ...>"  # strace has let go of the thread in the middle of this call
_NUMBER = re.compile(r"-?\d+")
_RETURNED = re.compile(r"(0x[0-9a-f]+)|-?\d+")
_ERROR = re.compile(r"(?:-1|\?) (E[A-Z0-9_]+)")


class Syscall:
    """One system call.

    `line` is where it began in the log and `end_line` where it ended (another line, where other threads came in
    between; None where the log ends first). `time_s` is when it began, `end_stamp_s` the stamp of the line where it
    was resumed; seconds since the epoch, midnight or the log's start, as the log has it, or None. `rest` is all
    that follows the first bracket.
    """

    __slots__ = (
        "end_line",
        "end_stamp_s",
        "line",
        "name",
        "rest",
        "result_at",
        "stamp",
        "text",
        "tid",
        "time_s",
    )

    def __init__(  # noqa: PLR0917 (made for every line: keywords would cost a tenth of the parser's speed)
        self, line: int, tid: int, stamp: str | None, time_s: float | None, name: str, rest: str, text: str
    ) -> None:
        self.line, self.tid, self.stamp, self.time_s, self.name = line, tid, stamp, time_s, name
        self.rest, self.text = rest, text
        self.end_line: int | None = line
        self.end_stamp_s: float | None = None
        self.result_at = -1

    @property
    def arguments(self) -> str:
        """The text between the brackets; all there is where the call has no result."""
        return self.rest if self.result_at < 0 else self.rest[: self.result_at].rstrip()[:-1]

    @property
    def result(self) -> str | None:
        """The text after the equals sign, without the duration; None where the log ends first."""
        return None if self.result_at < 0 else _DURATION.sub("", self.rest[self.result_at + 3 :])

    @property
    def returned(self) -> int | None:
        """The number returned; None where there is none (`?`, or no result)."""
        match = _RETURNED.match(self.rest, self.result_at + 3) if self.result_at >= 0 else None
        if match is None or len(match[0]) > 19:
            return None
        return int(match[0], 16 if match[1] else 10)

    @property
    def error(self) -> str | None:
        """The error's name, such as EAGAIN."""
        match = _ERROR.match(self.result or "")
        return match[1] if match else None

    @property
    def duration_s(self) -> float | None:
        """How long it took, where strace was told to say so (-T)."""
        at = self.rest.rfind(" <", self.result_at) if self.result_at >= 0 else -1
        match = _DURATION.match(self.rest, at) if at >= 0 else None
        return float(match[1]) if match else None

    @property
    def end_s(self) -> float | None:
        """When it ended: a line is stamped when the call begins, so its duration is added."""
        if self.time_s is not None and (duration_s := self.duration_s) is not None:
            return self.time_s + duration_s
        return self.end_stamp_s

    @property
    def whole_seconds(self) -> bool:
        """Whether its stamp is too coarse to tell how long anything took (-t)."""
        return self.stamp is not None and "." not in self.stamp

    @property
    def fd(self) -> int | None:
        """The first argument where that is a file descriptor."""
        match = _NUMBER.match(self.rest)
        return int(match[0]) if match and len(match[0]) < 10 else None

    def __repr__(self) -> str:
        return f"Syscall(line={self.line}, tid={self.tid}, {self.name}({self.rest!r})"


class Signal:
    """A signal that a thread got."""

    __slots__ = ("line", "name", "text", "tid", "time_s")

    def __init__(self, line: int, tid: int, time_s: float | None, name: str, text: str) -> None:
        self.line, self.tid, self.time_s, self.name, self.text = line, tid, time_s, name, text


class Exit:
    """The end of a thread; `how` is strace's words, such as `exited with 0`."""

    __slots__ = ("how", "line", "text", "tid", "time_s")

    def __init__(self, line: int, tid: int, time_s: float | None, how: str, text: str) -> None:
        self.line, self.tid, self.time_s, self.how, self.text = line, tid, time_s, how, text


class Strace:
    """Iterates once over a log's events, in the order in which they ended, and counts what it met.

    Nothing in a log raises: what cannot be read is counted in `unreadable`. A line without a pid belongs to thread 0;
    where strace wrote `[pid 17]` only when there was more than one process, thread 0 is the first, `first_pid`.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.lines = 0
        self.unfinished = 0
        self.unreadable = 0
        self.chatter = 0
        self.stamped = False
        self.first_pid: int | None = None
        self.has_pids = False
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
        self.has_pids = self.has_pids or self.first_pid is not None
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
            # The log begins in the middle of this call: it has an end, and arguments that came back.
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
        """Return the time of a line with this stamp; None for what is no time."""
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


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


class Lines:
    """Iterates once over the lines of a log; `cut` says afterwards whether the last one lacks its end.

    Reads at most `limit_bytes`: a log that is being written has its size when reading began. Memory is bounded for
    any bytes: of a line longer than LONGEST_LINE the rest is left out. Latin-1 reads any byte; strace writes ASCII, but
    a log that went through Windows may end its lines as that does.
    """

    def __init__(self, stream: Readable, limit_bytes: int | None = None) -> None:
        self._stream, self._left = stream, limit_bytes
        self.bytes = 0
        self.cut = False
        self.damaged: str | None = None

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[list[str]]:
        tail = ""
        while chunk := self._read():
            self.bytes += len(chunk)
            first, *others = chunk.decode("latin-1").replace("\r\n", "\n").split("\n")
            tail = (tail + first)[:LONGEST_LINE]
            if others:
                yield [tail.removesuffix("\r")]  # its line feed began this chunk
                tail = others.pop()[:LONGEST_LINE]
                yield others
        if tail:
            self.cut = True
            yield [tail]

    def _read(self) -> bytes:
        wanted = CHUNK_BYTES if self._left is None else min(CHUNK_BYTES, self._left)
        try:
            chunk = self._stream.read(wanted) if wanted else b""
        except (
            EOFError,
            OSError,
            ValueError,
            zlib.error,
        ) as error:  # a .gz that ends too soon, or is none any more from here on
            self.damaged = str(error)
            return b""
        if self._left is not None:
            self._left -= len(chunk)
        return chunk
