"""What is promised of clicks while things go wrong: none that was acknowledged is lost."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from iolab.chat.times import Times
from iolab.kinds.faults.records import Clicks, Pressed
from iolab.results.rows import Row
from iolab.runtime import Server

RECORD_S = 2.0  # until an engine has written down a container's last words


class Store(Protocol):
    """Where rows are written, and read as they are on disk: a Bench, or a run folder."""

    def write_rows(self, index: int, **kinds: Sequence[NamedTuple]) -> dict[str, str]:
        """Write rows, and return the names of their files by kind."""

    def read_rows(self, rows: Mapping[str, str], kind: str, row: type[Row]) -> list[Row]:
        """Read the rows of one of these files."""


def judged(
    store: Store, index: int, begin_s: float, answers: Sequence[Mapping[str, Any]], server: Server
) -> tuple[Clicks, dict[str, str]]:
    """Write the clicks of one fault, whose times count from `begin_s`; return what came of them, and their file.

    `answers` are those of the drivers: rows, and once more, in the order in which users saw them, the tokens that were
    acknowledged. These are held against the rows as they are on disk, and against what the server wrote down.
    """
    rows = [
        Pressed(token, int(user), planned - begin_s, sent - begin_s, None if done is None else done - begin_s)
        for answer in answers
        for token, user, planned, sent, done in answer["rows"]
    ]
    rows.sort(key=lambda row: row.planned_s)
    files = store.write_rows(index, clicks=rows)
    on_disk = {row.token for row in store.read_rows(files, "clicks", Pressed) if row.answered_s is not None}
    seen = {token for answer in answers for token in answer["acknowledged"]}
    times = Times.of(None if row.answered_s is None else row.answered_s - row.planned_s for row in rows)
    clicks = Clicks(
        sent=len(rows),
        answered=times.count - times.never,
        p50_s=times.p50_s,
        p99_s=times.p99_s,
        slowest_s=times.max_s,
        lost=len(seen - on_disk),
        unrecorded=unrecorded(server, on_disk | seen),
    )
    return clicks, files


def unrecorded(server: Server, acknowledged: set[str]) -> int | None:
    """Return how many acknowledged clicks the server has not written down; None where it wrote nothing at all."""
    deadline = time.monotonic() + RECORD_S
    while True:
        written = set(server.log().split())
        missing = len(acknowledged - written)
        if not missing or time.monotonic() > deadline:
            return missing if written else None
        time.sleep(0.1)
