"""Findings of crowd cells: whether a cell measures the server, or something else."""

import math
from collections.abc import Callable, Iterator, Sequence

from iolab.findings import by_gravity, machine
from iolab.kinds.crowd.cells import CrowdCell
from iolab.report.numbers import counted
from iolab.results.records import Finding
from iolab.results.run_info import RunInfo
from iolab.theory.enough import least_count

CLIENT_SHARE = 0.8  # of a core: above it, clicks queue in the client
LATE_S = 0.005  # of the 99th percentile of sends
PAUSE_S = 0.05  # that a user notices
ROOM = 1.2  # clicks come at random times: so many more users than needed on average


def invalid(cell: CrowdCell) -> Iterator[Finding]:
    """A cell that cannot be trusted: the measurement failed, not the server."""
    if not cell.record.valid:
        yield Finding(
            id="invalid_trial",
            severity="error",
            message=f"this trial is not counted: {cell.record.reason}",
            remedy="remove the cause, and run it again",
        )


def client_was_the_limit(cell: CrowdCell) -> Iterator[Finding]:
    """The client was busy, or late: response times may be its own."""
    share, late_s, why = cell.record.client_share, cell.late_p99_s, []
    if share is not None and share > CLIENT_SHARE:
        why.append(f"used {share:.0%} of a core")
    if late_s is not None and late_s > LATE_S:
        why.append(f"sent one click in a hundred {late_s * 1000:.1f} ms late or more")
    if why:
        yield Finding(
            id="client_was_the_limit",
            severity="warning",
            message=f"suspect: the client {' and '.join(why)}; the times of clicks may be its own",
            remedy="a quieter machine, more cores for the client (fewer CPUS), or fewer users (USERS)",
            value=max((share or 0.0) / CLIENT_SHARE, (late_s or 0.0) / LATE_S),
        )


def unanswered_clicks(cell: CrowdCell) -> Iterator[Finding]:
    """Users clicked and got no answer."""
    if cell.clicks.never:
        yield Finding(
            id="unanswered_clicks",
            severity="warning",
            message=f"{cell.clicks.never:,} of {cell.clicks.count:,} clicks were never answered; percentiles count them"
            " as longer than any other",
            remedy="nothing to do if the server is at its limit; else look for users that lost their connection",
            value=cell.clicks.never / cell.clicks.count,
        )


def few_clicks(cell: CrowdCell) -> Iterator[Finding]:
    """A 99th percentile needs a few hundred clicks; a cell with few users has few clicks."""
    needed, count = least_count(0.99), cell.clicks.count
    if cell.counts and not cell.few and count < needed:
        more = math.ceil(cell.record.users * needed / count * ROOM / 100) * 100 if count else 0
        yield Finding(
            id="few_clicks",
            severity="note",
            message=f"{counted(count, 'click')} in {cell.record.busy_s:.0f} s: too few to know the 99th percentile,"
            f" which needs {needed}",
            remedy=f"more users make more clicks{f': USERS={more}' if more else ' (USERS)'}",
            value=needed - count,
        )


def capped(cell: CrowdCell) -> Iterator[Finding]:
    """Fewer users than wanted: otherwise a limit of the machine would be measured, not the server's."""
    if cell.record.capped:
        message = cell.record.capped.rstrip(".")
        yield Finding(id="capped", severity="note", message=message, remedy="raise that limit, and run it again")


def lost_users(cell: CrowdCell) -> Iterator[Finding]:
    """Users that were held lost their connection without closing it."""
    if cell.record.lost:
        evidence = f": {cell.record.evidence.rstrip('.')}" if cell.record.evidence else ""
        yield Finding(
            id="lost_users",
            severity="warning",
            message=f"{cell.record.lost:,} of {cell.record.users:,} users were held and then disconnected{evidence}",
            remedy="read the server's log; if it shows no reason, look at the machine (dmesg: out of memory?)",
            value=cell.record.lost / cell.record.users,
        )


def kernel_disturbed(cell: CrowdCell) -> Iterator[Finding]:
    """A part of the kernel's memory shrank while users connected: another program released it."""
    names = {"sockets": "TCP buffers", "slab": "slab", "stacks": "stacks", "tables": "page tables"}
    shrunk = cell.kernel.shrunk
    if shrunk:
        listed = ", ".join(f"its {names[key]} by {-value:,.0f} bytes" for key, value in shrunk.items())
        yield Finding(
            id="kernel_disturbed",
            severity="warning",
            message=f"the kernel's memory shrank while users connected, {listed} for each: another program"
            " released it, and the memory of a connection is not known",
            remedy="stop other programs, and run it again; with more users (USERS) it matters less",
            value=-min(shrunk.values()),
        )


def collector_pause(cell: CrowdCell) -> Iterator[Finding]:
    """Python's garbage collector goes through the objects of all users, and no user is served meanwhile."""
    pause_s = cell.pause_s
    if pause_s is not None and pause_s > PAUSE_S:
        connecting_s = max(each.collector_pause_s or 0.0 for each in (cell.record.empty, cell.record.quiet))
        when = "while users connected" if connecting_s >= pause_s else "after all had connected"
        yield Finding(
            id="collector_pause",
            severity="note",
            message=f"Python's garbage collector stopped the server for up to {pause_s * 1000:.0f} ms, {when}",
            remedy="leave the objects of connected users out (GC_FREEZE=1), or run it less often (gc.set_threshold)",
            value=pause_s * 1000,
        )


RULES: Sequence[Callable[[CrowdCell], Iterator[Finding]]] = (
    invalid,
    lost_users,
    client_was_the_limit,
    unanswered_clicks,
    capped,
    kernel_disturbed,
    collector_pause,
    few_clicks,
)


def findings(cell: CrowdCell, run: RunInfo) -> tuple[Finding, ...]:
    """Return all findings of a cell, the most severe first."""
    of_the_machine = machine.during(run, [cell.record], cell.record.cpus)
    return by_gravity([*(finding for rule in RULES for finding in rule(cell)), *of_the_machine])
