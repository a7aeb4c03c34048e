"""The shapes of what is written to results/: versioned, and refused when it is not what it should be."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["running", "complete", "partial", "failed"]


class Record(BaseModel):
    """Base of what is written; unknown keys are refused when it is read again."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Sample(NamedTuple):
    """One request: when it was sent, counted from the start of the load, how long it took, and the HTTP status.

    Status 0 is a request without an answer; its times are None where the load generator does not tell them.
    """

    start_s: float | None
    latency_s: float | None
    status: int


class ServerUsage(Record):
    """What the server used during the load; None is what could not be measured there."""

    cpu_s: float | None = None
    throttled_s: float | None = None
    threads_peak: int | None = None
    rss_peak_bytes: int | None = None
    listen_overflows: int | None = None
    listen_drops: int | None = None


class ClientUsage(Record):
    """What the load generator used during the load, and its floor: the most it reaches against a null server.

    `syn_retransmits` is how many connection attempts were sent again, since nobody had answered them.
    """

    cpu_s: float | None = None
    floor_rps: float | None = None
    syn_retransmits: int | None = None


class MachineUsage(Record):
    """What the whole machine did during the load; None is what could not be measured there.

    `busy_s` is of all cores and programs, `own_s` of iolab itself; `steal_s` was kept from this machine by its
    hypervisor; `clock_step_s` is how far the wall clock was set; `slowed` counts how often heat slowed a core.
    """

    cores: int | None = None
    span_s: float | None = None
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None
    clock_step_s: float | None = None
    slowed: int | None = None


class TrialRecord(Record):
    """What every line of trials.jsonl has, whatever was measured; `reason` says why a trial is not `valid`.

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
    """A trial that sends requests to one server: `requested` were asked for, `sent` were sent, `ok` got status 200."""

    model: str
    service: str
    cpus: float
    variant: str = ""
    requested: int
    sent: int
    ok: int
    errors: int


class ClosedRecord(LoadRecord):
    """One line of trials.jsonl of a closed loop, with a fixed number of users."""

    concurrency: int


class Calibration(Record):
    """A model's constant times: a request takes a worker `service_s`, the way there and back a client `transit_s`.

    `overhead_s` is the part of the former beyond what the server tells itself.
    """

    service_s: float
    overhead_s: float
    transit_s: float


class OpenRecord(LoadRecord):
    """One line of trials.jsonl of an open loop: `requested` came as planned, at `rate_rps` for `plan_s` seconds.

    `utilisation` is that of each worker; None where any number of requests can wait. `load_workers` is how many Locust
    workers made it, each a stream of its own (0: one process without any), `lost_workers` how many of them were lost.
    """

    load_workers: int = 0
    lost_workers: int = 0
    process: str
    rate_rps: float
    plan_s: float
    seed: int
    utilisation: float | None
    calibration: Calibration


class OpenSample(NamedTuple):
    """One request of an open loop, in seconds from the begin of the plan; `service_s` is what the
    server says it took to serve it, waiting for a worker not counted.

    Status 0 is a request without an answer. `worker` is the Locust worker that sent it; times are by its own clock, and
    count from when it was told to begin.
    """

    planned_s: float
    sent_s: float
    done_s: float
    status: int
    service_s: float | None
    worker: int = 0


class ModelInfo(Record):
    """A measured model, as the run saw it; `workers` may be infinite."""

    letter: str
    title: str
    service: str
    workers: float


class CpuPlanInfo(Record):
    """The cores that served and the cores that loaded; `pinned` is whether that could be enforced."""

    cpus: float
    server: tuple[int, ...]
    loadgen: tuple[int, ...]
    shared: bool
    pinned: bool


class RunInfo(Record):
    """run.json: all about a run but its trials."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    experiment: dict[str, Any]
    models: tuple[ModelInfo, ...]
    runtime: Literal["docker", "local"]
    runtime_reason: str
    generator: Literal["hey", "locust", "crowd"]
    cpu_plans: tuple[CpuPlanInfo, ...]
    environment: dict[str, Any]
    trials_planned: int
    theory_s: float
    fresh_servers: bool = False  # every trial had a server of its own
    started: datetime
    finished: datetime | None = None
    wall_s: float | None = None
    status: Status = "running"

    def ended(self, status: Status, wall_s: float, **changes: Any) -> "RunInfo":
        """Return this with the end written down."""
        ended = {"status": status, "finished": datetime.now(UTC), "wall_s": round(wall_s, 3)}
        return self.model_copy(update=ended | changes)

    model_config = ConfigDict(populate_by_name=True)


class Finding(Record):
    """Something that a reader of a cell must know: what was seen, and what to do about it."""

    id: str
    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str


class Cell(Record):
    """One object of summary.json: all repeats of a model at one concurrency, CPU limit and variant."""

    model: str
    title: str
    service: str
    concurrency: int
    cpus: float
    variant: str
    repeats: int
    requested: int
    sent: int
    ok: int
    counted: int  # answered requests of the repeats that are counted: latencies, rates and what was used are of these
    errors: int
    median_ms: float | None
    median_ci_ms: tuple[float, float] | None
    mean_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    throughput_rps: float | None
    service_ms: float  # wait and computing of one request
    predicted_median_ms: float | None
    predicted_mean_ms: float
    predicted_throughput_rps: float
    users_under_way: float | None  # throughput x mean latency, of the repeats counted
    suspect_repeats: int  # of them Little's law does not find the users that were asked for
    server: ServerUsage
    client: ClientUsage
    valid: bool
    findings: tuple[Finding, ...]

    @property
    def services(self) -> float | None:
        """The median in service times: 4 for a user who waits for three others."""
        return None if self.median_ms is None else self.median_ms / self.service_ms

    @property
    def residual(self) -> float | None:
        """How far the median lies above its prediction, as a share of that."""
        if self.median_ms is None or self.predicted_median_ms is None:
            return None
        return self.median_ms / self.predicted_median_ms - 1

    @property
    def throughput_residual(self) -> float | None:
        """How far the throughput lies above its prediction, as a share of that."""
        return None if self.throughput_rps is None else self.throughput_rps / self.predicted_throughput_rps - 1


class Summary(Record):
    """summary.json."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    experiment: str
    runtime: Literal["docker", "local"]
    status: Status
    cells: tuple[Cell, ...]

    model_config = ConfigDict(populate_by_name=True)
