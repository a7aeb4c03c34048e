"""The settings that all kinds of experiments share, and the bases of those that a kind has of its own."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from iolab import address, options
from iolab.options import ADDRESS, Option

Models = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    Option("Servers to measure: letters or names; main is those without relatives, all those with them."),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Limits = Annotated[tuple[Positive, ...], Field(min_length=1), Option("CPUs that a server may use.")]
OneLimit = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=1), Option("CPUs that a server may use.")]
OneCount = Annotated[tuple[Count, ...], Field(min_length=1, max_length=1)]
Seed = Annotated[
    int, Field(ge=0, le=999_999_999), Option("Seed of all random choices, such as the order of trials, or arrivals.")
]
WaitMs = Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False), Option("Wait in a request.", unit="ms")]
CpuMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False), Option("Computing in a request.", unit="ms")]
Distribution = Annotated[Literal["constant", "exponential"], Option("Distribution of the wait.")]
Backlog = Annotated[
    int | None,
    Field(ge=1, le=65_535),
    Option("Listen backlog, the length of the accept queue; without it, each server's own."),
]
Threads = Annotated[int, Field(ge=1, le=1000), Option("Threads in the pool.")]
ConnectionLimit = Annotated[
    int | None,
    Field(ge=3, le=65_535),
    Option("Connections that server B accepts, including two of its own; without it, 10,000 (waitress's own: 100)."),
]

Processes = Annotated[int, Field(ge=1, le=64), Option("Processes of server E.")]
ReusePort = Annotated[bool, Option("Each process of server E has an accept queue of its own (SO_REUSEPORT).")]
PurePython = Annotated[bool, Option("Server G runs on asyncio and h11 instead of uvloop and httptools.")]
Downstream = Annotated[
    int,
    Field(ge=0, le=1000),
    Option("Connections of servers A to D, F and H to the downstream service, on which requests wait; 0: none."),
]

Course = Annotated[
    bool, Option("A run of the course: its report hides theory and answers until your prediction is recorded.")
]


class Settings(BaseModel):
    """Base of the settings of an experiment; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def changes(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the given options as changes to the TOML file; raises UsageError."""
        found = {each.path[-1]: given[each.name] for each in options.own(cls) if given.get(each.name) is not None}
        for name, table in options.tables(cls).items():
            if issubclass(table, Settings) and (inner := table.changes(given)):
                found[name] = inner
        return cls.adjusted(found)

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes with their consequences; raises UsageError if they contradict each other."""
        return changes


class ServerSettings(Settings):
    """The environment of the servers; None is the server's own default."""

    wait_ms: WaitMs = 20.0
    wait_distribution: Distribution = "constant"
    cpu_ms: CpuMs = 0.0
    backlog: Backlog = None
    threads: Threads = 8
    connection_limit: ConnectionLimit = None
    processes: Processes = 8
    reuseport: ReusePort = False
    pure_python: PurePython = False
    downstream: Downstream = 0

    @property
    def service_ms(self) -> float:
        """The service time of a request: wait and computing."""
        return self.wait_ms + self.cpu_ms

    @property
    def connections(self) -> float:
        """How many requests can wait in the downstream service at once; math.inf: they do not wait there."""
        return self.downstream or math.inf

    def variables(self) -> dict[str, str]:
        """Return them as environment variables of docker-compose.yml and the servers."""
        return {name.upper(): _text(value) for name, value in self.model_dump().items()}


def _text(value: float | str | None) -> str:
    """Return a setting as the value of an environment variable."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(int(value)) if isinstance(value, bool) else str(value)


class Target(Settings):
    """A server that already runs, which is measured instead of the lab's; `url` is None where there is none.

    `workers` and `wait_ms` are what its user says of it: theory needs both. Nothing of them is sent to the server.
    """

    url: Annotated[
        str | None, Field(max_length=2000), Option("Address of a server that already runs: measure it.", word=ADDRESS)
    ] = None
    workers: Annotated[
        int | None, Field(ge=1, le=1_000_000), Option("Requests that the server of URL serves at once, for theory.")
    ] = None
    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] | None = None
    allow_remote: Annotated[bool, Option("URL may be of another machine: you have its operator's permission.")] = False

    @field_validator("url")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        if value is not None:
            address.parsed(value)
        return value

    @model_validator(mode="after")
    def _of_a_server(self) -> Self:
        given = [name for name in ("workers", "wait_ms", "allow_remote") if getattr(self, name)]
        if given and self.url is None:
            raise ValueError(f"{given[0]} ({given[0].upper()}) is about the server of URL: give URL, too")
        return self


class Variant(Settings):
    """A variant of the servers' settings, measured besides the others; None is the experiment's own value."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] | None = None
    wait_distribution: Literal["constant", "exponential"] | None = None
    cpu_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] | None = None
    backlog: Annotated[int, Field(ge=1, le=65_535)] | None = None
    connection_limit: Annotated[int, Field(ge=3, le=65_535)] | None = None
    reuseport: bool | None = None
    pure_python: bool | None = None
    downstream: Annotated[int, Field(ge=0, le=1000)] | None = None


class Experiment(Settings):
    """A question, and all settings that are needed to measure the answer again; each kind adds its own.

    `course` changes what reports show, nothing that is measured: two runs do not differ in it.
    """

    schema_version: Annotated[Literal[2], Field(alias="schema")]
    kind: str
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    question: str
    models: Models = ("main",)
    cpus: Limits = (1.0,)
    course: Course = False

    @property
    def generator(self) -> Literal["auto", "hey", "locust"]:
        """The wanted load generator."""
        return "auto"

    @property
    def running(self) -> Target | None:
        """The server that it measures and that already runs; None: those of the lab."""
        return None

    @property
    def host(self) -> str | None:
        """The address by which other machines reach this one's servers; None if they need not. Raises UsageError."""
        return None

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {}

    @property
    def downstreams(self) -> tuple[int, ...]:
        """The numbers of connections to the downstream service that it measures; 0: requests do not wait there."""
        return (0,)

    @field_validator("cpus", "concurrency", check_fields=False)
    @classmethod
    def _once_each(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))


class ServedExperiment(Experiment):
    """An experiment that sets the measured servers."""

    server: ServerSettings = ServerSettings()

    @property
    def downstreams(self) -> tuple[int, ...]:
        """The numbers of connections to the downstream service that it measures; 0: requests do not wait there."""
        return (self.server.downstream,)

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return self.server.variables()


class VariedExperiment(ServedExperiment):
    """An experiment that measures servers with their settings in several variants."""

    vary: Annotated[tuple[Variant, ...], Field(max_length=100)] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of all variants; a single empty name if nothing is varied."""
        return tuple(variant.name for variant in self.vary) or ("",)

    @property
    def downstreams(self) -> tuple[int, ...]:
        """The numbers of connections to the downstream service that it measures; 0: requests do not wait there."""
        return tuple(dict.fromkeys(self.settings(each).downstream for each in self.variants))

    def settings(self, variant: str = "") -> ServerSettings:
        """Return the servers' settings in a variant."""
        for each in self.vary:
            if each.name == variant:
                return self.server.model_copy(update=each.model_dump(exclude={"name"}, exclude_none=True))
        return self.server

    @field_validator("vary")
    @classmethod
    def _named_apart(cls, values: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if len({value.name for value in values}) < len(values):
            raise ValueError("two variants have the same name")
        return values
