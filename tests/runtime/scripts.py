"""Small servers of the tests' own, run by the lab's own runtime."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from iolab.host import cores
from iolab.lab import Lab, Model
from iolab.runtime.local import LocalRuntime, LocalServer
from iolab.service import Port, Service
from tests.own import free_ports

QUIET_S = 0.3

# Answers everybody, and holds them in a thread each until they leave. What cannot be done it says, and goes on.
HOLDS = r"""
import os, socket, sys, threading, time
{first}
listener = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])), backlog=64)
{then}

def hold(connection):
    with connection:
        asked = connection.recv(1000)
        {each}
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        while connection.recv(1000):
            pass

while True:
    try:
        connection, _ = listener.accept()
        threading.Thread(target=hold, args=(connection,), daemon=True).start()
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr, flush=True)
        time.sleep(0.05)
"""


def holds(first: str = "", then: str = "", each: str = "pass") -> str:
    """Return HOLDS; it does `first` before it listens, `then` after that, and `each` for everybody who comes."""
    return HOLDS.format(first=first, then=then, each=each)


def model(folder: Path, port: int, *command: str) -> Model:
    """Return a model whose server is this command."""
    service = Service("holds", "", folder, command, {}, {}, (Port("127.0.0.1", port, port),), ())
    return Model("Z", "Holds", 1, service)


@contextmanager
def serving(folder: Path, first: str = "", then: str = "", each: str = "pass") -> Iterator[LocalServer]:
    """Run HOLDS as a process."""
    (folder / "server.py").write_text(holds(first, then, each))
    with running(model(folder, free_ports(1)[0], "python3", "server.py")) as server:
        yield server


@contextmanager
def running(one: Model) -> Iterator[LocalServer]:
    """Run a model's server as a process."""
    with (
        LocalRuntime(Lab(one.service.folder or Path(), (one.service,), ())) as runtime,
        runtime.serve(one, cores.plan(1, cores.available())) as server,
    ):
        yield server


@contextmanager
def connected_users(
    address: tuple[str, int], count: int, patience_s: float = 2.0, path: str = "/"
) -> Iterator[tuple[int, int]]:
    """Connect so many users, which stay: yields how many of them wait for a word of the server, and how many have no place."""
    with ExitStack() as stack:
        refused = 0
        came = []
        for number in range(count):
            asked = f"GET {path.format(number=number)} HTTP/1.1\r\nHost: here\r\n\r\n"
            try:
                came.append(stack.enter_context(socket.create_connection(address, timeout=patience_s)))
            except OSError:
                refused += 1
                continue
            with suppress(OSError):  # it reads as a connection that is closed
                came[-1].sendall(asked.encode())
        open_ones = list(came)
        wait_s = patience_s  # for the first answer; then until none has come for a while
        while open_ones and (ready := select.select(open_ones, [], [], wait_s)[0]):
            wait_s = QUIET_S
            for one in ready:
                open_ones.remove(one)
                answered = False
                with suppress(OSError):
                    answered = bool(one.recv(1000))
                refused += not answered
        yield len(open_ones), refused
