"""Reads system calls one by one and keeps what the story needs: processes, listeners, connections, wake-ups, clicks.

Memory grows with the story (a record a process, a thread, a click, some thousands of connections), not with the log.
"""

from collections import Counter
from collections.abc import Callable

from iolab.trace import clicks, connections, waits
from iolab.trace.decode import ACCEPTS, CLONES, OPENS, READS, WRITES, readable
from iolab.trace.descriptors import Descriptors, other
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.listening import Listening
from iolab.trace.processes import Processes
from iolab.trace.program import Program
from iolab.trace.records import MAIN_THREAD, SCRIPT_THREAD, Cited, Connection, Run, cite
from iolab.trace.tasks import Process, Task
from iolab.trace.waiting import WAIT_CALLS

Handler = Callable[[Task, Syscall], None]


class Watch:
    """Takes a log's events one by one (`see`) and keeps the facts; `cloning` are births that the log has begun."""

    def __init__(self, port: int, script: str, cloning: dict[int, Syscall]) -> None:
        self.port = port
        self.processes = Processes(cloning)
        self.counts: Counter[str] = Counter()
        self.listening = Listening(port, self.processes, self.counts)
        self.descriptors = Descriptors(self.processes)
        self.clicks = clicks.Clicks(script)
        self._stem = script.removesuffix(".py")
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.accept_call: str | None = None
        self.uring: Cited | None = None
        self.mask_of_size_0 = False  # epoll_pwait with a signal mask of 0 bytes
        self.streamlit_socket = False  # a request for Streamlit's websocket
        self._tasks = self.processes.tasks
        self.runs = self.listening.runs  # the newest last
        self._recent = self.clicks.recent.append
        self._handlers: dict[str, Handler] = {
            **self.descriptors.by_name,
            "bind": self.listening.bind,
            "listen": self.listening.listen,
            "epoll_ctl": self.listening.control,
            "io_uring_setup": self._io_uring,
            "execve": self._execute,
            "execveat": self._execute,
            **dict.fromkeys(ACCEPTS, self._accept),
            **dict.fromkeys(OPENS, self._open),
            **dict.fromkeys(WAIT_CALLS, waits.wait),
            **dict.fromkeys(CLONES, self._clone),
            "epoll_pwait": self._pwait,
            **dict.fromkeys(waits.HOLDS, waits.held),
            **dict.fromkeys(READS, self._read),
            **dict.fromkeys(WRITES, self._write),
            "recvmsg": self._received,
            "sendmsg": self._sent,
        }

    @property
    def run(self) -> Run | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def saw_pids(self) -> bool:
        """Whether the log tells threads apart."""
        return bool(self._tasks.keys() - {0} or self.calls.keys() - {0})

    @property
    def calls(self) -> dict[int, Counter[str]]:
        """How often each thread made each call; -1 is all threads after the first thousands."""
        return self.processes.calls

    @property
    def server(self) -> Process | None:
        """The process that the story is about."""
        run = self.run
        if run:
            return run.main.process if run.main else run.process
        return self.processes.all[0] if self.processes.all else None

    @property
    def made(self) -> Program:
        """What the server is made of; without a server, the program that opened most that is known."""
        server = self.server
        if self.run and server:
            return server.program
        return max((each.program for each in self.processes.all), key=lambda it: len(it.parts), default=Program())

    def see(self, event: Syscall | Signal | Exit) -> None:
        """Take the next event."""
        time_s = event.time_s
        if time_s is not None and (self.last_s is None or time_s > self.last_s):
            self.last_s = time_s
            if self.first_s is None:
                self.first_s = time_s
        if type(event) is not Syscall:
            self._see_other(event)
            return
        name = event.name
        task = self._tasks.get(event.tid) or self.processes.task(event)
        if event.end_line is not None:
            task.calls[name] += 1
        task.last = event
        if task.unended or task.untimed:
            waits.end_wakes(task, event)
        if self.runs:
            self._recent(event)
        if handler := self._handlers.get(name):
            handler(task, event)
        if self.clicks.following:
            self.clicks.follow(event)

    def _see_other(self, event: Syscall | Signal | Exit) -> None:
        if isinstance(event, Exit):
            self.processes.end(event)
            if self.run:
                self.run.clones.pop(event.tid, None)
        if self.clicks.following:
            self.clicks.follow(event)

    def finish(self) -> None:
        """Take the end of the log: what had not ended then lasted at least until its last known moment."""
        tasks = {task for run in self.runs for task in run.tasks.values()}
        ends = [task.last_s for task in self.processes.tasks.values() if task.last_s is not None]
        known = [each for each in (*ends, self.last_s) if each is not None]
        last_s = max(known) if known else None
        for task in tasks:
            waits.end_of_log(task, last_s)
        self.last_s = last_s

    def _accept(self, task: Task, call: Syscall) -> None:
        socket = self.listening.socket(task, call)
        if socket and socket.listener:
            waits.in_accept(task, call, socket)
        if call.returned is None or call.returned < 0:
            return
        if socket and socket.listener:
            connections.accept(task, call, socket)
            self.accept_call = call.name
        else:
            other(task, call)

    def _received(self, task: Task, call: Syscall) -> None:
        self.descriptors.received(task, call)
        self._read(task, call)

    def _read(self, task: Task, call: Syscall) -> None:
        process = task.process
        if process.run is None or (fd := call.fd) is None:
            return
        what = process.table.get(fd) or (process.assumed and process.find(fd))
        if type(what) is Connection:
            connections.read(task, what, fd, call)
            if not self.streamlit_socket and "/_stcore/" in call.rest:
                self.streamlit_socket = True

    def _pwait(self, task: Task, call: Syscall) -> None:
        if not self.mask_of_size_0:
            self.mask_of_size_0 = ", NULL, 0)" in call.rest
        waits.wait(task, call)

    def _sent(self, task: Task, call: Syscall) -> None:
        self.descriptors.sent(task, call)
        self._write(task, call)

    def _write(self, task: Task, call: Syscall) -> None:
        process = task.process
        if process.run is None or (fd := call.fd) is None:
            return
        what = process.table.get(fd) or (process.assumed and process.find(fd))
        if type(what) is Connection:
            connections.write(task, what, call)
        if self.clicks.following and task.registered:
            self.clicks.answer(fd, call)

    def _clone(self, task: Task, call: Syscall) -> None:
        self.processes.birth(task, call)
        run = task.process.run
        if run:
            clicks.clone(run, task, call)

    def _execute(self, task: Task, call: Syscall) -> None:
        if call.returned == 0:
            self.processes.executed(task, call)

    def _open(self, task: Task, call: Syscall) -> None:
        process, rest = task.process, call.rest
        if process.run is not None:
            other(task, call)
        if "\\x" in rest:
            rest = readable(rest)
        process.program.learn(rest)
        if self._stem in rest:
            run = task.process.run or self.run
            if run:
                main = call.tid == run.tid or (task is run.main)
            else:
                main = call.tid in self.listening.binders or not self.saw_pids
            self.clicks.open(run, task, call, rest, MAIN_THREAD if main else SCRIPT_THREAD)

    def _io_uring(self, task: Task, call: Syscall) -> None:
        other(task, call)
        if (call.returned if call.returned is not None else -1) >= 0:
            self.uring = self.uring or cite(call)
