"""Births, executions and ends: which process and thread an event belongs to."""

import re
from collections import Counter, deque

from iolab.trace.decode import bits, symbolic
from iolab.trace.events import Exit, Syscall
from iolab.trace.objects import Descriptor
from iolab.trace.program import Program
from iolab.trace.records import Cited, cite
from iolab.trace.tables import Table
from iolab.trace.tasks import Process, Task

MOST_KEPT = 10_000  # processes and threads told apart after their end

_FLAGS = re.compile(r"flags=([\w|]{1,400})")
_BITS = {"CLONE_VM": 0x100, "CLONE_FILES": 0x400, "CLONE_VFORK": 0x4000, "CLONE_THREAD": 0x10000}
SUPERSEDED = re.compile(r"superseded by execve in pid (\d{1,9})")  # which has the number of the first thread then
_LOADER = re.compile(r'/ld\.so\.(?:cache|preload)"')


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
