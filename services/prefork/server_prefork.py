"""Server E, prefork: A's code in PROCESSES processes, with one accept queue, or with one each (REUSEPORT=1)."""

import ctypes
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

sys.path.append(str(Path(__file__).resolve().parents[1] / "blocking"))
from server import BACKLOG, DISTRIBUTION, HOST, PORT, WAIT_S, Handler, number, refuse

PROCESSES, REUSEPORT = number("PROCESSES", 8, 1, 64), number("REUSEPORT", 0, 0, 1)
PDEATHSIG = 1  # of prctl(2)


class Numbered(Handler):
    process = 0

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Server-Timing":
            value += f", process;desc={self.process}"  # says which process has served the request
        super().send_header(keyword, value)


def serve(process: int, listener: socket.socket) -> NoReturn:
    Numbered.process = process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)  # it ends when its parent does, however that ends
    os.close(started)
    os.read(all_started, 1)  # returns when every process has closed its end: the first answer comes from a whole server
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before all of them had started
    while True:
        connection, address = listener.accept()  # the kernel gives a connection to one of the processes that wait here
        with connection, suppress(OSError):
            Numbered(connection, address, None)  # one request; meanwhile this process accepts no other
            connection.shutdown(socket.SHUT_WR)


def end(status: int) -> NoReturn:
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    sys.exit(status)


children: list[int] = []
parent, (all_started, started) = os.getpid(), os.pipe()
try:
    # SO_REUSEPORT: several sockets on one port, each with a queue. The kernel chooses one by a hash of the addresses.
    listeners = [
        socket.create_server((HOST, PORT), backlog=BACKLOG, reuse_port=bool(REUSEPORT))
        for _ in range(PROCESSES if REUSEPORT else 1)
    ]
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
signal.signal(signal.SIGTERM, lambda *_: end(0))
for each in range(PROCESSES):
    if (pid := os.fork()) == 0:  # a child has all that its parent has, also the listening sockets
        serve(each, listeners[each % len(listeners)])
    children.append(pid)
os.close(started)
queues = "one queue" if len(listeners) == 1 else f"{len(listeners)} queues"
print(
    f"prefork server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, {PROCESSES} processes, {queues},"
    f" backlog {BACKLOG}",
    flush=True,
)
os.wait()  # no process ends by itself
end(1)
