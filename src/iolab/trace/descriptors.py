"""System calls that make, copy, pass and close descriptors."""

import re
from collections import deque

from iolab.trace.decode import bits, symbolic
from iolab.trace.events import Syscall
from iolab.trace.objects import MOST_IN_FLIGHT, Descriptor, Epoll, PairEnd, ProcessHandle, Socket
from iolab.trace.processes import Processes
from iolab.trace.records import Connection, cite
from iolab.trace.tasks import Task

_SOCKET = re.compile(r"(\w+), ([\w|]{1,80}), (\w+)")
_TYPES = {"SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_SEQPACKET": 5, "SOCK_NONBLOCK": 0x800,
          "SOCK_CLOEXEC": 0x80000}  # fmt: skip
_PAIR = re.compile(r"\[(\d{1,9})(?:<[^\]]{0,90}?\]?>)?, (\d{1,9})")
_TO = re.compile(r"\d{1,9}(?:<.{0,200}?>)?, (\d{1,9})")
_FCNTL = re.compile(r"\d{1,9}(?:<.{0,4000}>)?, (F_\w+|0x[0-9a-f]{1,4})(?:, ([\w|]{1,40}))?")
_OPTION = re.compile(r"(?:SOL_SOCKET|0x1), (?:SO_REUSEPORT|0xf), \[([01])\]")
_RANGE = re.compile(r"(\d{1,10}|~0U?|0x[0-9a-f]{1,8}), (\d{1,10}|~0U?|0x[0-9a-f]{1,8}), ([\w|]{1,60})")
_RIGHTS = re.compile(r"cmsg_level=(?:SOL_SOCKET|0x1), cmsg_type=(?:SCM_RIGHTS|0x1), cmsg_data=\[(.{1,9000}?)\]\}")
_FD = re.compile(r"\d{1,9}")
_COMMANDS = {"0x0": "F_DUPFD", "0x1": "F_GETFD", "0x2": "F_SETFD", "0x4": "F_SETFL", "0x406": "F_DUPFD_CLOEXEC"}
_STATUS = {"O_NONBLOCK": 0x800, "O_RDWR": 2, "O_RDONLY": 0}
_SENDS_NO_MORE = re.compile(r", (?:SHUT_WR|SHUT_RDWR|0x1|0x2|1|2)\b")
_DOMAINS = {"AF_INET": "inet", "AF_INET6": "inet", "0x2": "inet", "0xa": "inet", "PF_INET": "inet", "PF_INET6": "inet"}


class Descriptors:
    """Keeps the tables of all processes, call by call."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._in_flight: deque[Descriptor | None] = deque(maxlen=MOST_IN_FLIGHT)
        others = ("eventfd2", "eventfd", "timerfd_create", "signalfd4", "memfd_create", "openat",
                  "open", "openat2", "inotify_init1", "io_uring_setup")  # fmt: skip
        self.by_name = {
            "socket": _socket,
            **dict.fromkeys(("socketpair", "pipe", "pipe2"), _pair),
            "epoll_create": _epoll,
            "epoll_create1": _epoll,
            "setsockopt": _option,
            "dup": _dup,
            "dup2": _dup,
            "dup3": _dup,
            "fcntl": _fcntl,
            "fcntl64": _fcntl,
            "ioctl": _ioctl,
            "shutdown": _shutdown,
            "close": _close,
            "close_range": self._close_range,
            "pidfd_open": _pidfd,
            "pidfd_getfd": self._from_another,
            **dict.fromkeys(others, other),
        }

    def sent(self, task: Task, call: Syscall) -> None:
        """Take descriptors that a sendmsg passes on (SCM_RIGHTS)."""
        rights = _RIGHTS.search(call.rest)
        if rights is None or (call.returned or -1) < 0:
            return
        end = task.process.find(call.fd)
        target = end.peer.inbox if isinstance(end, PairEnd) and end.peer else self._in_flight
        target.extend(task.process.find(fd) for fd in _fds(rights[1]))

    def received(self, task: Task, call: Syscall) -> None:
        """Take descriptors that a recvmsg received."""
        rights = _RIGHTS.search(call.rest)
        if rights is None or (call.returned or -1) < 0:
            return
        end = task.process.find(call.fd)
        source = end.inbox if isinstance(end, PairEnd) and end.inbox else self._in_flight
        cloexec = "MSG_CMSG_CLOEXEC" in call.rest
        for fd in _fds(rights[1]):
            what = source.popleft() if source else None
            task.process.put(fd, what, cloexec=cloexec)
            _joins(task, what)

    def _close_range(self, task: Task, call: Syscall) -> None:
        match = _RANGE.match(call.rest)
        if match and call.returned == 0:
            flags = bits(symbolic(match[3]), {"CLOSE_RANGE_CLOEXEC": 4, "CLOSE_RANGE_UNSHARE": 2})
            if flags & 2:
                task.process.table = task.process.table.copy()
            task.process.table.close_range(_unsigned(match[1]), _unsigned(match[2]), cloexec=bool(flags & 4))

    def _from_another(self, task: Task, call: Syscall) -> None:
        handle, match = task.process.find(call.fd), _TO.match(call.rest)
        if isinstance(handle, ProcessHandle) and match and _made(call):
            other_task = self._processes.living(handle.pid)
            what = other_task.process.find(int(match[1])) if other_task else None
            task.process.put(call.returned or 0, what, cloexec=True)
            _joins(task, what)


def _joins(task: Task, what: Descriptor | None) -> None:
    """Take a process as one of the server's, if it received a socket of it."""
    if isinstance(what, Connection):
        task.process.serve(what.run)
    elif isinstance(what, Socket) and what.listener:
        task.process.serve(what.listener.run)


def other(task: Task, call: Syscall) -> None:
    """Take a call that makes a descriptor of another kind: what had its number before was closed."""
    fd = call.returned
    if fd is not None and fd >= 0 and task.process.table.get(fd) is not None:
        task.process.put(fd, None)


def _made(call: Syscall) -> bool:
    return call.returned is not None and call.returned >= 0


def _socket(task: Task, call: Syscall) -> None:
    match = _SOCKET.match(symbolic(call.rest))
    if match is None or not _made(call):
        return
    flags = bits(match[2], _TYPES)
    kind = {1: "tcp", 2: "udp"}.get(flags & 0xF, "other") if match[1] in _DOMAINS else "other"
    socket = Socket(kind, cite(call), nonblocking=bool(flags & _STATUS["O_NONBLOCK"]))
    task.process.put(call.returned or 0, socket, cloexec=bool(flags & 0x80000))


def _pair(task: Task, call: Syscall) -> None:
    at = call.rest.find("[")
    match = _PAIR.match(call.rest, at) if at >= 0 else None
    if match and call.returned == 0:
        one, two = PairEnd(), PairEnd()
        one.peer, two.peer = two, one
        cloexec = "_CLOEXEC" in call.rest or "0x80000" in call.rest
        task.process.put(int(match[1]), one, cloexec=cloexec)
        task.process.put(int(match[2]), two, cloexec=cloexec)


def _epoll(task: Task, call: Syscall) -> None:
    if _made(call):
        cloexec = "EPOLL_CLOEXEC" in call.rest or "0x80000" in call.rest
        task.process.put(call.returned or 0, Epoll(), cloexec=cloexec)


def _option(task: Task, call: Syscall) -> None:
    if "SO_REUSEPORT" not in call.rest and "0xf" not in call.rest:
        return
    match = _OPTION.search(symbolic(call.rest))
    if match is None or call.returned != 0 or call.fd is None:
        return
    socket = task.process.find(call.fd)
    if socket is None:
        socket = Socket()
        task.process.put(call.fd, socket)
    if isinstance(socket, Socket):
        socket.shares_port = match[1] == "1"


def _dup(task: Task, call: Syscall) -> None:
    if _made(call) and call.returned != call.fd:
        what = task.process.find(call.fd)
        if what is not None or task.process.table.get(call.returned) is not None:
            task.process.put(call.returned or 0, what, cloexec="O_CLOEXEC" in call.rest or "0x80000" in call.rest)


def _fcntl(task: Task, call: Syscall) -> None:
    match = _FCNTL.match(symbolic(call.rest))
    if match is None or not _made(call):
        return
    command = _COMMANDS.get(match[1], match[1])
    if command in ("F_DUPFD", "F_DUPFD_CLOEXEC"):
        what = task.process.find(call.fd)
        if what is not None or task.process.table.get(call.returned) is not None:
            task.process.put(call.returned or 0, what, cloexec=command == "F_DUPFD_CLOEXEC")
    elif command == "F_GETFD" and call.fd is not None:
        task.process.table.mark(call.fd, cloexec=bool((call.returned or 0) & 1))
    elif command == "F_SETFD" and call.fd is not None:
        task.process.table.mark(call.fd, cloexec=bool(bits(match[2] or "0", {"FD_CLOEXEC": 1}) & 1))
    elif command == "F_SETFL" and isinstance(what := task.process.find(call.fd), Socket):
        what.nonblocking = bool(bits(match[2] or "0", _STATUS) & _STATUS["O_NONBLOCK"])


def _ioctl(task: Task, call: Syscall) -> None:
    for name, number, cloexec in (("FIOCLEX", "0x5451", True), ("FIONCLEX", "0x5450", False)):
        if (name in call.rest or number in call.rest) and call.returned == 0 and call.fd is not None:
            task.process.table.mark(call.fd, cloexec=cloexec)
    if ("FIONBIO" in call.rest or "0x5421" in call.rest) and call.returned == 0:
        what = task.process.find(call.fd)
        if isinstance(what, Socket):
            what.nonblocking = "[0]" not in call.rest


def _shutdown(task: Task, call: Syscall) -> None:
    what = task.process.find(call.fd)
    if isinstance(what, Connection) and call.returned == 0:
        what.half_closed = _SENDS_NO_MORE.search(symbolic(call.rest)) is not None


def _close(task: Task, call: Syscall) -> None:
    fd, process = call.fd, task.process
    if fd is None or call.error == "EBADF":
        return
    what = process.table.get(fd)
    if what is None:
        return
    process.put(fd, None)
    if isinstance(what, Socket) and what.listener and what.listener.tid == process.pid and not process.forked:
        what.listener.closed = True


def _pidfd(task: Task, call: Syscall) -> None:
    pid = call.fd
    if _made(call) and pid is not None:
        task.process.put(call.returned or 0, ProcessHandle(pid), cloexec=True)


def _fds(text: str) -> list[int]:
    return [int(match[0]) for part in text.split(", ") if (match := _FD.match(part))]


def _unsigned(text: str) -> int:
    if text.startswith("~0"):
        return 0xFFFFFFFF
    return int(text, 16 if text.startswith("0x") else 10)
