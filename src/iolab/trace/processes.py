"""The processes and threads of a log: how each began, what it executes, which table of descriptors it has."""

import re
from collections import Counter, deque
from dataclasses import dataclass, field

from iolab.trace.decode import bits, symbolic
from iolab.trace.events import Exit, Syscall
from iolab.trace.objects import Descriptor
from iolab.trace.program import Program
from iolab.trace.records import Cited, Connection, Run, Sleep, Wake, cite
from iolab.trace.tables import Table

KEPT_WAKES = 512  # of a thread, between the wake-up that a click causes and the clone of its thread
MOST_KEPT = 10_000  # processes and threads told apart after their end

_FLAGS = re.compile(r"flags=([\w|]{1,400})")
_BITS = {"CLONE_VM": 0x100, "CLONE_FILES": 0x400, "CLONE_VFORK": 0x4000, "CLONE_THREAD": 0x10000}
SUPERSEDED = re.compile(r"superseded by execve in pid (\d{1,9})")  # which has the number of the first thread then
_LOADER = re.compile(r'/ld\.so\.(?:cache|preload)"')


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
    under_way: Cited | None = None  # a wait that the log does not end
    last: Syscall | None = None
    waited_until_s: float | None = None  # the last known moment of a wait that the log does not end
    accepts: int = 0
    requests: int = 0
    registered: Cited | None = None  # a listening socket that it put on an interest list
    serves_from_s: float | None = None
    wait_calls: Counter[str] = field(default_factory=Counter)
    ended: str | None = None

    @property
    def serves(self) -> bool:
        """Whether it was seen to serve: it accepted, was woken by the listening socket, or answered."""
        return bool(self.accepts or self.requests or self.registered)

    @property
    def last_s(self) -> float | None:
        """When its last call ended, as far as the log shows."""
        if self.last is None:
            return None
        return self.last.end_s if self.last.end_s is not None else self.last.time_s


class Processes:
    """Follows births, executions and ends; gives each event its task.

    `cloning` are the births under way, by the thread that made the call: strace may write a child's first calls before
    the call that made it returns.
    """

    def __init__(self, cloning: dict[int, Syscall]) -> None:
        self._cloning = cloning
        self.tasks: dict[int, Task] = {}
        self.all: list[Process] = []
        self.left_out = 0
        self.births_seen = False
        self.first_birth: Cited | None = None
        self.calls: dict[int, Counter[str]] = {}
        self._tentative: dict[int, Syscall] = {}
        self._unseen: dict[int, Task] = {}  # born, and without a call so far

    def task(self, call: Syscall) -> Task:
        """Return the thread of a call, which may be its first."""
        tid = call.tid
        found = self.tasks.get(tid)
        if found is None:
            found = self._unseen.pop(tid, None) or self._first_seen(call)
            found.calls = self._counter(tid)
            self.tasks[tid] = found
        return found

    def living(self, tid: int) -> Task | None:
        """Return a thread that has not ended, whether or not it has made a call."""
        return self.tasks.get(tid) or self._unseen.get(tid)

    def _counter(self, tid: int) -> Counter[str]:
        counter = self.calls.get(tid)
        if counter is None:
            if len(self.calls) >= MOST_KEPT:
                return self.calls.setdefault(-1, Counter())
            counter = self.calls[tid] = Counter()
        return counter

    def _first_seen(self, call: Syscall) -> Task:
        if self._cloning:
            parent_tid, birth = next(reversed(self._cloning.items()))
            parent = self.tasks.get(parent_tid)
            if parent_tid != call.tid and parent:
                self._tentative[call.tid] = birth
                return self._born(parent, call.tid, birth)
        return self._stranger(call)

    def _stranger(self, call: Syscall) -> Task:
        """Take a thread whose birth is not in the log."""
        first = next((each for each in self.tasks.values() if each.process.born is None), None)
        own = call.name == "execve" or _LOADER.search(call.rest) is not None
        if first and not own and not self.births_seen:
            return self._part_of(first.process.assumed_of, call.tid)
        if first and not own:
            process = self._process(call.tid, Table(), Program(), None)
            process.assumed, process.run = first.process, first.process.run
        else:
            process = self._process(call.tid, Table(), Program(), None)
        return self._thread(call.tid, process, None)

    def _part_of(self, base: Process, tid: int) -> Task:
        """Take a thread of a log without births: of the first process, or of a child that has its descriptors."""
        part = Process(base.pid, Table(), base.program, base.root, base.parent, base.how, base.born, base, overlay=True)
        part.run, part.command = base.run, base.command
        task = self._thread(tid, part, None)
        if len(base.threads) < MOST_KEPT:
            base.threads[tid] = task
        return task

    def _process(self, pid: int, table: Table[Descriptor], program: Program, parent: Process | None) -> Process:
        process = Process(pid, table, program, parent.root if parent else pid, parent.pid if parent else None)
        if len(self.all) < MOST_KEPT:
            self.all.append(process)
        else:
            self.left_out += 1
        return process

    def _thread(self, tid: int, process: Process, born: Cited | None) -> Task:
        task = Task(tid, process, Counter(), born)
        if len(process.threads) < MOST_KEPT:
            process.threads[tid] = task
        process.alive += 1
        return task

    def _born(self, parent: Task, tid: int, birth: Syscall) -> Task:
        self.births_seen = True
        kind = kind_of_birth(birth)
        if kind == "thread":
            return self._thread(tid, parent.process, cite(birth))
        table = parent.process.table
        shares = bool(_flags(birth) & 0x400)
        process = self._process(tid, table if shares else table.copy(), parent.process.program, parent.process)
        parent.process.forked = True
        process.how, process.born, process.run = kind, cite(birth), parent.process.run
        process.command, process.assumed = parent.process.command, parent.process.assumed
        return self._thread(tid, process, cite(birth))

    def birth(self, task: Task, call: Syscall) -> None:
        """Take a call that made a thread or process, as it returns."""
        child = call.returned
        if not child or child < 0 or child == task.tid:
            return
        self.births_seen = True
        self.first_birth = self.first_birth or cite(call)
        known = self.living(child)
        if known is not None:
            begun = self._tentative.pop(child, None)
            if begun is not None and (begun is call or begun.line == call.line):
                return  # its first calls are before the line where this one returned
            # Of a log that tells a child's first calls before it, or whose end of an earlier thread is not in it.
            self.forget(known)
        self._unseen[child] = self._born(task, child, call)

    def executed(self, task: Task, call: Syscall) -> None:
        """Take an execve that succeeded: another program, with the descriptors that are left."""
        process = task.process
        if process.overlay:  # taken for a thread of the first process, and is none
            process.assumed_of.threads.pop(task.tid, None)
            process = task.process = self._process(task.tid, process.table.copy(), Program(), None)
            process.threads[task.tid], process.alive = task, 1
        process.table.execute()
        process.program = Program()
        process.program.execute(call)
        process.command = process.program.command

    def end(self, event: Exit) -> None:
        """Take the end of a thread."""
        superseded = SUPERSEDED.match(event.how)
        task = self.living(int(superseded[1]) if superseded else event.tid)
        if task:
            task.ended = event.how
            self.forget(task)

    def forget(self, task: Task) -> None:
        """Let a thread be gone: its number may be given to another."""
        self.tasks.pop(task.tid, None)
        self._unseen.pop(task.tid, None)
        self._tentative.pop(task.tid, None)
        task.process.alive -= 1
        task.wakes = deque(maxlen=1)
        if not task.process.alive:
            task.process.ended = task.ended or "not shown"
            task.process.table = Table()


def _flags(call: Syscall) -> int:
    match = _FLAGS.search(symbolic(call.rest))
    return bits(match[1], _BITS) if match else 0


def kind_of_birth(call: Syscall) -> str:
    """Say what a call made: "thread", "fork" or "vfork". A thread has CLONE_THREAD, or shares memory without vfork."""
    if call.name in ("fork", "vfork"):
        return call.name
    flags = _flags(call)
    if flags & 0x10000 or (flags & 0x100 and not flags & 0x4000):
        return "thread"
    return "vfork" if flags & 0x4000 else "fork"
