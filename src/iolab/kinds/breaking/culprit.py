"""What a server's own log says of the work that blocks its loop; pure."""

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
    """What a server's log names most often, `count` times of `of`: where, and what is there; `said` is a line."""

    where: str
    what: str
    count: int
    of: int
    said: str


class Culprit(Record):
    """What a server's own log says of what blocks its loop, for one kind of work; None where it says nothing.

    `coroutine` is what asyncio's debug mode warns of (where: file and line of its definition), `line` where the
    watchdog saw the loop stand.
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
    """Return what is named most often; lines that name nothing count among all."""
    found = [match for line in lines if (match := pattern.search(line))]
    if not found:
        return None
    ((where, what), count), *_ = Counter((match["where"], match["what"]) for match in found).most_common(1)
    said = next(match.string for match in found if (match["where"], match["what"]) == (where, what))
    return Named(where=where, what=what, count=count, of=len(lines), said=said)
