"""What a crowd found, as names, numbers and rows that terminal, Markdown and page share."""

import math
from collections.abc import Iterator

from iolab.findings import GRAVITY
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.report import numbers

TRANSPORTS = {"websocket": "WebSocket", "poll": "long poll"}
NEVER = "never"
TICK_S = 0.01  # the step in which /proc tells CPU time
TEXT = ("Model",)  # columns that are read from the left
KEYS = ("Held", "Server each", "Click p99")

HELD = (
    "Model", "Users", "Held", "Late", "Waiting", "Refused", "Lost",
    "In time", "Served p50", "Served p99", "Served last", "Users a second",
)  # fmt: skip
TAKES = (
    "Model", "Users", "Memory", "Server each", "Kernel each", "Address space each", "Threads", "Idle CPU",
    "Switches/s idle", "Switches/s busy",
)  # fmt: skip
KERNEL = ("Model", "Users", "Kernel each", "Sockets", "Slab", "Stacks", "Page tables")
FEELS = (
    "Model", "Users", "Clicks", "Answered", "Click p50", "Click p99", "Click slowest",
    "Client late p99", "Client's core", "Collector pause",
)  # fmt: skip
ROOMY = ("Model", "Users", "Held", "Served p99", "Memory", "Server each", "Kernel each", "Threads", "Idle CPU",
         "Click p50", "Click p99")  # fmt: skip
BRIEF = {"Model": "Model", "Users": "Users", "Held": "Held", "Server each": "KiB", "Kernel each": "Kernel",
         "Threads": "Threads", "Idle CPU": "Idle", "Click p50": "p50", "Click p99": "p99"}  # fmt: skip


def label(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Return the shortest name of a line: C WebSocket; with what else sets it apart."""
    return f"{cell.record.model} {TRANSPORTS[cell.record.transport]}{_condition(cell, analysis)}"


def name(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Return a line's name as a sentence begins with it: C (asyncio, WebSocket)."""
    return f"{cell.record.model} ({cell.record.title}, {TRANSPORTS[cell.record.transport]}{_condition(cell, analysis)})"


def _condition(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Name CPU limit, processes and threads, as far as they tell lines apart."""
    line = cell.line
    same = [
        each.line for each in analysis.cells if (each.line.model, each.line.transport) == (line.model, line.transport)
    ]
    parts = [f"{line.cpus:g} CPU"] if len({each.cpus for each in same}) > 1 else []
    several = len({each.processes for each in same} | {1}) > 1
    parts += [f"{line.processes} process{'' if line.processes == 1 else 'es'}"] if several else []
    parts += [f"{line.threads} threads"] if len({each.threads for each in same}) > 1 else []
    return "".join(f", {part}" for part in parts)


def size(value: float | None) -> str:
    """Return an amount of memory: 14.7 KiB, 166 MiB, 1.6 GiB."""
    if value is None:
        return numbers.NOT_KNOWN
    for unit, limit in (("KiB", 2**20), ("MiB", 2**30), ("GiB", math.inf)):
        if value < limit:
            number = value / {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]
            text = f"{number:.0f}" if number >= 100 else f"{number:.1f}"
            return f"{text.replace('-0.0', '0.0')} {unit}"
    raise ValueError(f"{value} is no amount of memory")


def each(cell: CrowdCell, value: float | None) -> str:
    """Return what each user takes, or that there were too few to say."""
    return numbers.TOO_FEW if value is None and cell.few and cell.counts else size(value)


def span(value_s: float | None) -> str:
    """Return a time; infinite is one that never ended."""
    if value_s is None:
        return numbers.NOT_KNOWN
    return NEVER if math.isinf(value_s) else numbers.milliseconds(value_s * 1000)


def share(value: float | None) -> str:
    """Return a small share with digits that matter: 2.8%, 0.004%."""
    if value is None:
        return numbers.NOT_KNOWN
    percent = value * 100
    if 0 < percent < 0.001:
        return "<0.001%"
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%" if percent >= 0.1 else f"{percent:.1g}%"


def idle(cell: CrowdCell) -> str:
    """Return the share of the time that a server computes while no user clicks; zero means less than a clock tick."""
    value = cell.idle_share
    return share(value) if value or value is None else f"<{TICK_S / cell.record.quiet_s:.1%}"


def number(value: float | None) -> str:
    """Return how many."""
    return numbers.NOT_KNOWN if value is None else f"{value:,.0f}"


def _tail(value_s: float | None, count: int) -> str:
    return numbers.TOO_FEW if value_s is None and count else span(value_s)


def rows(analysis: CrowdAnalysis) -> Iterator[dict[str, str]]:
    """Yield a row a level, by heading."""
    for cell in analysis.cells:
        yield {
            "Model": label(cell, analysis),
            "Users": number(cell.record.users),
            **_held(cell),
            **_takes(cell),
            **_feels(cell),
        }


def _held(cell: CrowdCell) -> dict[str, str]:
    record, established = cell.record, cell.established
    return {
        "Held": number(record.held) if record.valid else "invalid",
        "Late": number(record.late),
        "Waiting": number(record.waiting),
        "Refused": number(record.refused),
        "Lost": number(record.lost),
        "In time": number(cell.prompt),
        "Served p50": _tail(established.p50_s, established.count),
        "Served p99": _tail(established.p99_s, established.count),
        "Served last": span(established.max_s),
        "Users a second": number(cell.rate),
    }


def _takes(cell: CrowdCell) -> dict[str, str]:
    kernel = cell.kernel
    return {
        "Memory": size(cell.record.quiet.rss_bytes),
        "Server each": each(cell, cell.server_bytes),
        "Kernel each": size(kernel.total),
        "Sockets": size(kernel.sockets),
        "Slab": size(kernel.slab),
        "Stacks": size(kernel.stacks),
        "Page tables": size(kernel.tables),
        "Address space each": each(cell, cell.virtual_bytes),
        "Threads": number(cell.record.quiet.threads),
        "Idle CPU": idle(cell),
        "Switches/s idle": number(cell.quiet_switches),
        "Switches/s busy": number(cell.busy_switches),
    }


def _feels(cell: CrowdCell) -> dict[str, str]:
    record, clicks = cell.record, cell.clicks
    return {
        "Clicks": number(record.clicks),
        "Answered": number(record.answered),
        "Click p50": _tail(clicks.p50_s, clicks.count),
        "Click p99": _tail(clicks.p99_s, clicks.count),
        "Click slowest": span(clicks.max_s),
        "Client late p99": span(cell.late_p99_s),
        "Client's core": share(record.client_share),
        "Collector pause": span(cell.pause_s),
    }


def findings(analysis: CrowdAnalysis) -> list[tuple[str, str, str, str]]:
    """Return (severity, where, message, remedy) of all findings, the gravest first; the same one is said once."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for cell in analysis.cells:
        for finding in cell.findings:
            key = (finding.severity, finding.message, finding.remedy)
            places.setdefault(key, []).append(f"{label(cell, analysis)} at {cell.record.users:,}")
    everywhere = len(analysis.cells)
    found = [
        (severity, "every level" if len(where) == everywhere > 1 else "; ".join(where), message, remedy)
        for (severity, message, remedy), where in places.items()
    ]
    return sorted(found, key=lambda row: GRAVITY[row[0]])


def how(analysis: CrowdAnalysis) -> str:
    """Say how it was measured."""
    first = analysis.cells[0].record
    return (
        f"In time is who had a word of the server itself within {first.patience_s:g} s of coming; who never had one"
        f" counts as never. Then nobody clicks for {first.quiet_s:g} s: memory is read, and idling is measured. Then"
        f" whoever is connected clicks at random moments, for {first.busy_s:g} s. A click is timed from the moment for"
        " which it was planned, and one without an answer counts as longer than any other. The server's memory each is"
        " what it grew by, over those whom it serves; the kernel's is the growth of the whole machine over all that are"
        " connected, both ends of each connection in it, and all that other programs do meanwhile."
        f"{_polls(analysis)}"
    )


def _polls(analysis: CrowdAnalysis) -> str:
    """Say what the quiet seconds do not show of long polls."""
    crowd = analysis.experiment.crowd
    users = [cell.record.users for cell in analysis.cells if cell.record.transport == "poll"]
    # A poll lasts three quarters of hold_s at least (services/*/chat*.py).
    if not users or max(users) / crowd.come_rps + crowd.quiet_s > 0.75 * crowd.hold_s:
        return ""
    return (
        f" Who polls asks anew once in {crowd.hold_s:g} s, and none of them yet in the quiet seconds: what that costs"
        " in the long run comes on top."
    )


def place(analysis: CrowdAnalysis) -> str:
    """Say where the servers ran, and why there."""
    return f"Servers ran {numbers.PLACES[analysis.run.runtime]}: {analysis.run.runtime_reason}."


def state(analysis: CrowdAnalysis) -> str:
    """Say what a run lacks that is not whole; nothing of a whole one."""
    levels = len(analysis.cells)
    if analysis.run.status == "complete":
        planned = analysis.run.trials_planned
        return f"Only {levels} of {planned} levels are there: trials.jsonl is not whole." if levels < planned else ""
    return {
        "partial": "Interrupted: the levels up to then are here.",
        "failed": "Some levels failed: see the findings.",
        "running": "Not finished: what follows is all that is on disk so far.",
    }[analysis.run.status]
