"""The figures of one cell: users held, memory for each, response times of clicks. Pure functions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from iolab.chat.entries import Entry
from iolab.chat.times import Times, ranked
from iolab.kinds.crowd.records import Click, CrowdRecord
from iolab.results.possible import within
from iolab.results.records import Finding, Holding

SHRUNK_BYTES = 256  # a connection: less does not change the figures
LEAST_KERNEL_BYTES = 2 * 1024  # of a connection: the smallest struct tcp_sock of Linux is larger, and there are two
LEAST_USERS = 50  # with fewer, other changes of the process exceed the memory of its users


class Line(NamedTuple):
    """One line of a figure: all cells of a model that differ only in their users."""

    model: str
    transport: str
    form: str
    cpus: float
    processes: int
    threads: int | None


@dataclass(frozen=True)
class Kernel:
    """Growth of the kernel's memory for each connection, in bytes, for both of its ends; None: not measured.

    It is the whole machine's memory: other programs add to it or release some, so that a growth can be negative.
    """

    sockets: float | None
    slab: float | None
    stacks: float | None
    tables: float | None

    @property
    def total(self) -> float | None:
        """The sum; None if a part is not known or shrank, since a smaller sum would look like less memory.

        None, too, if it is less than the kernel needs for two sockets.
        """
        parts = (self.sockets, self.slab, self.stacks, self.tables)
        total = None if None in parts or self.shrunk else sum(part or 0.0 for part in parts)
        return within(total, LEAST_KERNEL_BYTES)

    @property
    def shrunk(self) -> dict[str, float]:
        """The parts that shrank, by their names: another program released them."""
        return {name: value for name, value in asdict(self).items() if value is not None and value < -SHRUNK_BYTES}


@dataclass(frozen=True)
class CrowdCell:
    """One cell. `established` are the times from when a user starts to connect until the server answers it.

    `clicks` are the times from the planned moment of a click to its answer. `prompt` is how many users were answered
    within the patience, `rate` how many were answered a second; `late_p99_s` is how late the client sent clicks.
    """

    record: CrowdRecord
    established: Times
    clicks: Times
    prompt: int | None
    rate: float | None
    late_p99_s: float | None
    findings: tuple[Finding, ...] = ()

    @property
    def line(self) -> Line:
        """The line of a figure to which it belongs."""
        record = self.record
        return Line(record.model, record.transport, record.form, record.cpus, record.processes, record.threads)

    @property
    def counts(self) -> bool:
        """Whether it says anything about the server."""
        return self.record.valid and self.record.users > 0

    @property
    def held_all(self) -> bool:
        """Whether all users were held."""
        return self.counts and self.record.held >= self.record.users

    @property
    def held_share(self) -> float | None:
        """The share of the users that were held."""
        return self.record.held / self.record.users if self.record.users else None

    @property
    def served(self) -> int:
        """How many users the server has, including those that were served late."""
        return self.record.held + self.record.late

    @property
    def few(self) -> bool:
        """Whether the server has too few users to compute the memory for each."""
        return self.served < LEAST_USERS

    @property
    def server_bytes(self) -> float | None:
        """The server's memory for each user, in bytes."""
        return within(self._growth("rss_bytes", self.served), 1)

    @property
    def virtual_bytes(self) -> float | None:
        """The server's address space for each user, in bytes."""
        return within(self._growth("virtual_bytes", self.served), 1)

    @property
    def kernel(self) -> Kernel:
        """The kernel's memory for each open connection, including those of waiting users."""
        names = ("sockets_bytes", "slab_bytes", "stacks_bytes", "tables_bytes")
        return Kernel(*(self._growth(name, self.record.users - self.record.refused) for name in names))

    def _growth(self, name: str, number: int) -> float | None:
        before, now = getattr(self.record.empty, name), getattr(self.record.quiet, name)
        if before is None or now is None or number < LEAST_USERS:
            return None
        return float((now - before) / number)

    @property
    def idle_share(self) -> float | None:
        """The share of a core that the server uses while no user clicks; None if that is more than there are cores."""
        share = _a_second(self.record.quiet, self.record.quiet_end, "cpu_s", self.record.quiet_s)
        return within(share, 0, self.record.machine.cores)

    @property
    def quiet_switches(self) -> float | None:
        """The server's context switches a second while no user clicks."""
        return _a_second(self.record.quiet, self.record.quiet_end, "context_switches", self.record.quiet_s)

    @property
    def busy_switches(self) -> float | None:
        """The server's context switches a second while users click."""
        return _a_second(self.record.quiet_end, self.record.busy, "context_switches", self.record.busy_s)

    @property
    def pause_s(self) -> float | None:
        """The longest pause for the garbage collector during the trial."""
        record = self.record
        moments = (record.empty, record.quiet, record.quiet_end, record.busy)
        return max((each.collector_pause_s for each in moments if each.collector_pause_s is not None), default=None)


def _a_second(before: Holding, after: Holding, name: str, span_s: float) -> float | None:
    first, last = getattr(before, name), getattr(after, name)
    return None if first is None or last is None or span_s <= 0 else float(max(last - first, 0) / span_s)


def cell(record: CrowdRecord, entries: Sequence[Entry], clicks: Sequence[Click]) -> CrowdCell:
    """Compute the figures of one cell from its record and rows; without entries, `prompt` is not known."""
    waits = [None if entry.served_s is None else entry.served_s - entry.start_s for entry in entries]
    late = sorted(click.sent_s - click.planned_s for click in clicks)
    return CrowdCell(
        record=record,
        established=Times.of(waits),
        clicks=Times.of([None if each.answered_s is None else each.answered_s - each.planned_s for each in clicks]),
        prompt=sum(wait is not None and wait <= record.patience_s for wait in waits) if entries else None,
        rate=_rate(entries),
        late_p99_s=ranked(late, 0.99) if late else None,
    )


def _rate(entries: Sequence[Entry]) -> float | None:
    served = [entry.served_s for entry in entries if entry.served_s is not None]
    if len(served) < LEAST_USERS:
        return None
    span_s = max(served) - min(entry.start_s for entry in entries)
    return len(served) / span_s if span_s > 0 else None
