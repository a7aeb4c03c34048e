"""Counts the SYN packets that this network namespace has retransmitted: retries of dropped connection attempts."""

from pathlib import Path

NETSTAT = Path("/proc/net/netstat")


def syn_retransmits(text: str | None = None) -> int | None:
    """Return the value of TcpExt's TCPSynRetrans; None where the platform does not have it.

    The format is two lines for each group of counters: names, then numbers.
    """
    try:
        lines = NETSTAT.read_text(encoding="ascii") if text is None else text
        names, numbers = (line.split() for line in lines.splitlines() if line.startswith("TcpExt:"))
        return int(numbers[names.index("TCPSynRetrans")])
    except (OSError, ValueError, IndexError):
        return None


def since(before: int | None) -> int | None:
    """Return the increase since `before`."""
    now = syn_retransmits()
    return None if before is None or now is None else now - before
