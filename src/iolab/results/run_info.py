"""run.json: all about a run except its trials."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from iolab.results.records import Record, TrialRecord

Status = Literal["running", "complete", "partial", "failed"]
RuntimeName = Literal["docker", "local", "url"]  # "url": the server already ran, and its place is not known
MOST_WORKERS = 1_000_000
GIL_OF_SERVERS = "GIL of the servers"  # in run.json's environment: by service, whether it is on


def _workers(value: float) -> float:
    if not (1 <= value <= MOST_WORKERS or value == math.inf):
        raise ValueError(f"a server has 1 to {MOST_WORKERS:,} workers, or any number (inf)")
    return value


Workers = Annotated[float, AfterValidator(_workers)]


class ModelInfo(Record):
    """A measured model, as the run saw it; `workers` may be infinite, which means nothing if not `workers_known`.

    `backlog` is the listen backlog that the server sets itself, of a server that accepts a connection only to serve it.
    `threads` is how many of its threads compute requests; None: not known.
    `interpreters` is how many of its processes compute, each with a lock of its own. `connection_limit` is what its
    block fixes. `can_split` is whether its workers can have an accept queue each. `connections` is how many it has to
    the downstream service; None: its requests do not wait there, or the variants of the experiment differ in it.
    """

    letter: Annotated[str, Field(min_length=1)]
    title: str
    service: Annotated[str, Field(min_length=1)]
    workers: Workers
    backlog: int | None = None
    threads: Workers | None = None
    interpreters: Workers = 1
    connection_limit: int | None = None
    can_split: bool = False
    connections: Annotated[int, Field(ge=1)] | None = None
    workers_known: bool = True

    @property
    def places(self) -> float:
        """How many requests can wait in it at once: each needs a worker and, if there are any, a connection."""
        return min(self.workers, self.connections or math.inf)

    def queues(self, *, reuseport: bool) -> int:
        """Return how many accept queues its workers share."""
        return int(self.workers) if self.can_split and reuseport else 1


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
    # settings that differ from that file's, by their variables, as they are typed
    changed: dict[str, str] = Field(default_factory=dict)
    models: tuple[ModelInfo, ...]
    runtime: RuntimeName
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
        """Return how many threads of a server could compute at once: one for each interpreter that has a lock."""
        return model.interpreters if self.has_lock(model.service) else model.threads or 1.0

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
