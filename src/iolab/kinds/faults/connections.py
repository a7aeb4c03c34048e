"""What a server's kernel has of its connections: read from /proc, in the server's own network namespace."""

import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from iolab.runtime import Server
from iolab.runtime.footprint import PROC

ESTABLISHED, SYN_RECV = 1, 3  # include/net/tcp_states.h
Address = tuple[str, int]


@dataclass(frozen=True)
class Connections:
    """Those of one moment: `established` are the other ends' addresses, `half_open` how many are not yet made."""

    established: frozenset[Address]
    half_open: int

    def left(self, addresses: Iterable[Address]) -> int:
        """Return how many of these the kernel still takes for connected."""
        return len(self.established.intersection(addresses))


def read(server: Server, proc: Path = PROC) -> Connections | None:
    """Return the connections of a server; None where this host does not see its processes."""
    pids, port = server.pids(), urlsplit(server.url).port
    try:
        text = (proc / str(pids[0]) / "net" / "tcp").read_text(encoding="ascii") if pids else ""
    except OSError:
        return None
    return parse(text, port) if text and port else None


def parse(text: str, port: int) -> Connections:
    """Return the connections to `port` of a text in the format of /proc/net/tcp: addresses in hex, as in memory."""
    established, half_open = [], 0
    for line in text.splitlines()[1:]:
        _, local, other, state, *_ = line.split()
        if int(local.rpartition(":")[2], 16) != port:
            continue
        if int(state, 16) == ESTABLISHED:
            host, _, other_port = other.rpartition(":")
            established.append((socket.inet_ntoa(struct.pack("=I", int(host, 16))), int(other_port, 16)))
        half_open += int(state, 16) == SYN_RECV
    return Connections(frozenset(established), half_open)


def cookies(pids: Sequence[int], proc: Path = PROC) -> int | None:
    """Return how many SYN cookies the kernel has sent there up to now; None where it does not tell."""
    try:
        lines = (proc / str(pids[0]) / "net" / "netstat").read_text(encoding="ascii").splitlines() if pids else []
        names, numbers = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(numbers[names.index("SyncookiesSent")])
    except (OSError, ValueError, IndexError):
        return None
