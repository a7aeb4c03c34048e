"""What a report says of a server that already ran: nothing of it is known but its answers, and what the user says."""

from iolab.experiment import Target
from iolab.kinds.closed.cells import Analysis


def said(target: Target) -> list[str]:
    """Return what the user says of a server that already runs."""
    workers = "not known" if target.workers is None else f"{target.workers:,} (as given)"
    wait = "not known" if target.wait_ms is None else f"{target.wait_ms:g} ms (as given)"
    return [f"URL {target.url}", f"workers {workers}", f"wait {wait}"]


def known(analysis: Analysis) -> list[str]:
    """Return what a report must say of a server that already runs; nothing for servers of the lab."""
    target = analysis.experiment.running
    if target is None:
        return []
    told = [
        "The server already ran: the lab did not start, change or stop it. Its CPU time, threads, memory, CPU limit and"
        " accept queue are not known, and neither is whether it shared cores with the load generator."
    ]
    if not analysis.experiment.predictable:
        lacks = [name for name, value in (("WORKERS", target.workers), ("WAIT_MS", target.wait_ms)) if value is None]
        told.append(f"Theory is not known, because it needs the server's workers and wait: {' and '.join(lacks)}.")
    if target.allow_remote:
        told.append(
            "ALLOW_REMOTE=1: load on such a server needs the permission of its operator; the user of this run"
            " says that it was there."
        )
    return told
