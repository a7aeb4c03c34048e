"""The tables of a crowd report: a row for each cell."""

from collections.abc import Sequence

from iolab.kinds.crowd import words
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.report import document, numbers
from iolab.report.document import Column, Table
from iolab.report.numbers import count, latency, memory, percentile

Columns = Sequence[Column[CrowdCell]]


def _each(cell: CrowdCell, value: float | None) -> str:
    """Return a value for each user, or that there were too few users."""
    return numbers.TOO_FEW if value is None and cell.few and cell.counts else memory(value)


def _brief(text: str) -> str:
    return text.removesuffix(" KiB").removeprefix("too ")


USERS = Column[CrowdCell]("Users", lambda cell: count(cell.record.users))
HELD = Column[CrowdCell]("Held", lambda cell: count(cell.record.held) if cell.record.valid else "invalid", bold=True)
SERVED_P99 = Column[CrowdCell](
    "Served p99", lambda cell: percentile(cell.established.p99_s, cell.established.count), rank=6
)
MEMORY = Column[CrowdCell]("Memory", lambda cell: memory(cell.record.quiet.rss_bytes), rank=5)
SERVER = Column[CrowdCell](
    "Server each", lambda cell: _each(cell, cell.server_bytes), bold=True, short="KiB", shorten=_brief
)
KERNEL = Column[CrowdCell](
    "Kernel each", lambda cell: memory(cell.kernel.total), rank=2, short="Kernel", shorten=_brief
)
THREADS = Column[CrowdCell]("Threads", lambda cell: count(cell.record.quiet.threads), rank=1)
IDLE = Column[CrowdCell]("Idle CPU", words.idle, rank=4, short="Idle")
CLICK_P50 = Column[CrowdCell](
    "Click p50", lambda cell: percentile(cell.clicks.p50_s, cell.clicks.count), rank=3, short="p50", shorten=_brief
)
CLICK_P99 = Column[CrowdCell](
    "Click p99", lambda cell: percentile(cell.clicks.p99_s, cell.clicks.count), bold=True, short="p99", shorten=_brief
)

OVERVIEW: Columns = (
    USERS, HELD, SERVED_P99, MEMORY, SERVER, KERNEL, THREADS, IDLE, CLICK_P50, CLICK_P99,
)  # fmt: skip
DETAILS: dict[str, Columns] = {
    "Which users are held": (
        USERS,
        HELD,
        Column("Late", lambda cell: count(cell.record.late)),
        Column("Waiting", lambda cell: count(cell.record.waiting)),
        Column("Refused", lambda cell: count(cell.record.refused)),
        Column("Lost", lambda cell: count(cell.record.lost)),
        Column("In time", lambda cell: count(cell.prompt)),
        Column("Served p50", lambda cell: percentile(cell.established.p50_s, cell.established.count)),
        SERVED_P99,
        Column("Served last", lambda cell: latency(cell.established.max_s)),
        Column("Users per second", lambda cell: count(cell.rate)),
    ),
    "Memory, threads and CPU": (
        USERS,
        MEMORY,
        SERVER,
        KERNEL,
        Column("Address space each", lambda cell: _each(cell, cell.virtual_bytes)),
        THREADS,
        IDLE,
        Column("Switches/s idle", lambda cell: count(cell.quiet_switches)),
        Column("Switches/s busy", lambda cell: count(cell.busy_switches)),
    ),
    "Response time of clicks": (
        USERS,
        Column("Answered", lambda cell: f"{cell.record.answered:,} of {cell.record.clicks:,}"),
        CLICK_P50,
        CLICK_P99,
        Column("Click slowest", lambda cell: latency(cell.clicks.max_s)),
        Column("Client late p99", lambda cell: latency(cell.late_p99_s)),
        Column("Client's core", lambda cell: numbers.share(cell.record.client_share)),
        Column("Collector pause", lambda cell: latency(cell.pause_s)),
    ),
    "Memory of the kernel": (
        USERS,
        KERNEL,
        Column("Sockets", lambda cell: memory(cell.kernel.sockets)),
        Column("Slab", lambda cell: memory(cell.kernel.slab)),
        Column("Stacks", lambda cell: memory(cell.kernel.stacks)),
        Column("Page tables", lambda cell: memory(cell.kernel.tables)),
    ),
}


def table(analysis: CrowdAnalysis, columns: Columns) -> Table:
    """Return a table of all cells, under the name of each server."""
    model = Column[CrowdCell]("Model", lambda cell: words.label(cell, analysis), numeric=False)
    return document.table(
        [model, *columns], analysis.cells, marked=lambda cell: not cell.record.valid, group=lambda cell: cell.line
    )
