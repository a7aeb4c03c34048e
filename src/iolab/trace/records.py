"""What is kept of a log: listeners, connections, wake-ups, opens, and the runs that they belong to."""

from collections import Counter, deque
from dataclasses import dataclass, field

from iolab.trace.events import Syscall

MAIN_THREAD = "main thread (file watcher)"
SCRIPT_THREAD = "script thread"

KEPT_WAKES = 512  # between the wake-up that a click causes and the clone of its thread
KEPT_AFTER_OPEN = 2000  # events after an open in which its answer is looked for


@dataclass
class Cited:
    """A line of the log: its number, its text, when (None where the log has no stamps)."""

    line: int
    text: str
    time_s: float | None = None
    tid: int = 0
    name: str = ""


@dataclass
class Listener:
    """A socket bound to the port, on which the same thread listens."""

    tid: int
    fd: int
    addr: str
    bind: Cited
    listens: list[Cited] = field(default_factory=list)
    add: Cited | None = None
    epoll_fd: int | None = None
    removed: Cited | None = None  # an EPOLL_CTL_DEL that succeeded: it was on the list
    woke: Cited | None = None  # a wait that ended because of it: it is on the list, whatever put it there


@dataclass
class Connection:
    """An accepted connection; one that is known only by its registration has no `accept`."""

    fd: int
    peer: str = ""
    accept: Cited | None = None
    add: Cited | None = None
    upgrade: Cited | None = None
    switched: Cited | None = None
    reads: int = 0

    @property
    def websocket(self) -> bool:
        """Whether it was seen to become a websocket."""
        return self.upgrade is not None or self.switched is not None


@dataclass
class Wake:
    """A wait of the listener's thread that ended with this fd ready.

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

    def answered_before(self, call: Syscall) -> bool:
        """Whether the answer had left when this call began."""
        return self.answer is not None and self.answer.line < call.line


@dataclass
class Sleep:
    """How one thread waited."""

    calls: int = 0
    polls: int = 0
    timeouts: int = 0
    wakes: int = 0
    slept_s: float = 0.0
    longest_s: float = 0.0
    timed: int = 0
    at_most: bool = False

    def add(self, duration_s: float, timeout: int | None) -> None:
        """Add a wait's duration; a check without waiting (timeout 0) is not a sleep."""
        self.timed += 1
        if timeout != 0:
            self.slept_s += duration_s
            self.longest_s = max(self.longest_s, duration_s)


@dataclass
class Run:
    """One life of the server: the listeners of one thread, and what happened on their connections."""

    tid: int
    early: frozenset[int]
    started: Cited
    listeners: list[Listener] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    open_fds: dict[int, Connection] = field(default_factory=dict)
    accept_lines: list[int] = field(default_factory=list)
    opens: list[Open] = field(default_factory=list)
    unnamed: Wake | None = None  # the last wait, where it returned with descriptors that the log hides
    wakes: deque[Wake] = field(default_factory=lambda: deque(maxlen=KEPT_WAKES))
    clones: dict[int, tuple[Cited, Wake | None]] = field(default_factory=dict)
    sleep: Sleep = field(default_factory=Sleep)
    last_s: float | None = None
    unended: list[Wake] = field(default_factory=list)  # wake-ups that ended, at the latest, with the next call
    untimed: tuple[float, int | None] | None = None  # when the last wait began, and its timeout: it has no duration
    idle: tuple[int, float] | None = None  # waits that ended, and seconds: from registration to the first connection

    def listener_of(self, fd: int) -> Listener | None:
        """Return the listener with this fd."""
        return next((listener for listener in reversed(self.listeners) if listener.fd == fd), None)


def cite(call: Syscall) -> Cited:
    """Return the line on which a call began."""
    return Cited(call.line, call.text, call.time_s, call.tid, call.name)
