"""The files of `strace -ff`, one a thread, as one log with the thread before each line (as strace-log-merge does)."""

import heapq
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from iolab.errors import UsageError
from iolab.trace.clock import Clock
from iolab.trace.lines import Lines
from iolab.trace.source import open_log

PART_BYTES = 1 << 16  # read of each file at once: there may be thousands
_STAMP = re.compile(r"(\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?|\d{10}(?:\.\d{1,9})?) ")
_RELATIVE = re.compile(r" *\d{1,6}\.\d{6} ")
_DURATION = re.compile(r" <(\d{1,9}\.\d{1,9})>$")
_BIRTH = re.compile(r"(?:clone3?|v?fork)\(")
_TID = re.compile(r"\.(\d{1,9})(?:\.gz)?$")


class _Part:
    """A file that is open only while it is read: more files than a process may open can be merged."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def read(self, size: int, /) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._at)
            chunk = file.read(min(size, PART_BYTES))
        self._at += len(chunk)
        return chunk


class Merged:
    """Iterates once over the lines of several files, by the time at which each call ended; see `Lines`.

    A call that starts a thread counts by when it began. Without time stamps, the files follow each other.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = sorted(paths, key=thread_of)
        self.bytes = 0
        self.cut = False
        self.damaged: str | None = None

    def __iter__(self) -> Iterator[str]:
        streams = [self._lines(path, number) for number, path in enumerate(self._paths)]
        for _, _, _, text in heapq.merge(*streams):
            yield text

    def _lines(self, path: Path, order: int) -> Iterator[tuple[float, int, int, str]]:
        """Yield (time, file, line, text); a line without a stamp has the time of the line before."""
        tid, clock, last_s = thread_of(path), Clock(), 0.0
        lines = Lines(_Part(path), path.stat().st_size)
        for number, text in enumerate(lines):
            match = _STAMP.match(text)
            if match is None and number == 0 and _RELATIVE.match(text):
                raise UsageError(f"{path}: relative time stamps (-r) do not tell the order of several files: use -ttt")
            time_s = clock.time_of(match[1]) if match else None
            if time_s is not None:
                took = _DURATION.search(text[-24:])
                birth = match is not None and _BIRTH.match(text, match.end())
                last_s = max(last_s, time_s if birth or took is None else time_s + float(took[1]))
            yield last_s, order, number, f"{tid} {text}"
        self.bytes += lines.bytes
        self.cut = self.cut or lines.cut
        self.damaged = self.damaged or lines.damaged


def thread_of(path: Path) -> int:
    """Return the thread that the name of a file of -ff ends in; raises UsageError for another name."""
    match = _TID.search(path.name)
    if match is None:
        raise UsageError(f"{path}: several files are those of strace -ff, each with a thread's number at its end")
    return int(match[1])


def merged(paths: Sequence[Path]) -> Merged:
    """Return the lines of the files of -ff; raises UsageError where one cannot be read, or is none of them."""
    for path in paths:
        if path.name.endswith(".gz"):
            raise UsageError(f"{path}: unpack the files of strace -ff first (gunzip)")
        thread_of(path)
        with open_log(path):
            pass
    return Merged(paths)
