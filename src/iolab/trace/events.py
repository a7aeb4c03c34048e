"""The events of a log: system calls, signals, and the ends of threads."""

import re

_DURATION = re.compile(r" <(\d{1,9}\.\d{1,9})>$")
_NUMBER = re.compile(r"-?\d+")
_RETURNED = re.compile(r"(0x[0-9a-f]+)|-?\d+")
_ERROR = re.compile(r"(?:-1|\?) (E[A-Z0-9_]+)")


class Syscall:
    """One system call.

    `line` is where it began in the log and `end_line` where it ended (another line, if calls of other threads are in
    between; None if the log ends first). `time_s` is when it began, `end_stamp_s` the stamp of the line where it was
    resumed; seconds since the epoch, midnight or the log's start, as the log has it, or None. `rest` is all that
    follows the first bracket.
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
        """How long it took, if strace recorded that (-T)."""
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
