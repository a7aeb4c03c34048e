"""The accept queues of a port of this machine, as the kernel's tables show them."""

from dataclasses import dataclass

from iolab.host.proc import CLOSE_WAIT, ESTABLISHED, LISTEN


@dataclass(frozen=True)
class AcceptQueues:
    """How many connections wait in each queue of a port, and the remote ports of those that a program has accepted."""

    lengths: tuple[int, ...] = ()
    accepted: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, tables: str, port: int) -> "AcceptQueues":
        """Read the text of net/tcp and net/tcp6.

        A socket that listens has the length of its queue as rx_queue (tcp_ipv4.c of Linux, get_tcp4_sock); a connection
        has no inode before a program has accepted it.
        """
        lengths, accepted = [], set()
        for words in (line.split() for line in tables.splitlines()):
            if len(words) < 10 or not words[1].endswith(f":{port:04X}"):
                continue
            state, waiting = int(words[3], 16), int(words[4].partition(":")[2], 16)
            if state == LISTEN:
                lengths.append(waiting)
            elif state in (ESTABLISHED, CLOSE_WAIT) and words[9] != "0":
                accepted.add(int(words[2].rpartition(":")[2], 16))
        return cls(tuple(lengths), frozenset(accepted))
