"""The shapes of what a run of thousands of people who mostly wait writes: a line a level, a row a user, one a click."""

from typing import Literal, NamedTuple

from iolab.results.records import Record, TrialRecord

Way = Literal["websocket", "poll"]
# What kept people out, or let them wait for nothing: queue (all threads are taken, and they stand behind), threads (the
# server could start no more), pids (its container may have no more tasks), files (open files), memory, refused (the
# kernel or the server closed the door for another reason), died (the server ended), slow (it had not come to them yet).
Obstacle = Literal["queue", "threads", "pids", "files", "memory", "refused", "died", "slow"]
Outcome = Literal["held", "late", "waiting", "refused", "lost"]


class Entry(NamedTuple):
    """One user of a level, in seconds from the level's begin: when they came, were connected (TCP), and were served.

    Served is who has a word of the server itself, not of the kernel that holds its listen queue. None: never.
    `outcome` is "held" (served within PATIENCE_S, and there to the end), "late" (served after that), "waiting"
    (connected, but nobody spoke to them), "refused" (no connection), or "lost" (was held, and was then cut off).
    """

    user: int
    came_s: float
    connected_s: float | None
    served_s: float | None
    outcome: Outcome


class Click(NamedTuple):
    """One click, in seconds from the begin of the clicking: when it was planned, sent, and answered (None: never)."""

    user: int
    planned_s: float
    sent_s: float
    answered_s: float | None


class Holding(Record):
    """What a server and the kernel have at one moment; None is what could not be read there.

    `rss_bytes`, `virtual_bytes`, `threads` and `context_switches` (since their begin) are of all its processes.
    `sockets_bytes` (TCP buffers), `slab_bytes`, `stacks_bytes` (kernel stacks) and `tables_bytes` (page tables) are the
    whole machine's, so both ends of each connection are in them. `collector_pause_s` is the longest pause for Python's
    garbage collector up to now, where the server tells it.
    """

    cpu_s: float | None = None
    rss_bytes: int | None = None
    virtual_bytes: int | None = None
    threads: int | None = None
    context_switches: int | None = None
    sockets_bytes: int | None = None
    slab_bytes: int | None = None
    stacks_bytes: int | None = None
    tables_bytes: int | None = None
    collector_pause_s: float | None = None


class CrowdRecord(TrialRecord):
    """One line of trials.jsonl of a crowd: so many users who come to one server, stay, and now and then click.

    `asked` is the level that was asked for, `users` how many came (fewer where a limit would have bitten: `capped` says
    which, in a sentence). `rows` are "users" (Entry) and "clicks" (Click). `obstacle` is the reason for those who were
    not held, `evidence` the words for it. `empty` is before anybody came, `quiet` when all who will be are held,
    `quiet_end` after `quiet_s` in which nobody clicked, `busy` after `busy_s` of clicks at `clicks_per_s` in all.
    """

    model: str
    title: str
    service: str
    way: Way
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
    client_share: float | None = None  # of one core, of the busiest of the client's processes while people clicked
    client_processes: int = 1
