"""The records of a crowd run: a line for each trial, a row for each user and for each click."""

from types import MappingProxyType
from typing import Literal, NamedTuple

from iolab.chat.entries import Form, Transport
from iolab.results.records import Holding, TrialRecord
from iolab.results.rows import backwards

# Why users were not held: queue (all threads are in use, and users wait for one), threads (the server could not start
# more), pids (the task limit of its container), files (open files), memory, refused (the kernel or the server refused
# connections for another reason), died (the server ended), slow (it had not answered them yet).
Obstacle = Literal["queue", "threads", "pids", "files", "memory", "refused", "died", "slow"]


class Click(NamedTuple):
    """One click, in seconds from the start of clicking: when it was planned, sent, and answered (None: never)."""

    user: int
    planned_s: float
    sent_s: float
    answered_s: float | None

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(self.sent_s, self.answered_s)


class CrowdRecord(TrialRecord):
    """One line of trials.jsonl of a crowd run: users that connect to one server, stay, and click now and then.

    `asked` users were wanted, `users` is how many tried to connect (fewer because of a limit: `capped` says which).
    `rows` are "users" (Entry) and "clicks" (Click). `obstacle` is why users were not held, `evidence` a sentence about
    it. `empty` is before any user connects, `quiet` after the last was answered or has waited long enough, `quiet_end`
    after `quiet_s` without a click, `busy` after `busy_s` of clicks at `clicks_per_s` in all.
    """

    parts = MappingProxyType(
        {
            **dict.fromkeys(("held", "late", "waiting", "refused", "lost"), "users"),
            "users": "asked",
            "answered": "clicks",
        }
    )
    model: str
    title: str
    service: str
    transport: Transport
    form: Form = "usual"
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
