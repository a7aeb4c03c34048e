"""The shapes of what a run of a crowd writes: a line a level, a row a user, and a row a click."""

from typing import Literal, NamedTuple

from iolab.chat.entries import Transport
from iolab.results.records import Holding, TrialRecord

# What kept users out, or let them wait for nothing: queue (all threads are taken, and users wait for one), threads (the
# server could start no more), pids (its container may have no more tasks), files (open files), memory, refused (the
# kernel or the server refused connections for another reason), died (the server ended), slow (it was not so far yet).
Obstacle = Literal["queue", "threads", "pids", "files", "memory", "refused", "died", "slow"]


class Click(NamedTuple):
    """One click, in seconds from the begin of the clicking: when it was planned, sent, and answered (None: never)."""

    user: int
    planned_s: float
    sent_s: float
    answered_s: float | None


class CrowdRecord(TrialRecord):
    """One line of trials.jsonl of a crowd: so many users that connect to one server, stay, and now and then click.

    `asked` is the level that was asked for, `users` how many came (fewer where a limit would have bitten: `capped` says
    which, in a sentence). `rows` are "users" (Entry) and "clicks" (Click). `obstacle` is the reason for those that were
    not held, `evidence` the words for it. `empty` is before any user came, `quiet` when all are held that will be,
    `quiet_end` after `quiet_s` without a click, `busy` after `busy_s` of clicks at `clicks_per_s` in all.
    """

    model: str
    title: str
    service: str
    transport: Transport
    asked: int
    users: int
    capped: str = ""
    cpus: float
    processes: int
    threads: int | None
    patience_s: float
    held: int
    late: int
    waiting: int
    refused: int
    lost: int
    obstacle: Obstacle | None = None
    evidence: str = ""
    quiet_s: float
    busy_s: float
    clicks_per_s: float
    clicks: int
    answered: int
    empty: Holding = Holding()
    quiet: Holding = Holding()
    quiet_end: Holding = Holding()
    busy: Holding = Holding()
    client_share: float | None = None  # of one core, of the busiest of the client's processes while users clicked
    client_processes: int = 1
