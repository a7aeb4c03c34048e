"""Reads in a server's own log which code blocks its loop; pure functions."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from iolab.results.records import Record

_COROUTINE = re.compile(
    r"^Executing <Task [^<]*coro=<(?P<what>[\w.]+\(\)) .*?(?:defined|running) at (?:\S*/)?(?P<where>[\w.]+:\d+)>"
)
_LINE = re.compile(r" ms, (?P<where>[\w.]+:\d+) (?P<what>.*?) \(in \w+\)")


class Named(Record):
    """The code that a server's log names most often: where, what, in `count` of `of` lines; `said` is one of them."""

    where: str
    what: str
    count: int
    of: int
    said: str


class Culprit(Record):
    """The code that blocks a server's loop according to its own log, for one kind of work; None if it names none.

    `coroutine` is what asyncio's debug mode warns of (where: file and line of its definition), `line` the line at which
    the watchdog found the loop.
    """

    work: Literal["wait", "compute"]
    coroutine: Named | None = None
    line: Named | None = None


def find_culprit(work: Literal["wait", "compute"], log: str) -> Culprit:
    """Read a server's log."""
    lines = log.splitlines()
    warnings = [line for line in lines if line.startswith("Executing <")]
    looks = [line for line in lines if line.startswith("watchdog: ")]
    return Culprit(work=work, coroutine=_most(warnings, _COROUTINE), line=_most(looks, _LINE))


def _most(lines: Sequence[str], pattern: re.Pattern[str]) -> Named | None:
    """Return what is named most often; lines that name nothing count in `of`."""
    found = [match for line in lines if (match := pattern.search(line))]
    if not found:
        return None
    ((where, what), count), *_ = Counter((match["where"], match["what"]) for match in found).most_common(1)
    said = next(match.string for match in found if (match["where"], match["what"]) == (where, what))
    return Named(where=where, what=what, count=count, of=len(lines), said=said)
