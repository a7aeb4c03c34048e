"""Which sockets listen on the port: bind, listen and epoll_ctl of any process, and the runs that they belong to."""

import re
from collections import Counter

from iolab.trace import connections
from iolab.trace.decode import CONTROL, EPOLL_DATA, OPERATIONS, address
from iolab.trace.events import Syscall
from iolab.trace.objects import Descriptor, Epoll, Socket
from iolab.trace.processes import Processes
from iolab.trace.records import Cited, Connection, Listener, Run, cite
from iolab.trace.tasks import Process, Task

MOST_LISTENERS = 20_000  # of a run, kept
MOST_BINDS = 100  # elsewhere, kept

_NAMED = re.compile(r"\d{1,9}<(TCP|TCPv6|UDP|UDPv6|socket|[A-Z-]{3,14}):\[(.{1,120}?)\]>")
_ANYWHERE = ("::", "0.0.0.0", "")  # noqa: S104 (compared with, not bound to)


class Listening:
    """Keeps the listening sockets of the port, and what else was bound."""

    def __init__(self, port: int, processes: Processes, calls: Counter[str]) -> None:
        self._port, self._processes, self._calls = port, processes, calls
        self.runs: list[Run] = []
        self.binds: list[tuple[int, str, Cited]] = []  # port, address, line: successful binds elsewhere
        self.busy: Cited | None = None
        self.own: tuple[Cited, str, Cited] | None = None  # a refused bind, and the own socket that has it
        self.datagrams: Socket | None = None
        self.named: Cited | None = None  # an accept on a socket that -yy names with the port, and no bind shows
        self.binders: set[int] = set()
        self._unbound: dict[Socket, Cited] = {}
        self._inodes: dict[str, Socket] = {}

    @property
    def not_listening(self) -> Cited | None:
        """The first bind to the port that no listen has followed."""
        return min(self._unbound.values(), key=lambda cited: cited.line, default=None)

    def bind(self, task: Task, call: Syscall) -> None:
        """Take a bind of any socket."""
        found, fd = address(call.rest), call.fd
        if found is None or fd is None:
            return
        host, port = found
        if port:
            self.binders.add(call.tid)
        if port == self._port and call.error == "EADDRINUSE":
            self._refused(task, cite(call), host)
        if call.returned != 0 or port == 0:
            return
        if port != self._port:
            if len(self.binds) < MOST_BINDS:
                self.binds.append((port, host, cite(call)))
            return
        socket = task.process.find(fd)
        if not isinstance(socket, Socket) or socket.bound:
            known = socket if isinstance(socket, Socket) else Socket()
            socket = Socket(shares_port=known.shares_port, nonblocking=known.nonblocking)
            task.process.put(fd, socket)
        socket.bound, socket.host = cite(call), host
        name = _NAMED.match(call.rest)
        if socket.kind == "udp" or (name and name[1].startswith("UDP")):
            self.datagrams = self.datagrams or socket
            return
        if name and name[2].isdigit():
            self._inodes[name[2]] = socket
        self._unbound[socket] = socket.bound

    def _refused(self, task: Task, cited: Cited, host: str) -> None:
        """Take an EADDRINUSE: of the server's own listening socket, or of another program."""
        root, run = task.process.root, self.runs[-1] if self.runs else None
        own = [(socket.host, bound) for socket, bound in self._unbound.items() if self._root(bound.tid) == root]
        if run and run.process.root == root:
            own += [(each.addr, each.bind) for each in run.listeners if not each.closed]
        for addr, bound in own:
            if addr in _ANYWHERE or host in _ANYWHERE or addr == host:
                self.own = cited, addr, bound
                return
        self.busy = cited

    def _root(self, tid: int) -> int | None:
        task = self._processes.living(tid)
        return task.process.root if task else None

    def listen(self, task: Task, call: Syscall) -> None:
        """Take a listen: of the process that bound, or of one that has its socket."""
        socket = self.socket(task, call)
        if socket is None or socket.bound is None or call.fd is None:
            return
        if call.error == "EADDRINUSE" and socket in self._unbound:
            del self._unbound[socket]
            self.busy = cite(call)
        if call.returned != 0:
            return
        if socket.listener is None:
            self._unbound.pop(socket, None)
            run = self._run_for(task, socket, call.fd)
            listener = Listener(socket.bound.tid, call.fd, socket.host, socket.bound, run)
            listener.shares_port, socket.listener = socket.shares_port, listener
            if len(run.listeners) < MOST_LISTENERS:
                run.listeners.append(listener)
            run.hosts[socket.host] = listener
        task.process.serve(socket.listener.run)
        socket.listener.listens.append(cite(call))

    def socket(self, task: Task, call: Syscall) -> Socket | None:
        """Return the socket that a call on a listening socket means; -y and -yy name it where its table does not."""
        found = self._inherited(task, call.fd)
        if isinstance(found, Socket):
            return found
        name = _NAMED.match(call.rest)
        if name is None:
            return None
        if name[2].isdigit():
            return self._inodes.get(name[2])
        if self.runs and name[1].startswith("TCP") and name[2].endswith(f":{self._port}"):
            listener = self.runs[-1].listeners[0]
            return Socket("tcp", bound=listener.bind, host=listener.addr, listener=listener)
        if name[1].startswith("TCP") and name[2].endswith(f":{self._port}"):
            self.named = self.named or cite(call)
        return None

    def _inherited(self, task: Task, fd: int | None) -> Descriptor | None:
        """Return what a descriptor refers to; its use shows that an execve kept it, whatever the log has of that."""
        found = task.process.find(fd)
        if found is None and fd is not None:
            found = task.process.find(fd, kept=True)
            if isinstance(found, Socket):
                task.process.put(fd, found)
        return found

    def _run_for(self, task: Task, socket: Socket, fd: int) -> Run:
        """Return the run of a socket that begins to listen: the newest, or the server's next life."""
        process, run = task.process.assumed_of, self.runs[-1] if self.runs else None
        if run and self._same_life(run, process, socket, fd):
            return run
        cited = socket.bound or Cited(0, "")
        run = Run(cited.tid, process, cited)
        run.binder = self._processes.living(cited.tid) or task
        run.binder.sleep = type(run.binder.sleep)()
        run.binder.serves_from_s = None
        self.runs.append(run)
        return run

    def _same_life(self, run: Run, process: Process, socket: Socket, fd: int) -> bool:
        before = run.hosts.get(socket.host)
        if process is run.process and before is None:
            return True
        if before is None:
            return process.root == run.process.root
        if before.closed:
            return False
        if socket.shares_port and before.shares_port:
            return run.process.ended is None or process.root == run.process.root
        if process is run.process:
            return socket.shares_port or (bool(self._calls["close"]) and before.fd != fd)
        return process.root == run.process.root and before.run.process.ended is None

    def control(self, task: Task, call: Syscall) -> None:
        """Take a change of an interest list."""
        match = CONTROL.match(call.rest)
        if match is None or call.returned != 0 or call.fd is None:
            return
        operation, fd, process = match[1] or OPERATIONS[match[2]], int(match[3]), task.process
        epoll = process.find(call.fd)
        if not isinstance(epoll, Epoll):
            epoll = Epoll()
            process.put(call.fd, epoll)
        if operation == "ADD":
            self._added(task, epoll, fd, call, call.rest[match.start(3) :])
        elif operation == "MOD" and fd in epoll.list:
            epoll.add(fd, _word(call.rest), epoll.list[fd][1])
        elif operation == "DEL":
            what = process.find(fd)
            epoll.remove(fd)
            if isinstance(what, Socket) and what.listener:
                what.listener.removed = what.listener.removed or cite(call)
        for wake in reversed(task.wakes):
            if wake.fd == fd:
                expected = ("DEL", "ADD")[len(wake.rearm)] if len(wake.rearm) < 2 else None
                if operation == expected:
                    wake.rearm.append((call.line, operation))
                break

    def _added(self, task: Task, epoll: Epoll, fd: int, call: Syscall, named: str) -> None:
        """Take a registration; `named` begins with the descriptor and the name that -y or -yy gives it."""
        what = self._inherited(task, fd)
        if what is None and task.process.run and (name := _NAMED.match(named)):
            what = self._inodes.get(name[2])
        if isinstance(what, Socket) and what.listener:
            listener = what.listener
            if epoll.watches is None or epoll.watches.run is not listener.run:
                others = {other: found for other, (_, found) in epoll.list.items()}
                epoll.early = frozenset(other for other, found in others.items() if not isinstance(found, Connection))
                epoll.watches = listener
            if listener.add is None:
                listener.add, listener.epoll_fd, listener.early = cite(call), call.fd, epoll.early
            cited = listener.adds.get(call.tid) or cite(call)
            if len(listener.adds) < MOST_LISTENERS:
                listener.adds[call.tid] = cited
            task.registered = task.registered or cited
            task.process.serve(listener.run)
            listener.run.join(task)
            if task.serves_from_s is None or task.registered.line == call.line:  # not put back, as by nginx
                task.serves_from_s = call.time_s
        elif task.process.run:
            connections.register(task, epoll, fd, call, named)
            what = task.process.find(fd)
        epoll.add(fd, _word(call.rest), what)


def _word(rest: str) -> int | None:
    """Return the word that epoll returns for a descriptor, as it was given to epoll_ctl."""
    match = EPOLL_DATA.search(rest)
    if match is None:
        return None
    return int(match[3], 16) if match[3] else int(match[2] or match[1])
