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
    """What the load generator used during the load."""

    cpu_s: float | None = None


class TrialRecord(Record):
    """One line of trials.jsonl. `reason` says why a trial is not `valid`; `samples` is a path in the run folder."""

    index: int
    repeat: int
    model: str
    service: str
    concurrency: int
    cpus: float
    requested: int
    sent: int
    ok: int
    errors: int
    started: datetime
    duration_s: float
    valid: bool
    reason: str | None
    samples: str | None
    server: ServerUsage
    client: ClientUsage


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
    generator: Literal["hey", "locust"]
    cpu_plans: tuple[CpuPlanInfo, ...]
    environment: dict[str, Any]
    trials_planned: int
    theory_s: float
    started: datetime
    finished: datetime | None = None
    wall_s: float | None = None
    status: Status = "running"

    def ended(self, status: Status, wall_s: float) -> "RunInfo":
        """Return this with the end written down."""
        return self.model_copy(update={"status": status, "finished": datetime.now(UTC), "wall_s": round(wall_s, 3)})

    model_config = ConfigDict(populate_by_name=True)


class Finding(Record):
    """Something that a reader of a cell must know: what was seen, and what to do about it."""

    id: str
    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str


class Cell(Record):
    """One object of summary.json: all repeats of a model at one concurrency and one CPU limit."""

    model: str
    title: str
    service: str
    concurrency: int
    cpus: float
    repeats: int
    requested: int
    sent: int
    ok: int
    errors: int
    median_ms: float | None
    median_ci_ms: tuple[float, float] | None
    mean_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    throughput_rps: float | None
    predicted_median_ms: float | None
    predicted_throughput_rps: float
    server: ServerUsage
    client: ClientUsage
    valid: bool
    findings: tuple[Finding, ...]


class Summary(Record):
    """summary.json."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    experiment: str
    runtime: Literal["docker", "local"]
    status: Status
    cells: tuple[Cell, ...]

    model_config = ConfigDict(populate_by_name=True)
