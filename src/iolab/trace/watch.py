"""Reads system calls one by one and keeps what the story needs: listeners, connections, wake-ups, clicks.

Memory grows with the story (a record a connection, a click, a thread), not with the log.
"""

import re
from collections import Counter

from iolab.trace import clicks, connections, waits
from iolab.trace.decode import ACCEPTS, CLONES, CONTROL, OPENS, READS, WAITS, WRITES, readable
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.program import Made
from iolab.trace.records import MAIN_THREAD, SCRIPT_THREAD, Cited, Listener, Run, cite

MOST_THREADS = 2000  # told apart; what later ones do counts as one

_ADDRESS = re.compile(
    r"sa_family=AF_INET6?, sin6?_port=htons\((\d{1,5})\)[^}]{0,120}?"
    r'(?:inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)")'
)
MOST_LISTENERS = 64  # of a run; a server has one or two
_LOADER = re.compile(r'/ld\.so\.cache"|/glibc-hwcaps/')


class Watch:
    """Takes a log's events one by one (`see`) and keeps the facts."""

    def __init__(self, port: int, script: str) -> None:
        self.port = port
        self.runs: list[Run] = []
        self.made = Made()
        self.clicks = clicks.Clicks(script)
        self.calls: dict[int, Counter[str]] = {}
        self.binds: list[tuple[int, str, Cited]] = []  # port, address, line: successful binds elsewhere
        self.busy: Cited | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.accept_call: str | None = None
        self.ends: Counter[str] = Counter()
        self.uring: Cited | None = None
        self.saw_pids = False
        self._binders: set[int] = set()
        self._added: dict[int, set[int]] = {}
        self._unbound: dict[tuple[int, int], tuple[str, Cited]] = {}
        self._by_name = {
            "bind": self._bind,
            "listen": self._listen,
            "epoll_ctl": self._control,
            "io_uring_setup": self._io_uring,
            **dict.fromkeys(ACCEPTS, self._accept),
            **dict.fromkeys(OPENS, self._open),
        }
        self._by_name_in_run = {  # of the thread that listens
            **dict.fromkeys(WAITS, waits.wait),
            **dict.fromkeys(CLONES, clicks.clone),
            **dict.fromkeys(READS, connections.read),
            **dict.fromkeys(WRITES, self._write),
        }

    @property
    def run(self) -> Run | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    def see(self, event: Syscall | Signal | Exit) -> None:
        """Take the next event."""
        if event.tid:
            self.saw_pids = True
        if event.time_s is not None:
            if self.first_s is None:
                self.first_s = event.time_s
            self.last_s = event.time_s
        if isinstance(event, Syscall):
            self._see_call(event)
        elif isinstance(event, Exit):
            self.ends[event.how] += 1
            self._added.pop(event.tid, None)
            if self.run:
                self.run.clones.pop(event.tid, None)
        if self.clicks.following:
            self.clicks.follow(event)

    def _see_call(self, call: Syscall) -> None:
        of_thread = self.calls.get(call.tid)
        if of_thread is None:
            if len(self.calls) >= MOST_THREADS:
                of_thread = self.calls.setdefault(-1, Counter())
            else:
                of_thread = self.calls[call.tid] = Counter()
        if call.end_line is not None:
            of_thread[call.name] += 1
        run = self.run
        if run:
            if call.tid == run.tid:
                waits.end_wakes(run, call)
                run.last_s = call.time_s if call.time_s is not None else run.last_s
                if handler_in_run := self._by_name_in_run.get(call.name):
                    handler_in_run(run, call)
            self.clicks.recent.append(call)
        handler = self._by_name.get(call.name)
        if handler:
            handler(call)

    def _bind(self, call: Syscall) -> None:
        address = _ADDRESS.search(readable(call.rest))
        fd = call.fd
        if address is None or fd is None:
            return
        port, host, cited = int(address[1]), address[2] or address[3], cite(call)
        if port:
            self._binders.add(call.tid)
        if port == self.port and call.error == "EADDRINUSE":
            self.busy = cited
        if call.returned != 0 or port == 0:
            return
        if port != self.port:
            if len(self.binds) < 100:
                self.binds.append((port, host, cited))
            return
        self._unbound[call.tid, fd] = host, cited

    @property
    def not_listening(self) -> Cited | None:
        """The first bind to the port that no listen of its thread has followed."""
        return min((cited for _, cited in self._unbound.values()), key=lambda cited: cited.line, default=None)

    def _listen(self, call: Syscall) -> None:
        fd = call.fd
        if fd is None:
            return
        if call.error == "EADDRINUSE" and (call.tid, fd) in self._unbound:
            del self._unbound[call.tid, fd]
            self.busy = cite(call)
        if call.returned != 0:
            return
        bound = self._unbound.pop((call.tid, fd), None)
        if bound:
            host, cited = bound
            run = self._run_for(call.tid, host, cited)
            if len(run.listeners) < MOST_LISTENERS:
                run.listeners.append(Listener(call.tid, fd, host, cited, [cite(call)]))
        elif self.run and call.tid == self.run.tid and (listener := self.run.listener_of(fd)):
            listener.listens.append(cite(call))

    def _run_for(self, tid: int, host: str, cited: Cited) -> Run:
        """Return the run that a listener belongs to: a second one on the same address is the server's next life."""
        run = self.run
        if run and run.tid == tid and all(listener.addr != host for listener in run.listeners):
            return run
        run = Run(tid, frozenset(self._added.get(tid, ())), cited)
        self.runs.append(run)
        return run

    def _control(self, call: Syscall) -> None:
        match = CONTROL.match(call.rest)
        if match is None or call.returned != 0:
            return
        operation, fd = match[1], int(match[2])
        added = self._added.setdefault(call.tid, set())
        if operation == "ADD":
            added.add(fd)
        elif operation == "DEL":
            added.discard(fd)  # of a loop that was closed: a connection may get that number later
        run = self.run
        if run is None or call.tid != run.tid:
            return
        if operation == "ADD":
            connections.register(run, fd, call)
        elif operation == "DEL" and (listener := run.listener_of(fd)):
            listener.removed = listener.removed or cite(call)
        for wake in reversed(run.wakes):
            if wake.fd == fd:
                expected = ("DEL", "ADD")[len(wake.rearm)] if len(wake.rearm) < 2 else None
                if operation == expected:
                    wake.rearm.append((call.line, operation))
                break

    def _accept(self, call: Syscall) -> None:
        if self.run and connections.accept(self.run, call):
            self.accept_call = call.name

    def _write(self, run: Run, call: Syscall) -> None:
        if (fd := call.fd) is not None:
            connections.write(run, fd, call)
            self.clicks.answer(fd, call)

    def _open(self, call: Syscall) -> None:
        rest, run = readable(call.rest), self.run
        if self.clicks.named_in(rest):
            main = call.tid == run.tid if run else call.tid in self._binders or not self.saw_pids
            self.clicks.open(run, call, rest, MAIN_THREAD if main else SCRIPT_THREAD)
        elif run is None:
            self._program(call.tid, rest)

    def _io_uring(self, call: Syscall) -> None:
        if (call.returned or -1) >= 0:
            self.uring = self.uring or cite(call)

    def _program(self, tid: int, opened: str) -> None:
        """Learn what a program is made of from the files that it opens before it listens."""
        if _LOADER.search(opened):
            self._added.pop(tid, None)  # a new program in this thread: an earlier log's fds are gone
        self.made.learn(opened)
