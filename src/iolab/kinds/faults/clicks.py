"""The promise about clicks during faults: no acknowledged click is lost."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from iolab.chat.times import Times
from iolab.kinds.faults.records import ClickRow, Clicks
from iolab.results.rows import Row
from iolab.runtime import Server

RECORD_S = 2.0  # until an engine has written a container's last output


class Store(Protocol):
    """Writes rows to disk and reads them again: a Bench, or a run folder."""

    def write_rows(self, index: int, **kinds: Sequence[NamedTuple]) -> dict[str, str]:
        """Write rows, and return the names of their files by kind."""

    def read_rows(self, rows: Mapping[str, str], kind: str, row: type[Row]) -> list[Row]:
        """Read the rows of one of these files."""


def checked(
    store: Store, index: int, begin_s: float, answers: Sequence[Mapping[str, Any]], server: Server
) -> tuple[Clicks, dict[str, str]]:
    """Write the clicks of one fault, with times from `begin_s`; return their figures and their file.

    `answers` are those of the drivers: rows, and the tokens that were acknowledged, in the order in which users
    received them. The tokens are compared with the rows on disk, and with the server's log.
    """
    rows = [
        ClickRow(token, int(user), planned - begin_s, sent - begin_s, None if done is None else done - begin_s)
        for answer in answers
        for token, user, planned, sent, done in answer["rows"]
    ]
    rows.sort(key=lambda row: row.planned_s)
    files = store.write_rows(index, clicks=rows)
    on_disk = {row.token for row in store.read_rows(files, "clicks", ClickRow) if row.answered_s is not None}
    acknowledged = {token for answer in answers for token in answer["acknowledged"]}
    times = Times.of(None if row.answered_s is None else row.answered_s - row.planned_s for row in rows)
    clicks = Clicks(
        sent=len(rows),
        answered=times.count - times.never,
        p50_s=times.p50_s,
        p99_s=times.p99_s,
        slowest_s=times.max_s,
        lost=len(acknowledged - on_disk),
        unrecorded=unrecorded(server, on_disk | acknowledged),
    )
    return clicks, files


def unrecorded(server: Server, acknowledged: set[str]) -> int | None:
    """Return how many acknowledged clicks are not in the server's log; None if the log is empty."""
    deadline = time.monotonic() + RECORD_S
    while True:
        written = set(server.log().split())
        missing = len(acknowledged - written)
        if not missing or time.monotonic() > deadline:
            return missing if written else None
        time.sleep(0.1)
