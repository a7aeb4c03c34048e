"""The connections of a server in the kernel's tables, in the server's network namespace."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from iolab.host import proc as kernel
from iolab.host.proc import PROC, Address
from iolab.runtime import Server


@dataclass(frozen=True)
class Connections:
    """Connections at one time: the clients' addresses of `established` ones, and the number of `half_open` ones."""

    established: frozenset[Address]
    half_open: int

    @classmethod
    def parse(cls, text: str, port: int) -> "Connections":
        """Return the connections to `port` in the text of net/tcp."""
        rows = [row for row in kernel.connections(text) if row.port == port]
        established = frozenset(row.other for row in rows if row.state == kernel.ESTABLISHED)
        return cls(established, sum(row.state == kernel.SYN_RECV for row in rows))

    def left(self, addresses: Iterable[Address]) -> int:
        """Return how many of these addresses are still connected for the kernel."""
        return len(self.established.intersection(addresses))


def read(server: Server, proc: Path = PROC) -> Connections | None:
    """Return the connections of a server; None if this host cannot see its processes."""
    pids, port = server.pids(), urlsplit(server.url).port
    text = kernel.text(proc / str(pids[0]) / "net/tcp") if pids else ""
    return Connections.parse(text, port) if text and port else None
