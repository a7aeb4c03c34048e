"""How often has this network namespace sent the first packet of a connection again? Who was dropped tries again."""

from pathlib import Path

NETSTAT = Path("/proc/net/netstat")


def syn_retransmits(text: str | None = None) -> int | None:
    """Return TcpExt's TCPSynRetrans up to now; None where the platform does not tell.

    The format is two lines for each group of counters: names, then numbers.
    """
    try:
        lines = NETSTAT.read_text(encoding="ascii") if text is None else text
        names, numbers = (line.split() for line in lines.splitlines() if line.startswith("TcpExt:"))
        return int(numbers[names.index("TCPSynRetrans")])
    except (OSError, ValueError, IndexError):
        return None


def since(before: int | None) -> int | None:
    """Return how many more there are now."""
    now = syn_retransmits()
    return None if before is None or now is None else now - before
