"""What is kept of a log: listeners, connections, wake-ups, opens, and the runs that they belong to."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iolab.trace.events import Syscall

if TYPE_CHECKING:
    from iolab.trace.tasks import Process, Task

MAIN_THREAD = "main thread (file watcher)"
SCRIPT_THREAD = "script thread"

KEPT_REQUESTS = 40
MOST_TASKS = 10_000  # threads of a run, kept
MOST_CONNECTIONS = 10_000  # kept; further ones are counted
KEPT_AFTER_OPEN = 2000  # events after an open in which its answer is looked for


@dataclass
class Cited:
    """A line of the log: its number, its text, when (None where the log has no stamps)."""

    line: int
    text: str
    time_s: float | None = None
    tid: int = 0
    name: str = ""


@dataclass(eq=False)
class Listener:
    """A socket bound to the port that listens; `tid` is the thread that bound it.

    `add` is its first registration on an interest list, `adds` all of them: thread -> line.
    """

    tid: int
    fd: int
    addr: str
    bind: Cited
    run: "Run"
    listens: list[Cited] = field(default_factory=list)
    add: Cited | None = None
    epoll_fd: int | None = None
    early: frozenset[int] = frozenset()  # what was on the interest list before it
    adds: dict[int, Cited] = field(default_factory=dict)
    shares_port: bool = False
    removed: Cited | None = None  # an EPOLL_CTL_DEL that succeeded: it was on the list
    woke: Cited | None = None  # a wait that ended because of it: it is on the list, whatever put it there
    closed: bool = False


@dataclass(eq=False)
class Connection:
    """An accepted connection; one that is known only by its registration has no `accept`.

    `request` is what it received and is not answered yet; thread `tid` accepted it.
    """

    fd: int
    run: "Run"
    tid: int = 0
    peer: str = ""
    accept: Cited | None = None
    add: Cited | None = None
    upgrade: Cited | None = None
    switched: Cited | None = None
    reads: int = 0
    accepted_s: float | None = None
    half_closed: bool = False  # shutdown: the server sends no more, and only drains what still comes
    called: "Wake | None" = None  # the wait that ended because of the listening socket, before its accept
    request: "Request | None" = None

    @property
    def websocket(self) -> bool:
        """Whether it was seen to become a websocket."""
        return self.upgrade is not None or self.switched is not None


@dataclass
class Wake:
    """A wait of a thread that ended with this fd ready.

    `frame` says what was then read from it: a kind of websocket frame, or "hidden" where the log has none of the data.
    """

    fd: int
    line: int
    start_line: int
    text: str
    stamp: str | None
    start_s: float | None
    end_s: float | None
    tid: int
    name: str
    read: Cited | None = None
    frame: str | None = None
    taken: bool = False  # as the wake-up of a request
    rearm: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Open:
    """An open of the click's file; `wake`, `clone` and `answer` are what was found of the rest of a click."""

    cited: Cited
    end_line: int | None
    tid: int
    path: str
    ret: str | None
    stamp: str | None
    by: str
    wake: Wake | None = None
    clone: Cited | None = None
    answer: Cited | None = None
    lines: list[Cited] = field(default_factory=list)
    after: int = KEPT_AFTER_OPEN
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def proved(self) -> bool:
        """Whether every link was seen: the frame that woke the thread, the clone, the open by that clone."""
        return self.clone is not None and self.wake is not None and self.wake.frame == "binary"


@dataclass(eq=False)
class Request:
    """What a connection received, and the answer to it; `wake` is the wait that ended for it, `tid` its reader."""

    number: int
    connection: Connection
    read: Cited
    tid: int
    text: str = ""
    wake: Wake | None = None
    accept: Cited | None = None
    worker: Cited | None = None  # the birth of the thread or process that read or answered it
    answer: Cited | None = None
    from_s: float | None = None  # when the wait, or accept, ended that led to it
    status: str = ""

    @property
    def since(self) -> str:
        """What its time begins with."""
        return "wake-up" if self.wake else "accept" if self.accept else "read"

    @property
    def took_ms(self) -> float | None:
        """Milliseconds from the wake-up (else the accept, else the read) to the answer."""
        if self.answer is None or self.answer.time_s is None or self.from_s is None:
            return None
        return max(0.0, (self.answer.time_s - self.from_s) * 1e3)


@dataclass
class Requests:
    """The requests of a run: all are counted, the first ones kept."""

    count: int = 0
    answered: int = 0
    first: list[Request] = field(default_factory=list)
    since: set[str] = field(default_factory=set)  # what their times begin with: "wake-up", "accept", "read"
    timed: int = 0
    sum_ms: float = 0.0
    least_ms: float = 0.0
    most_ms: float = 0.0

    def answer(self, request: Request) -> None:
        """Count a request that has been answered."""
        self.answered += 1
        took_ms = request.took_ms
        if took_ms is not None:
            self.since.add(request.since)
            self.least_ms = min(self.least_ms, took_ms) if self.timed else took_ms
            self.most_ms = max(self.most_ms, took_ms)
            self.timed, self.sum_ms = self.timed + 1, self.sum_ms + took_ms


@dataclass
class Sleep:
    """How one thread waited: `unended` are waits that the log does not end, counted up to its last known moment.

    `accepts` are waits for a connection in accept itself, by the call's name; they took `in_accept_s` of `slept_s`.
    """

    calls: int = 0
    polls: int = 0
    timeouts: int = 0
    wakes: int = 0
    unended: int = 0
    slept_s: float = 0.0
    longest_s: float = 0.0
    timed: int = 0
    at_most: bool = False
    accepts: Counter[str] = field(default_factory=Counter)
    held_us: Counter[str] = field(default_factory=Counter)  # microseconds in calls that wait for no descriptor
    in_accept_s: float = 0.0

    @property
    def others(self) -> int:
        """Waits that ended neither with an event nor with a timeout: with a signal, or an error."""
        return self.calls - self.polls - self.wakes - self.timeouts

    @property
    def seen(self) -> bool:
        """Whether the log shows any of its waits or checks."""
        return bool(self.calls or self.unended or self.accepts)

    @property
    def waits(self) -> int:
        """Waits, ended or not, without the checks."""
        return self.calls - self.polls + self.unended + self.accepts.total()

    def idle(self, duration_s: float, timeout: int) -> None:
        """Count a wait in which nothing became ready; with a timeout of 0 it is a check."""
        self.calls += 1
        self.timed += 1
        if not timeout:
            self.polls += 1
            return
        self.timeouts += 1
        self.slept_s += duration_s
        self.longest_s = max(self.longest_s, duration_s)

    def accept(self, name: str, duration_s: float) -> None:
        """Count a wait for a connection in accept."""
        self.accepts[name] += 1
        self.in_accept_s += duration_s
        self.add(duration_s, None)

    def add(self, duration_s: float, timeout_s: float | None) -> None:
        """Add a wait's duration; a check without waiting (timeout 0) is not a sleep."""
        self.timed += 1
        if timeout_s != 0:
            self.slept_s += duration_s
            self.longest_s = max(self.longest_s, duration_s)


@dataclass(eq=False)
class Run:
    """One life of the server: its listening sockets, the processes that have them, and what happened there."""

    tid: int
    process: "Process"
    started: Cited
    listeners: list[Listener] = field(default_factory=list)
    hosts: dict[str, Listener] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    accepted: int = 0
    accept_lines: "array[int]" = field(default_factory=lambda: array("Q"))
    opens: list[Open] = field(default_factory=list)
    clones: dict[int, tuple[Cited, Wake | None]] = field(default_factory=dict)
    requests: Requests = field(default_factory=Requests)
    tasks: "dict[int, Task]" = field(default_factory=dict)  # that wait, or serve
    binder: "Task | None" = None
    idle: tuple[int, float] | None = None  # waits that ended, and seconds: from registration to the first connection

    def join(self, task: "Task") -> None:
        """Take a thread that waits or serves, if there are not too many."""
        if task.tid not in self.tasks and len(self.tasks) < MOST_TASKS:
            self.tasks[task.tid] = task

    @property
    def main(self) -> "Task | None":
        """The thread that the story is about: the one that bound if it serves, else the one that serves most.

        A thread that bound and only waited, while another one served (SO_REUSEPORT), is not the one.
        """
        binder = self.binder
        serving = [task for task in self.tasks.values() if task.serves]
        best = max(serving, key=lambda task: (bool(task.sleep.calls), task.served), default=None)
        if binder and binder.serves and binder.sleep.calls + binder.sleep.unended:
            return best if best and best.served and not binder.served else binder
        return best or binder

    @property
    def sleep(self) -> Sleep:
        """How the main thread waited."""
        return self.main.sleep if self.main else Sleep()


def cite(call: Syscall) -> Cited:
    """Return the line on which a call began."""
    return Cited(call.line, call.text, call.time_s, call.tid, call.name)
