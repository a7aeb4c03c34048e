"""A process and a thread of a log: how each began, what it executes, its descriptors, how it waits and serves."""

from collections import Counter, deque
from dataclasses import dataclass, field

from iolab.trace.events import Syscall
from iolab.trace.objects import Descriptor
from iolab.trace.program import Program
from iolab.trace.records import Cited, Connection, Run, Sleep, Wake
from iolab.trace.tables import Table

KEPT_WAKES = 512  # of a thread, between the wake-up that a click causes and the clone of its thread


@dataclass(eq=False)
class Process:
    """A process: `table` are its descriptors, `program` what it executes, `run` the server that it belongs to.

    `born` is the call that made it (None where the log does not show it), `how` that call's kind; `root` is the first
    of its ancestors. An `assumed` process is one whose birth is not in the log: it may be a thread of another.
    """

    pid: int
    table: Table[Descriptor]
    program: Program
    root: int
    parent: int | None = None
    how: str = "not shown"
    born: Cited | None = None
    assumed: "Process | None" = None
    overlay: bool = False  # of a thread of `assumed`, as far as a log shows that has no births
    run: Run | None = None
    command: str | None = None
    ended: str | None = None
    threads: "dict[int, Task]" = field(default_factory=dict)
    alive: int = 0
    forked: bool = False

    @property
    def assumed_of(self) -> "Process":
        """The process that this one is a part of."""
        return self.assumed if self.overlay and self.assumed else self

    def serve(self, run: Run) -> None:
        """Belong to a server, with all threads."""
        if self.run is run:
            return
        self.run = run
        for task in self.threads.values():
            if task.process.assumed is self:
                task.process.run = run

    def find(self, fd: int | None, *, kept: bool = False) -> Descriptor | None:
        """Return what a descriptor refers to."""
        found = self.table.get(fd, kept=kept)
        if found is None and self.assumed is not None:
            found = self.assumed.table.get(fd, kept=kept)
        return found

    def put(self, fd: int, what: Descriptor | None, *, cloexec: bool = False) -> None:
        """Let a descriptor refer to something; None closes it."""
        self.table.put(fd, what, cloexec=cloexec)
        if self.assumed is not None and what is not None:
            before = self.assumed.table.get(fd)
            owner = self.assumed.threads.get(before.tid) if isinstance(before, Connection) else None
            if before is None or (isinstance(before, Connection) and (not owner or owner.process is not self.assumed)):
                self.assumed.table.put(fd, what, cloexec=cloexec)


@dataclass(eq=False)
class Task:
    """A thread: how it waits, what woke it, what it served."""

    tid: int
    process: Process
    calls: Counter[str]
    born: Cited | None = None
    sleep: Sleep = field(default_factory=Sleep)
    wakes: deque[Wake] = field(default_factory=lambda: deque(maxlen=KEPT_WAKES))
    unnamed: Wake | None = None  # the last wait, where it returned with descriptors that the log hides
    called: Wake | None = None  # the last wait that ended because of the listening socket
    unended: list[Wake] = field(default_factory=list)  # wake-ups that ended, at the latest, with the next call
    untimed: tuple[float, float | None] | None = None  # when the last wait began, and its timeout
    in_accept: Cited | None = None  # an accept that the log does not end
    under_way: Cited | None = None  # a wait that the log does not end, or in which the thread ended
    last: Syscall | None = None
    waited_until_s: float | None = None  # the last known moment of a wait that the log does not end
    accepts: int = 0
    requests: int = 0
    registered: Cited | None = None  # a listening socket that it put on an interest list
    serves_from_s: float | None = None
    wait_calls: Counter[str] = field(default_factory=Counter)
    ended: str | None = None

    @property
    def served(self) -> int:
        """How often it was seen to accept a connection, or to read or answer a request."""
        return self.accepts + self.requests

    @property
    def waits_in(self) -> str | None:
        """The call in which it waited: an accept if it was there for most of the time that it slept."""
        sleep = self.sleep
        if sleep.accepts and sleep.in_accept_s > sleep.slept_s / 2:
            return sleep.accepts.most_common(1)[0][0]
        return self.wait_calls.most_common(1)[0][0] if self.wait_calls else None

    @property
    def serves(self) -> bool:
        """Whether it was seen to serve: it accepted, was woken by the listening socket, or answered."""
        return bool(self.served or self.registered)

    @property
    def last_s(self) -> float | None:
        """When its last call ended, as far as the log shows."""
        if self.last is None:
            return None
        return self.last.end_s if self.last.end_s is not None else self.last.time_s
