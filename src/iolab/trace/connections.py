"""The connections of a server: how each is accepted, what it carries, when it becomes a websocket, what is answered."""

import re
from dataclasses import replace

from iolab.trace.decode import DATA, address, frame_kind, readable
from iolab.trace.events import Syscall
from iolab.trace.objects import Epoll, Socket
from iolab.trace.records import KEPT_REQUESTS, MOST_CONNECTIONS, Connection, Request, Requests, Run, Wake, cite
from iolab.trace.tasks import Task

_UPGRADE = re.compile(r"GET [^ ]*_stcore/stream |[Uu]pgrade: websocket", re.ASCII)
_REQUEST = re.compile(r'"([A-Z]{3,8} \S{1,80}) HTTP/')
_STATUS = re.compile(r'"HTTP/1\.[01] (\d{3})')
_PEER = re.compile(r"<TCP(?:v6)?:\[[^>]{1,80}->([^>]{1,80}?)\]>")
_CLOSES = ("SOCK_CLOEXEC", "0x80000")
_NO_CONNECTION = re.compile(r"\d{1,9}<(?!TCP|socket:)")  # a descriptor with the name that -y or -yy gives it


def accept(task: Task, call: Syscall, socket: Socket) -> None:
    """Take an accept of any thread on a listening socket of the server."""
    listener, fd = socket.listener, call.returned
    if listener is None or fd is None or fd < 0:
        return
    run = listener.run
    if run.accepted and not run.accept_lines:
        _forget_supposed(run)
    connection = Connection(fd, run, call.tid, _peer(call), cite(call))
    connection.accepted_s = call.end_s if call.end_s is not None else call.time_s
    connection.called = task.called
    keep(run, connection)
    run.accept_lines.append(call.line)
    run.join(task)
    task.process.serve(run)
    task.accepts += 1
    if task.serves_from_s is None:
        task.serves_from_s = call.time_s
    task.process.put(fd, connection, cloexec=any(flag in call.rest for flag in _CLOSES))


def _forget_supposed(run: Run) -> None:
    """Forget what was taken for connections before the first accept: in a log that shows accepts, they were none."""
    run.connections, run.accepted, run.requests = [], 0, Requests()
    for task in run.tasks.values():
        task.requests = 0


def _no_connection(connection: Connection) -> bool:
    """Say whether this was taken for a connection, and is none: see `_forget_supposed`."""
    return connection.accept is None and bool(connection.run.accept_lines)


def _peer(call: Syscall) -> str:
    """Return the address of the client: from the arguments, else from the name that -yy gives to the descriptor."""
    if found := address(call.rest):
        return f"{found[0]}:{found[1]}"
    named = _PEER.search(call.rest, max(call.result_at, 0))
    return named[1] if named else ""


def keep(run: Run, connection: Connection) -> None:
    """Count a connection, and keep its record if there are not too many."""
    run.accepted += 1
    if len(run.connections) < MOST_CONNECTIONS:
        run.connections.append(connection)


def register(task: Task, epoll: Epoll, fd: int, call: Syscall, named: str) -> None:
    """Take a descriptor that was put on the list on which the listening socket is.

    In a log without accepts it is a connection, if it is new there and nothing shows that it is something else.
    """
    listener = epoll.watches
    what = task.process.find(fd)
    if isinstance(what, Connection):
        what.add = what.add or cite(call)
    elif _NO_CONNECTION.match(named):
        return
    elif listener and what is None and fd not in epoll.early and not listener.run.accept_lines:
        connection = Connection(fd, listener.run, call.tid)
        connection.add = cite(call)
        keep(listener.run, connection)
        task.process.put(fd, connection)


def read(task: Task, connection: Connection, fd: int, call: Syscall) -> None:
    """Take what a connection received: a request, or the frame that the last wake-up was for."""
    if not call.returned or call.returned < 0 or connection.half_closed or _no_connection(connection):
        return
    data = DATA.search(call.arguments)
    if data is None:
        return
    connection.reads += 1
    if task.unnamed and all(wake.line != task.unnamed.line or wake.fd != fd for wake in task.wakes):
        task.wakes.append(replace(task.unnamed, fd=fd, rearm=[]))
    asked = readable(data[0])
    if connection.upgrade is None and _UPGRADE.search(asked) and not asked.startswith('"\\'):
        connection.upgrade = cite(call)
    wake = next((each for each in reversed(task.wakes) if each.fd == fd), None)
    if wake and wake.read is None:
        wake.read, wake.frame = cite(call), frame_kind(data[1]) if data[1] else "hidden"
    if connection.request is None and not connection.websocket:
        _asked(task, connection, call, asked, wake)


def _asked(task: Task, connection: Connection, call: Syscall, asked: str, wake: Wake | None) -> None:
    """Begin a request: the first data that a connection receives after it was accepted or answered."""
    run = connection.run
    requests = run.requests
    requests.count += 1
    task.requests += 1
    run.join(task)
    request = Request(requests.count, connection, cite(call), call.tid)
    named = _REQUEST.match(asked)
    request.text = named[1] if named else ""
    first = connection.reads == 1
    if wake is None and first:
        wake = connection.called
    if wake and (first or not wake.taken) and wake.line <= call.line:
        wake.taken, request.wake, request.from_s = True, wake, wake.end_s
    if first:
        request.accept = connection.accept
    if request.from_s is None:
        request.from_s = connection.accepted_s if first and connection.accept else call.time_s
    if task.born and connection.accept and task.born.line > connection.accept.line:
        request.worker = task.born
    connection.request = request
    if len(requests.first) < KEPT_REQUESTS:
        requests.first.append(request)


def write(task: Task, connection: Connection, call: Syscall) -> None:
    """Take what was sent on a connection: a response may make a websocket of it, and answers a request."""
    if call.end_line is None or (call.returned or -1) <= 0 or _no_connection(connection):
        return
    if connection.switched is None and '"HTTP/1.1 101 ' in readable(call.rest):
        connection.switched = cite(call)
    request = connection.request
    if request is None:
        return
    connection.request = None
    request.answer = cite(call)
    status = _STATUS.search(readable(call.rest[:200]))
    request.status = status[1] if status else ""
    if call.tid != request.tid:
        connection.run.join(task)
        task.requests += 1
        if task.born and connection.accept and task.born.line > connection.accept.line:
            request.worker = request.worker or task.born
    connection.run.requests.answer(request)
    task.process.program.said(readable(call.rest[:1200]))
