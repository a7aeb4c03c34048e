"""Of a crowd: whether a level tells of the server, or of something else."""

from collections.abc import Callable, Iterator, Sequence

from iolab.chat.times import LEAST_P99
from iolab.findings import GRAVITY, machine
from iolab.findings.evidence import Conditions
from iolab.kinds.crowd.cells import CrowdCell
from iolab.results.records import CpuPlanInfo, Finding, ServerUsage

CLIENT_SHARE = 0.8  # of a core: from there on the client queues by itself
LATE_S = 0.005  # of the 99th percentile of sends
PAUSE_S = 0.05  # what a user notices
MACHINE = (machine.shared_cores, machine.not_pinned, machine.busy_machine, machine.clock_trouble)


def invalid(cell: CrowdCell) -> Iterator[Finding]:
    """A level that cannot be trusted: not the server was at its end, but the measurement."""
    if not cell.record.valid:
        yield Finding(
            id="invalid_trial",
            severity="error",
            message=f"this level is not counted: {cell.record.reason}",
            remedy="mend the cause and run it again",
        )


def client_was_the_limit(cell: CrowdCell) -> Iterator[Finding]:
    """The client was busy, or late: what it saw is its own."""
    share, late_s, why = cell.record.client_share, cell.late_p99_s, []
    if share is not None and share > CLIENT_SHARE:
        why.append(f"computed {share:.0%} of the time")
    if late_s is not None and late_s > LATE_S:
        why.append(f"sent one click in a hundred {late_s * 1000:.1f} ms late or more")
    if why:
        yield Finding(
            id="client_was_the_limit",
            severity="warning",
            message=f"suspect: the client {' and '.join(why)}; times of clicks may be its own",
            remedy="a quieter machine, more cores for the client (fewer CPUS), or fewer users (USERS)",
        )


def unanswered_clicks(cell: CrowdCell) -> Iterator[Finding]:
    """Users clicked, and no answer came."""
    if cell.clicks.never:
        yield Finding(
            id="unanswered_clicks",
            severity="warning",
            message=f"{cell.clicks.never:,} of {cell.clicks.count:,} clicks were never answered; percentiles count them"
            " as longer than any other",
            remedy="none, if the server is at its end here; else look for who was cut off",
        )


def few_clicks(cell: CrowdCell) -> Iterator[Finding]:
    """A 99th percentile wants a hundred clicks; where hardly anybody is held, hardly anybody clicks."""
    if cell.counts and not cell.few and cell.clicks.count < LEAST_P99:
        yield Finding(
            id="few_clicks",
            severity="note",
            message=f"{cell.clicks.count} clicks in {cell.record.busy_s:.0f} s: too few to know the 99th percentile",
            remedy="more users (USERS) click more often together",
        )


def capped(cell: CrowdCell) -> Iterator[Finding]:
    """Fewer came than were asked for: a limit of the machine would have spoken in the server's place."""
    if cell.record.capped:
        yield Finding(
            id="capped",
            severity="note",
            message=f"{cell.record.asked:,} were asked for, and {cell.record.users:,} came:"
            f" {cell.record.capped.rstrip('.')}",
            remedy="raise that limit, and run it again",
        )


def lost_users(cell: CrowdCell) -> Iterator[Finding]:
    """Users that were held were cut off, without any fault of theirs."""
    if cell.record.lost:
        evidence = f": {cell.record.evidence.rstrip('.')}" if cell.record.evidence else ""
        yield Finding(
            id="lost_users",
            severity="warning",
            message=f"{cell.record.lost:,} of {cell.record.users:,} were held and then cut off{evidence}",
            remedy="read the server's log; if it says nothing, look at the machine (dmesg: out of memory?)",
        )


def kernel_disturbed(cell: CrowdCell) -> Iterator[Finding]:
    """A part of the kernel's memory shrank while users came: something else gave it back."""
    names = {"sockets": "TCP buffers", "slab": "slab", "stacks": "stacks", "tables": "page tables"}
    shrunk = cell.kernel.shrunk
    if shrunk:
        listed = ", ".join(f"its {names[key]} by {-value:,.0f} bytes" for key, value in shrunk.items())
        yield Finding(
            id="kernel_disturbed",
            severity="warning",
            message=f"the kernel's memory shrank while people came, {listed} for each: something else gave it"
            " back, and what a connection takes there is not known",
            remedy="stop what else runs, and run it again; more users (USERS) make it weigh less",
        )


def collector_pause(cell: CrowdCell) -> Iterator[Finding]:
    """Python's garbage collector goes through all objects of a crowd, and no user is served meanwhile."""
    pause_s = cell.pause_s
    if pause_s is not None and pause_s > PAUSE_S:
        coming_s = max(each.collector_pause_s or 0.0 for each in (cell.record.empty, cell.record.quiet))
        when = "while people came" if coming_s >= pause_s else "after all had come"
        yield Finding(
            id="collector_pause",
            severity="note",
            message=f"the server stood still for {pause_s * 1000:.0f} ms at the longest for Python's garbage collector,"
            f" {when}",
            remedy="keep it off who stays (GC_FREEZE=1), or let it come more seldom (gc.set_threshold in the server)",
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


def findings(cell: CrowdCell, plan: CpuPlanInfo, runtime: str) -> tuple[Finding, ...]:
    """Return all findings of a level, which ran on the cores of `plan`, the gravest first."""
    evidence = _of_the_machine(cell, plan, runtime)
    found = [finding for rule in RULES for finding in rule(cell)]
    found += [finding for rule in MACHINE for finding in rule(evidence)]
    return tuple(sorted(found, key=lambda finding: GRAVITY[finding.severity]))


def _of_the_machine(cell: CrowdCell, plan: CpuPlanInfo, runtime: str) -> Conditions:
    record = cell.record
    began, ended = record.empty.cpu_s, record.busy.cpu_s
    usage = ServerUsage(cpu_s=None if began is None or ended is None else ended - began)
    trial = record.model_copy(update={"server": usage})
    return Conditions(trials=(trial,), plan=plan, usage=usage, duration_s=record.duration_s, runtime=runtime)
