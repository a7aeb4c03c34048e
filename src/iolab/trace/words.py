"""What one line of the log means, in a plain sentence."""

import re
from collections.abc import Mapping

from iolab.trace.decode import (
    ACCEPTS,
    CLONES,
    CONTROL,
    DATA,
    EPOLL_WAITS,
    OPENS,
    OPERATIONS,
    READS,
    SOCKET_READS,
    WRITES,
    first_string,
    frame_kind,
    readable,
    ready_fds,
)
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.processes import kind_of_birth
from iolab.trace.strace import Strace
from iolab.trace.waiting import FOR_EVER, WAIT_CALLS, timeout_s, waits

SHORT_PATH = 60  # characters

_FRAMES = {
    "binary": "a binary websocket frame: a message of Streamlit's protocol",
    "text": "a text websocket frame",
    "close": "a close frame of a websocket",
    "ping": "a ping frame: a check that the other side is still connected",
    "pong": "a pong frame: the response to a ping",
}
_CHANGES = {
    "ADD": "epoll now watches fd {fd}",
    "DEL": "epoll no longer watches fd {fd}",
    "MOD": "epoll now watches fd {fd} for other events",
}
_PLAIN = {
    "bind": "The socket gets its address.",
    "listen": "The kernel now queues incoming connections.",
    "epoll_create1": "A new epoll: an empty interest list.",
    "futex": "The thread waits for a lock, or wakes threads that wait for one.",
    "clock_nanosleep": "The thread sleeps: in the lab's servers this stands for a wait for I/O.",
    "io_uring_setup": "A queue of requests that the kernel reads without a system call for each.",
    "io_uring_enter": "Passes queued requests to the kernel.",
    "close": "Closes the descriptor.",
    "mmap": "Maps memory.",
    "munmap": "Unmaps memory.",
    "shutdown": "Closes one direction of the connection, or both.",
    "setsockopt": "Sets an option of a socket.",
}
_REQUEST = re.compile(r"(GET|POST|HEAD|PUT|DELETE|OPTIONS) (\S+) HTTP/")
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})")


def of_line(text: str, names: Mapping[int, str] | None = None) -> str:
    """Return a plain sentence for one line as strace wrote it; `names` says what a descriptor is ("the websocket")."""
    for event in Strace([text]):
        return of_event(event, names or {})
    return "The end of a call that began on an earlier line." if "resumed>" in text else ""


def of_event(event: Syscall | Signal | Exit, names: Mapping[int, str]) -> str:
    """Return a plain sentence for one event."""
    if not isinstance(event, Syscall):
        return (
            f"The thread ends ({event.how})."
            if isinstance(event, Exit)
            else f"The thread gets the signal {event.name}."
        )
    if event.error == "EAGAIN":
        return "Nothing to read or write at present (EAGAIN): the call does not wait."
    if event.error:
        return f"The call fails: {event.error}."
    if event.name in WAIT_CALLS and waits(event):
        return _wait(event, names)
    return _data(event, names) if event.name in (*READS, *WRITES) else _other(event, names)


def _other(call: Syscall, names: Mapping[int, str]) -> str:
    if call.name in ACCEPTS:
        return f"Takes a connection from the accept queue: it is fd {call.returned}."
    if call.name in CLONES:
        what = "thread" if kind_of_birth(call) == "thread" else "process"
        return f"Starts a new {what}" + (f": {call.returned}." if call.returned else ".")
    if call.name in OPENS:
        path = first_string(readable(call.rest))
        if path is None:
            return "Opens a file."
        return f"Opens {path if len(path) <= SHORT_PATH else path.rsplit('/', 1)[-1] or path}."
    if match := CONTROL.match(call.rest):
        operation = match[1] or OPERATIONS[match[2]]
        return _CHANGES[operation].format(fd=_named(int(match[3]), names)) + "."
    return _PLAIN.get(call.name, "")


def _wait(call: Syscall, names: Mapping[int, str]) -> str:
    timeout = timeout_s(call)
    ready = call.returned
    if call.result_at < 0:
        return "The thread sleeps until an event or a timeout; the log does not show the end."
    if ready and ready > 0:
        fds = ready_fds(call) if call.name in EPOLL_WAITS else []
        ready_names = ", ".join(_named(fd, names) for fd in fds)
        return f"Woken: fd {ready_names} is ready." if ready_names else "Woken: a descriptor is ready."
    if timeout == 0:
        return "A check without waiting: no descriptor is ready."
    return "Slept until the timeout: no descriptor became ready." if timeout != FOR_EVER else "Slept."


def _data(call: Syscall, names: Mapping[int, str]) -> str:
    reads = call.name in READS
    fd = call.fd
    verb = "Reads" if reads else "Sends"
    match = DATA.search(call.arguments)
    data = match[1] if match else ""
    where = f" {'from' if reads else 'to'} fd {_named(fd, names)}" if fd is not None else ""
    if call.returned == 0 and reads:
        return _end(call, fd, names)
    if request := _REQUEST.match(data):
        return f"{verb} a request for {request[2]}{where}."
    if status := _STATUS.match(data):
        return f"{verb} a response with status {status[1]}{where}."
    if data.startswith("\\0") and "UNIX" in call.arguments:
        return (
            "Reads the wake-up bytes of other threads."
            if reads
            else "Wakes the event loop from another thread, through a pair of sockets."
        )
    kind = frame_kind(data)
    return f"{verb} {_FRAMES.get(kind, 'data')}{where}."


_CONNECTED = re.compile(r"\d+<(?:TCP|TCPv6|UNIX|UNIX-STREAM|socket|SCTP)[\w-]*:")
_A_FILE = re.compile(r"\d+<(?:/[^>]*|[^<>]*\(deleted\))>")


def _end(call: Syscall, fd: int | None, names: Mapping[int, str]) -> str:
    """Say what a read of nothing means: a connection has a side that closes, a file has an end."""
    if _A_FILE.match(call.rest):
        return "The end of the file."
    connected = call.name in SOCKET_READS or _CONNECTED.match(call.rest) or "connection" in names.get(fd or -1, "")
    if fd is not None and (connected or "websocket" in names.get(fd, "")):
        return f"The other side of fd {_named(fd, names)} has closed."
    return "The end of the data: of a file, or of a connection whose other side has closed."


def _named(fd: int, names: Mapping[int, str]) -> str:
    return f"{fd} ({names[fd]})" if fd in names else str(fd)
