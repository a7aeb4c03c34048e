"""Counters of TCP in this network namespace: connection attempts that were sent again, and timers that expired."""

from pathlib import Path

NETSTAT = Path("/proc/net/netstat")
NAMES = {"syn_retransmits": "TCPSynRetrans", "timeouts": "TCPTimeouts"}  # ours: the kernel's, in group TcpExt


def counters(text: str | None = None) -> dict[str, int | None]:
    """Return the counters of NAMES up to now; None where the platform does not tell.

    The format is two lines for each group of counters: names, then numbers.
    """
    try:
        lines = NETSTAT.read_text(encoding="ascii") if text is None else text
        names, numbers = (line.split()[1:] for line in lines.splitlines() if line.startswith("TcpExt:"))
    except (OSError, ValueError):
        names, numbers = [], []
    there = dict(zip(names, numbers, strict=False))
    return {ours: int(there[name]) if there.get(name, "").isdigit() else None for ours, name in NAMES.items()}


def since(before: dict[str, int | None]) -> dict[str, int | None]:
    """Return how many more there are now."""
    now = counters()
    grown: dict[str, int | None] = dict.fromkeys(NAMES)
    for name, then in before.items():
        count = now[name]
        if then is not None and count is not None:
            grown[name] = count - then
    return grown
