"""The connections of a server: how each is accepted, what it carries, when it becomes a websocket."""

import re
from dataclasses import replace

from iolab.trace.decode import DATA, frame_kind, readable
from iolab.trace.events import Syscall
from iolab.trace.records import Connection, Run, cite

_PEER = re.compile(r'sin6?_port=htons\((\d{1,5})\)[^}]{0,120}?(?:inet_addr\("|AF_INET6, ")([^"]*)"')
_UPGRADE = re.compile(r"GET [^ ]*_stcore/stream |[Uu]pgrade: websocket", re.ASCII)


def accept(run: Run, call: Syscall) -> bool:
    """Take an accept of any thread, and say whether it accepted a connection of this server."""
    fd, listening = call.returned, call.fd
    if fd is None or fd < 0 or listening is None or run.listener_of(listening) is None:
        return False
    peer = _PEER.search(readable(call.rest))
    connection = Connection(fd, f"{peer[2]}:{peer[1]}" if peer else "", cite(call))
    run.connections.append(connection)
    run.open_fds[fd] = connection
    run.accept_lines.append(call.line)
    return True


def register(run: Run, fd: int, call: Syscall) -> None:
    """Take what was put on an interest list: a listener, or a connection."""
    if listener := run.listener_of(fd):
        if listener.add is None:
            listener.add, listener.epoll_fd = cite(call), call.fd
        return
    if fd in run.early or not _on_list(run, call.fd):
        return
    connection = run.open_fds.get(fd)
    if connection is None and not run.accept_lines:
        connection = Connection(fd)
        run.connections.append(connection)
        run.open_fds[fd] = connection
    if connection:
        connection.add = connection.add or cite(call)


def _on_list(run: Run, epoll_fd: int | None) -> bool:
    """Whether this epoll is the listener's: then what is added there, and was not before, is a connection."""
    return any(each.epoll_fd == epoll_fd for each in run.listeners)


def read(run: Run, call: Syscall) -> None:
    """Take what a connection received: a request, or the frame that the last wake-up was for."""
    fd = call.fd
    if fd is None or not call.returned or call.returned < 0:
        return
    connection = run.open_fds.get(fd)
    data = DATA.search(call.arguments)
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


def write(run: Run, fd: int, call: Syscall) -> None:
    """Take what was sent on a connection: a response may make a websocket of it."""
    connection = run.open_fds.get(fd)
    if connection and connection.switched is None and '"HTTP/1.1 101 ' in readable(call.rest):
        connection.switched = cite(call)
