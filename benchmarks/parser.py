"""How fast, and in how much memory, is a log read? Measures the parser and the whole story.

    make parsebench [LINES=1000000] [LOG=a.log]

The logs are those of tests/data/strace, or LOG. Each figure is the best of 15 short readings, as the machine's other
work only ever slows; beside it what reading the lines alone takes. Memory is the largest of a process that tells the
story of a log with LINES lines (a real one with two clicks, then its idle end again and again), and of one that tells
a tenth of it: the ratio says whether it grows with the log. Ends with status 1 where the parser reads fewer than
400,000 lines a second, or the parser with the story fewer than 200,000.
"""

import argparse
import gzip
import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from iolab.trace.lines import Lines
from iolab.trace.story import tell
from iolab.trace.strace import Strace

ROOT = Path(__file__).parents[1]
PARSER_LINES_S = 400_000
STORY_LINES_S = 200_000
ROUNDS = 15
READING_LINES = 8_000  # at least, of each reading
IDLE_LINES = 200


class Stream:
    """Chunks of bytes as a file: a long log that needs neither disk nor memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if not self._left:
            self._left = next(self._chunks, b"")
        chunk, self._left = self._left[:size], self._left[size:]
        return chunk


def main() -> int:
    """Print the table of speeds, then memory."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    lines = int(os.environ.get("LINES") or 1_000_000)
    options.add_argument("--lines", type=int, default=lines, help="of the log whose story's memory is measured")
    chosen = os.environ.get("LOG")
    options.add_argument("log", type=Path, nargs="?", default=chosen and Path(chosen), help="a log, .gz too")
    given = options.parse_args()
    logs = [given.log] if given.log else sorted((ROOT / "tests/data/strace").glob("*.txt.gz"))
    texts = {log: _text(log) for log in logs}
    print(f"{'lines a second':32}{'lines only':>12}{'parser':>12}{'story':>12}{'and page':>12}")
    speeds = _speeds(texts)
    for log, figures in speeds.items():
        print(f"{log.name.split('.')[0]:32}" + "".join(f"{figure:>12,.0f}" for figure in figures))
    parser, story = (min(figures[column] for figures in speeds.values()) for column in (1, 2))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        part, whole = (pool.apply(told_memory, (count,)) for count in (given.lines // 10, given.lines))
    print(f"\nMemory at most: {whole.mib:.0f} MiB for {whole.lines:,} lines ({whole.bytes / 1e6:,.0f} MB,", end="")
    print(f" {whole.took_s:.0f} s), {part.mib:.0f} MiB for a tenth of them: {whole.mib / part.mib:.2f} times.")
    targets = (("parsed", parser, PARSER_LINES_S), ("parsed and told", story, STORY_LINES_S))
    for what, lines_s, target in targets:
        enough = "at least" if lines_s >= target else "BELOW"
        print(f"The slowest log is {what} at {lines_s:,.0f} lines a second: {enough} {target:,}.")
    return 0 if all(lines_s >= target for _, lines_s, target in targets) else 1


def _text(log: Path) -> bytes:
    text = log.read_bytes()
    return gzip.decompress(text) if log.suffix == ".gz" else text


def _exhaust(items: object) -> None:
    for _ in items:  # type: ignore[attr-defined]
        pass


def _speeds(texts: Mapping[Path, bytes]) -> dict[Path, list[float]]:
    """Return the best of ROUNDS readings, in lines a second: of the lines only, the parser, the story, and the page.

    In rounds, so that no log has all its readings while the machine does something else.
    """
    readers: list[Callable[[Lines], object]] = [
        _exhaust,
        lambda lines: _exhaust(Strace(lines)),
        lambda lines: tell(lines, "", draw=False),
        lambda lines: tell(lines, ""),
    ]
    best = {log: [0.0] * len(readers) for log in texts}
    for _ in range(ROUNDS):
        for log, text in texts.items():
            times = max(1, READING_LINES // max(1, text.count(b"\n")))
            for number, read in enumerate(readers):
                begin_s = time.perf_counter()
                read(Lines(Stream(iter([text] * times))))
                speed = times * text.count(b"\n") / (time.perf_counter() - begin_s)
                best[log][number] = max(best[log][number], speed)
    return best


class Told(NamedTuple):
    """What telling a log's story took."""

    lines: int
    bytes: int
    mib: float
    took_s: float


def told_memory(lines: int) -> Told:
    """Tell the story of a log with so many lines, and return the largest memory that this process ever had."""
    begin_s = time.perf_counter()
    story = tell(Lines(Stream(idle_log(lines))), "")
    took_s = time.perf_counter() - begin_s
    return Told(story.lines, story.bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, took_s)


def idle_log(lines: int) -> Iterator[bytes]:
    """Yield a real log, then the idle ticks of its end again and again, each time later."""
    text = _text(ROOT / "tests/data/strace/k2_recommended_seccomp_2click.txt.gz")
    yield text
    end = [line for line in text.splitlines(keepends=True) if b" epoll_wait(" in line and b" = 0 <" in line][
        -IDLE_LINES:
    ]
    cut = re.split(rb"(?<= )(\d{10}\.\d{6})(?= )", b"".join(end))
    stamps = [float(stamp) for stamp in cut[1::2]]
    for repetition in range(1, (lines - text.count(b"\n")) // IDLE_LINES + 1):
        later_s = repetition * (stamps[-1] - stamps[0])
        cut[1::2] = [b"%.6f" % (stamp + later_s) for stamp in stamps]
        yield b"".join(cut)


if __name__ == "__main__":
    sys.exit(main())
