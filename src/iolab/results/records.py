"""The records in results/: versioned, and validated when they are read."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Status = Literal["running", "complete", "partial", "failed"]


MOST_WORKERS = 1_000_000


def _workers(value: float) -> float:
    if not (1 <= value <= MOST_WORKERS or value == math.inf):
        raise ValueError(f"a server has 1 to {MOST_WORKERS:,} workers, or any number (inf)")
    return value


Workers = Annotated[float, AfterValidator(_workers)]


GIL_OF_SERVERS = "GIL of the servers"  # in run.json's environment: by service, whether it is on
LARGEST = 10**18  # of bytes, nanoseconds, anything


class Record(BaseModel):
    """Base of all records; unknown keys are refused when a record is read.

    `parts` are counts, and the counts (of the record, else of its trial) that they cannot exceed: see possible.py.
    """

    parts: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        """Refuse a value that is not a number, or so large that sums overflow; infinite: it never ended."""
        for name, value in self.__dict__.items():
            if isinstance(value, float) and math.isnan(value):
                raise ValueError(f"{name} is not a number")
            if isinstance(value, int | float) and LARGEST < abs(value) < math.inf:
                raise ValueError(f"{name} is above {LARGEST:g}: nothing measured is")
        return self


class ServerUsage(Record):
    """What the server used during the load; None is what could not be measured there.

    `listen_overflows` and `listen_drops` are packets that its accept queue dropped, `syn_cookies` are SYN cookies sent,
    of them `full_queue_cookies` because the queue of attempts was full.
    """

    cpu_s: float | None = None
    throttled_s: float | None = None
    threads_peak: int | None = None
    rss_peak_bytes: int | None = None
    listen_overflows: int | None = None
    listen_drops: int | None = None
    syn_cookies: int | None = None
    full_queue_cookies: int | None = None


class ClientUsage(Record):
    """The load generator's CPU time during the load, and its ceiling: the most it reaches against a null server.

    `syn_retransmits` counts connection attempts that were sent again for lack of an answer (TCPSynRetrans), `timeouts`
    the retransmission timers that expired, of attempts and of connections (TCPTimeouts). `busiest_share` is the share
    of one core's time that its busiest process used, if each of them uses one core. Of the client for planned arrivals:
    `loop_late_p99_ms` is the 99th percentile of how long an answer can have waited until the client read it, `resent`
    counts requests that were sent again because the server had closed an idle connection, and `waited` arrivals that
    waited in the client because `most_open` connections were open.
    """

    cpu_s: float | None = None
    ceiling_rps: float | None = None
    syn_retransmits: int | None = None
    timeouts: int | None = None
    busiest_share: float | None = None
    loop_late_p99_ms: float | None = None
    resent: int | None = None
    waited: int | None = None
    most_open: int | None = None


class CoreUsage(Record):
    """One core during the load: computed by programs (without interrupts), stolen, and how often heat slowed it.

    `slowed` is None where the processor does not count it.
    """

    core: int
    busy_s: float
    steal_s: float
    slowed: int | None = None


class MachineUsage(Record):
    """The whole machine during the load; None was not measured.

    `busy_s` is the CPU time of all cores and programs, `own_s` that of iolab itself; `steal_s` is CPU time that the
    hypervisor stole; `clock_step_s` is how far the wall clock was set; `slowed` counts how often heat slowed a core.
    `by_core` has each core. `group_quota` is for how many CPUs the lab's own control groups give time (None: no quota,
    or not known), `group_throttled_s` for how long they were throttled.
    """

    cores: int | None = None
    span_s: float | None = None
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None
    clock_step_s: float | None = None
    slowed: int | None = None
    by_core: tuple[CoreUsage, ...] | None = None
    group_quota: float | None = None
    group_throttled_s: float | None = None


class Holding(Record):
    """Resources of a server and of the kernel at one time; None could not be read.

    `rss_bytes`, `virtual_bytes`, `threads` and `context_switches` (since their start) are of all its processes.
    `sockets_bytes` (TCP buffers), `slab_bytes`, `stacks_bytes` (kernel stacks) and `tables_bytes` (page tables) are
    those of the whole machine, so they include both ends of each connection. `collector_pause_s` is the longest pause
    for Python's garbage collector so far, if the server reports it.
    """

    cpu_s: float | None = None
    rss_bytes: int | None = None
    virtual_bytes: int | None = None
    threads: int | None = None
    context_switches: int | None = None
    sockets_bytes: int | None = None
    slab_bytes: int | None = None
    stacks_bytes: int | None = None
    tables_bytes: int | None = None
    collector_pause_s: float | None = None


class TrialRecord(Record):
    """The fields of every line of trials.jsonl; `reason` says why a trial is not `valid`.

    `rows` are the files of the run folder with the trial's rows, by their kind.
    """

    index: int
    repeat: int = 0
    started: datetime
    duration_s: float
    valid: bool
    reason: str | None
    rows: dict[str, str] = {}
    server: ServerUsage = ServerUsage()
    client: ClientUsage = ClientUsage()
    machine: MachineUsage = MachineUsage()


class LoadRecord(TrialRecord):
    """A trial that sends requests to one server: `requested` were planned, `sent` were sent, `ok` got status 200."""

    parts = MappingProxyType({"ok": "sent", "errors": "sent"})
    model: str
    service: str
    cpus: float
    variant: str = ""
    requested: int
    sent: int
    ok: int
    errors: int


class ModelInfo(Record):
    """A measured model, as the run saw it; `workers` may be infinite.

    `backlog` is the listen backlog that the server sets itself, of a server that accepts a connection only to serve it.
    `threads` is how many of its threads compute requests; None: not known.
    """

    letter: Annotated[str, Field(min_length=1)]
    title: str
    service: Annotated[str, Field(min_length=1)]
    workers: Workers
    backlog: int | None = None
    threads: Workers | None = None


class CpuPlanInfo(Record):
    """The cores of the servers and of the load generator; `pinned` is whether that could be enforced.

    `siblings` are pairs of a server's core and a load generator's that are two threads of one physical core; None: not
    known.
    """

    cpus: float
    server: tuple[int, ...]
    loadgen: tuple[int, ...]
    shared: bool
    pinned: bool
    siblings: tuple[tuple[int, int], ...] | None = None


class RunInfo(Record):
    """run.json: all about a run except its trials."""

    schema_version: Annotated[Literal[2], Field(alias="schema")] = 2
    kind: str
    experiment: dict[str, Any]
    file: str = ""  # the experiment's TOML file
    quick: bool = False  # measured with the table [quick] of that file
    changed: dict[str, str] = {}  # settings that differ from that file's, by their variables, as they are typed
    models: tuple[ModelInfo, ...]
    runtime: Literal["docker", "local"]
    runtime_reason: str
    generator: Literal["hey", "locust", "iolab", "crowd", "boards"]
    cpu_plans: tuple[CpuPlanInfo, ...]
    environment: dict[str, Any]
    trials_planned: int
    fresh_servers: bool = False  # every trial had a server of its own
    started: datetime
    resumed: datetime | None = None  # when its last part began, if it was resumed
    finished: datetime | None = None
    wall_s: float | None = None  # how long it was measured; while a resumed run is measured: before its last part
    status: Status = "running"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.experiment.get("kind", self.kind) != self.kind:
            raise ValueError(f"kind is {self.kind}, and its experiment is of kind {self.experiment['kind']}")
        return self

    def has_lock(self, service: str) -> bool:
        """Return whether a server's interpreter lock was on, as in any usual build of Python, or is not known."""
        found = self.environment.get(GIL_OF_SERVERS)
        return not isinstance(found, dict) or found.get(service) is not False

    def at_once(self, model: ModelInfo) -> float:
        """Return how many threads of a server could compute at once: one, where it has an interpreter lock."""
        return 1.0 if self.has_lock(model.service) else model.threads or 1.0

    def measured_s(self, trials: Sequence[TrialRecord]) -> float:
        """Return how long it was measured; for a killed run, until its last trial ended."""
        if self.finished:
            return self.wall_s or 0.0
        begun = self.resumed or self.started
        ends_s = [(trial.started - begun).total_seconds() + trial.duration_s for trial in trials]
        return (self.wall_s or 0.0) + max([0.0, *ends_s])

    def ended(self, status: Status, wall_s: float, **changes: Any) -> "RunInfo":
        """Return a copy with the end of the run."""
        ended = {"status": status, "finished": datetime.now(UTC), "wall_s": round(wall_s, 3)}
        return self.model_copy(update=ended | changes)

    model_config = ConfigDict(populate_by_name=True)


class Finding(Record):
    """What a reader of a cell must know, and what to do about it; the higher `value` is, the worse it is.

    `expected` is what the experiment is made to show. `measured` is the message without what theory says, of a message
    that says it; a file does not have it.
    """

    id: str
    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str
    expected: bool = False
    value: float | None = None
    measured: str | None = Field(default=None, exclude=True)
