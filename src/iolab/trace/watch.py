"""Watches system calls go by and keeps what the story needs: listeners, connections, wake-ups, clicks.

Memory grows with the story (a record a connection, a click, a thread), not with the log.
"""

import re
from collections import Counter, deque
from dataclasses import replace

from iolab.trace.decode import (
    ACCEPTS,
    CLONES,
    EPOLL_WAITS,
    OPENS,
    READS,
    WAITS,
    WRITES,
    frame_kind,
    hides_fds,
    readable,
    ready_fds,
    timeout_ms,
)
from iolab.trace.records import (
    KEPT_AFTER_OPEN,
    MAIN_THREAD,
    SCRIPT_THREAD,
    Cited,
    Connection,
    Listener,
    Made,
    Open,
    Run,
    Sleep,
    Wake,
    cite,
)
from iolab.trace.strace import Exit, Signal, Syscall

KEPT_LINES = 1500  # before an open, to show what led to it; the socket pair between threads is talkative
KEPT_LINES_AFTER = 40  # of them, to show
MOST_FOLLOWED = 64  # opens whose answers are looked for at once
MOST_THREADS = 2000  # told apart; what later ones do counts as one

_ADDRESS = re.compile(
    r"sa_family=AF_INET6?, sin6?_port=htons\((\d{1,5})\)[^}]{0,120}?"
    r'(?:inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)")'
)
_CONTROL = re.compile(r"\d+(?:<[^>]*>)?, EPOLL_CTL_(ADD|MOD|DEL), (\d{1,9})")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PEER = re.compile(r'sin6?_port=htons\((\d{1,5})\)[^}]{0,120}?(?:inet_addr\("|AF_INET6, ")([^"]*)"')
_DATA = re.compile(r'"((?:[^"\\]|\\.)*)')
_UPGRADE = re.compile(r"GET [^ ]*_stcore/stream |[Uu]pgrade: websocket", re.ASCII)
_MADE_OF = re.compile(
    r"site-packages/(uvicorn|tornado|uvloop)/|site-packages/streamlit-([\d.]+)\.dist-info|/python(3\.\d+)/"
)
_LOADER = re.compile(r'/ld\.so\.cache"|/glibc-hwcaps/')


class Watch:
    """Takes a log's events one by one (`see`) and keeps the facts."""

    def __init__(self, port: int, script: str) -> None:
        self.port, self._script = port, script
        self._stem = script.removesuffix(".py")
        self.runs: list[Run] = []
        self.made = Made()
        self.calls: dict[int, Counter[str]] = {}
        self.binds: list[tuple[int, str, Cited]] = []  # port, address, line: successful binds elsewhere
        self.busy: Cited | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.accept_call: str | None = None
        self.ends: Counter[str] = Counter()
        self.pyc_opens: list[tuple[Cited, str]] = []
        self.orphans: list[Open] = []  # opens in a log without a listener
        self.uring: Cited | None = None
        self.saw_pids = False
        self._binders: set[int] = set()
        self._added: dict[int, set[int]] = {}
        self._unbound: dict[tuple[int, int], tuple[str, Cited]] = {}
        self._unended: list[Wake] = []
        self._untimed: tuple[float, int | None] | None = None
        self._recent: deque[Syscall] = deque(maxlen=KEPT_LINES)
        self._following: list[Open] = []
        self._by_name = {
            "bind": self._bind,
            "listen": self._listen,
            "epoll_ctl": self._control,
            "io_uring_setup": self._io_uring,
            **dict.fromkeys(ACCEPTS, self._accept),
            **dict.fromkeys(WAITS, self._wait),
            **dict.fromkeys(CLONES, self._clone),
            **dict.fromkeys(READS, self._read),
            **dict.fromkeys(WRITES, self._write),
            **dict.fromkeys(OPENS, self._open),
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
        if self._following:
            self._follow(event)

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
                self._end_wake(call)
                run.last_s = call.time_s if call.time_s is not None else run.last_s
            self._recent.append(call)
        handler = self._by_name.get(call.name)
        if handler:
            handler(call)

    def _end_wake(self, call: Syscall) -> None:
        """Without durations a wait has ended, at the latest, when its thread makes the next call."""
        for wake in self._unended:
            wake.end_s = call.time_s
        self._unended = []
        if self._untimed and self.run and call.time_s is not None:
            start_s, timeout = self._untimed
            self.run.sleep.add(call.time_s - start_s, timeout)
            self.run.sleep.at_most = True
        self._untimed = None

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
            run.listeners.append(Listener(call.tid, fd, host, cited, [cite(call)]))
        elif self.run and call.tid == self.run.tid and (listener := self.run.listener_of(fd)):
            listener.listens.append(cite(call))

    def _run_for(self, tid: int, host: str, cited: Cited) -> Run:
        """Return the run that a listener belongs to: a second one on the same address is the server's next life."""
        run = self.run
        if run and run.tid == tid and all(listener.addr != host for listener in run.listeners):
            return run
        run = Run(tid, frozenset(self._added.get(tid, ())), cited)
        self._unended, self._untimed = [], None
        self.runs.append(run)
        return run

    def _control(self, call: Syscall) -> None:
        match = _CONTROL.match(call.rest)
        if match is None or call.returned != 0:
            return
        operation, fd = match[1], int(match[2])
        added = self._added.setdefault(call.tid, set())
        if operation == "ADD":
            added.add(fd)
        elif operation == "DEL":
            added.discard(fd)  # of a loop that was closed: a caller may get that number later
        run = self.run
        if run is None or call.tid != run.tid:
            return
        if operation == "ADD":
            self._registered(run, fd, call)
        elif operation == "DEL" and (listener := run.listener_of(fd)):
            listener.removed = listener.removed or cite(call)
        for wake in reversed(run.wakes):
            if wake.fd == fd:
                expected = ("DEL", "ADD")[len(wake.rearm)] if len(wake.rearm) < 2 else None
                if operation == expected:
                    wake.rearm.append((call.line, operation))
                break

    def _registered(self, run: Run, fd: int, call: Syscall) -> None:
        if listener := run.listener_of(fd):
            if listener.add is None:
                listener.add, listener.epoll_fd = cite(call), call.fd
            return
        if fd in run.early or not self._on_list(run, call.fd):
            return
        connection = run.open_fds.get(fd)
        if connection is None and not run.accept_lines:
            connection = Connection(fd)
            run.connections.append(connection)
            run.open_fds[fd] = connection
        if connection:
            connection.add = connection.add or cite(call)

    def _same_epoll(self, run: Run, epoll_fd: int | None) -> bool:
        known = [listener.epoll_fd for listener in run.listeners if listener.epoll_fd is not None]
        return not known or epoll_fd in known

    def _on_list(self, run: Run, epoll_fd: int | None) -> bool:
        """Whether this epoll is the listener's: then what is added there, and was not before, is a caller."""
        return any(each.epoll_fd == epoll_fd for each in run.listeners)

    def _accept(self, call: Syscall) -> None:
        run, fd, listening = self.run, call.returned, call.fd
        if run is None or fd is None or fd < 0 or listening is None or run.listener_of(listening) is None:
            return
        self.accept_call = call.name
        peer = _PEER.search(readable(call.rest))
        connection = Connection(fd, f"{peer[2]}:{peer[1]}" if peer else "", cite(call))
        run.connections.append(connection)
        run.open_fds[fd] = connection
        run.accept_lines.append(call.line)

    def _wait(self, call: Syscall) -> None:
        run = self.run
        if run is None or call.tid != run.tid or call.end_line is None:
            return
        self._slept(run.sleep, call)
        run.unnamed = None
        if run.idle is None and call.returned and call.returned > 0:
            self._first_caller(run, call)
        if call.name not in EPOLL_WAITS or not call.returned or call.returned < 0 or not self._same_epoll(run, call.fd):
            return
        for fd in ready_fds(call):
            if listener := run.listener_of(fd):
                listener.woke = listener.woke or cite(call)
                continue
            if fd in run.early and fd not in run.open_fds:
                continue
            if run.accept_lines and fd not in run.open_fds:
                continue
            run.wakes.append(self._wake(fd, call, call.end_line))
        if hides_fds(call):
            run.unnamed = self._wake(-1, call, call.end_line)

    def _wake(self, fd: int, call: Syscall, end_line: int) -> Wake:
        wake = Wake(fd, end_line, call.line, call.text, call.stamp, call.time_s, call.end_s, call.tid, call.name)
        if wake.end_s is None:
            self._unended.append(wake)
        return wake

    @staticmethod
    def _first_caller(run: Run, call: Syscall) -> None:
        """Note how often the thread woke while nobody was there."""
        registered = run.listeners[0].add or run.listeners[0].bind
        if any(run.listener_of(fd) for fd in ready_fds(call)):
            end_s = call.end_s if call.end_s is not None else call.time_s
            if end_s is not None and registered.time_s is not None:
                run.idle = run.sleep.wakes + run.sleep.timeouts - 1, end_s - registered.time_s

    def _slept(self, sleep: Sleep, call: Syscall) -> None:
        sleep.calls += 1
        ready = call.returned
        timeout = timeout_ms(call)
        if timeout == 0:
            sleep.polls += 1
        elif ready == 0:
            sleep.timeouts += 1
        elif ready and ready > 0:
            sleep.wakes += 1
        if timeout == -1:
            sleep.endless += 1
        end_s, start_s = call.end_s, call.time_s
        duration_s = call.duration_s
        if duration_s is None and end_s is not None and start_s is not None and not call.whole_seconds:
            duration_s = end_s - start_s
        if duration_s is not None:
            sleep.add(duration_s, timeout)
        elif start_s is not None and not call.whole_seconds:
            self._untimed = start_s, timeout

    def _clone(self, call: Syscall) -> None:
        run, child = self.run, call.returned
        if run is None or call.tid != run.tid or not child or child < 0:
            return
        run.clones[child] = cite(call), self._cause(run, call.line)

    def _read(self, call: Syscall) -> None:
        run, fd = self.run, call.fd
        if run is None or fd is None or call.tid != run.tid or not call.returned or call.returned < 0:
            return
        connection = run.open_fds.get(fd)
        data = _DATA.search(call.arguments)
        if connection is None or data is None:
            return
        connection.reads += 1
        if run.unnamed and all(wake.line != run.unnamed.line or wake.fd != fd for wake in run.wakes):
            run.wakes.append(replace(run.unnamed, fd=fd, rearm=[]))
        asked = readable(data[0])
        if connection.upgrade is None and _UPGRADE.search(asked) and not asked.startswith('"\\'):
            connection.upgrade = cite(call)
        for wake in reversed(run.wakes):
            if wake.fd == fd:
                if wake.read is None:
                    wake.read, wake.frame = cite(call), frame_kind(data[1]) if data[1] else "hidden"
                break

    def _write(self, call: Syscall) -> None:
        run, fd = self.run, call.fd
        if run is None or fd is None or call.tid != run.tid:
            return
        connection = run.open_fds.get(fd)
        if connection and connection.switched is None and '"HTTP/1.1 101 ' in readable(call.rest):
            connection.switched = cite(call)
        for opened in self._following:
            if opened.answer is None and opened.wake and opened.wake.fd == fd:
                opened.answer = cite(call)

    def _open(self, call: Syscall) -> None:
        rest = readable(call.rest)
        if self._stem not in rest:
            if self.run is None:
                self._program(call.tid, rest)
            return
        path = _PATH.search(rest)
        if path is None or "/site-packages/" in path[1] or call.error:
            return
        if "O_WRONLY" in call.rest or "O_RDWR" in call.rest or "O_CREAT" in call.rest:
            return
        name = path[1].rsplit("/", 1)[-1]
        if name == self._script:
            self._script_opened(call, path[1])
        elif name.startswith(f"{self._stem}.") and name.endswith(".pyc"):
            self.pyc_opens.append((cite(call), _number(call)))

    def _script_opened(self, call: Syscall, path: str) -> None:
        run = self.run
        main = call.tid == run.tid if run else call.tid in self._binders or not self.saw_pids
        by = MAIN_THREAD if main else SCRIPT_THREAD
        opened = Open(cite(call), call.end_line, call.tid, path, _number(call) or None, call.stamp, by)
        if run is None:
            self.orphans.append(opened)
            return
        run.opens.append(opened)
        if by == MAIN_THREAD:
            return
        # A thread that runs the script a second time was not cloned for that click.
        clone = run.clones.pop(call.tid, None)
        if clone:
            opened.clone, opened.wake = clone
        else:
            opened.wake = self._cause(run, call.line)
        twin = run.opens[-2] if opened.wake and len(run.opens) > 1 and run.opens[-2].wake is opened.wake else None
        self._tell_before(opened, twin)
        self._following = [*self._following[1 - MOST_FOLLOWED :], opened]

    def _cause(self, run: Run, before: int) -> Wake | None:
        """Return the last wake-up before a line; where reads are seen, the last that may have read a binary frame."""
        wakes = [wake for wake in run.wakes if wake.line < before]
        found = [wake for wake in wakes if wake.frame in ("binary", "hidden")] or wakes
        return found[-1] if found else None

    def _tell_before(self, opened: Open, twin: Open | None) -> None:
        """Keep the lines since the wake-up; where a `twin` has those, as it was opened by the same one, since that."""
        begin = twin.cited.line + 1 if twin else opened.wake.start_line if opened.wake else opened.cited.line
        before: list[Cited] = []
        for call in reversed(self._recent):  # by their ends
            if call.end_line is not None and call.end_line < begin:
                break
            if begin <= call.line:
                before.append(cite(call))
        opened.lines = sorted(before, key=lambda cited: cited.line)
        if twin:
            opened.calls = twin.calls + Counter([opened.cited.name])
        else:
            opened.calls.update(cited.name for cited in before)

    def _follow(self, event: Syscall | Signal | Exit) -> None:
        for opened in self._following:
            if event.line > opened.cited.line:
                opened.after -= 1
                if isinstance(event, Syscall) and not opened.answered_before(event):
                    opened.calls[event.name] += 1
                if opened.after > KEPT_AFTER_OPEN - KEPT_LINES_AFTER:
                    opened.lines.append(Cited(event.line, event.text, event.time_s, event.tid))
        if any(opened.after <= 0 for opened in self._following):
            self._following = [opened for opened in self._following if opened.after > 0]

    def _io_uring(self, call: Syscall) -> None:
        if (call.returned or -1) >= 0:
            self.uring = self.uring or cite(call)

    def _program(self, tid: int, opened: str) -> None:
        """Learn from the files that a program opens before it listens what it is made of."""
        if _LOADER.search(opened):
            self._added.pop(tid, None)  # a new program in this thread: an earlier log's fds are gone
        for match in _MADE_OF.finditer(opened):
            package, streamlit, python = match.groups()
            made = self.made
            if package == "uvloop":
                made.uvloop = True
            elif package:
                made.server = "uvicorn" if package == "uvicorn" else made.server or package
            made.streamlit = made.streamlit or streamlit
            made.python = made.python or python


def _number(call: Syscall) -> str:
    return "" if call.returned is None else str(call.returned)
