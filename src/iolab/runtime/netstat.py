"""Reads the kernel's TcpExt counters, in the format of /proc/net/netstat."""

from iolab.runtime import ListenCounters


def listen_counters(text: str) -> ListenCounters | None:
    """Return ListenOverflows and ListenDrops of `text`, or None where it does not have them.

    The format is two lines for each group of counters: names, then numbers.
    """
    lines = [line.split() for line in text.splitlines() if line.startswith("TcpExt:")]
    if len(lines) != 2:
        return None
    counters = dict(zip(*lines, strict=False))
    try:
        return ListenCounters(overflows=int(counters["ListenOverflows"]), drops=int(counters["ListenDrops"]))
    except (KeyError, ValueError):
        return None
