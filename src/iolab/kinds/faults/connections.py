"""What a server's kernel has of its connections, in the server's own network namespace."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from iolab.host import proc as kernel
from iolab.host.proc import PROC, Address
from iolab.runtime import Server


@dataclass(frozen=True)
class Connections:
    """Those of one moment: `established` are the other ends' addresses, `half_open` how many are not yet made."""

    established: frozenset[Address]
    half_open: int

    @classmethod
    def parse(cls, text: str, port: int) -> "Connections":
        """Return the connections to `port` in a text of net/tcp."""
        rows = [row for row in kernel.connections(text) if row.port == port]
        established = frozenset(row.other for row in rows if row.state == kernel.ESTABLISHED)
        return cls(established, sum(row.state == kernel.SYN_RECV for row in rows))

    def left(self, addresses: Iterable[Address]) -> int:
        """Return how many of these the kernel still takes for connected."""
        return len(self.established.intersection(addresses))


def read(server: Server, proc: Path = PROC) -> Connections | None:
    """Return the connections of a server; None where this host does not see its processes."""
    pids, port = server.pids(), urlsplit(server.url).port
    text = kernel.text(proc / str(pids[0]) / "net/tcp") if pids else ""
    return Connections.parse(text, port) if text and port else None
