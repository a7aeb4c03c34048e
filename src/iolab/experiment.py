"""An experiment is data: a TOML file becomes the settings of its kind. This module has what all kinds share."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from iolab import options
from iolab.errors import UsageError
from iolab.options import Option

Models = Annotated[tuple[str, ...], Field(min_length=1), Option("Servers to measure: letters or names.")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Limits = Annotated[tuple[Positive, ...], Field(min_length=1), Option("CPUs that a server may use.")]
OneLimit = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=1), Option("CPUs that a server may use.")]
OneCount = Annotated[tuple[Count, ...], Field(min_length=1, max_length=1)]
Seed = Annotated[int, Option("Seed of all random choices, such as the order of trials, or arrivals.")]
WaitMs = Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False), Option("Wait in a request.", unit="ms")]
CpuMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False), Option("Computing in a request.", unit="ms")]
Distribution = Annotated[Literal["constant", "exponential"], Option("Distribution of the wait.")]
Backlog = Annotated[
    int | None, Field(ge=1, le=65_535), Option("Length of the listen queue; without it, each server's own.")
]
Threads = Annotated[int, Field(ge=1, le=1000), Option("Threads in the pool.")]


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

    @property
    def service_ms(self) -> float:
        """The service time of a request: wait and computing."""
        return self.wait_ms + self.cpu_ms

    def variables(self) -> dict[str, str]:
        """Return them as environment variables of docker-compose.yml and the servers."""
        values = {name.upper(): value for name, value in self.model_dump().items()}
        return {
            name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in values.items()
        }


class Variant(Settings):
    """A variant of the servers' settings, measured besides the others; None is the experiment's own value."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] | None = None
    wait_distribution: Literal["constant", "exponential"] | None = None
    cpu_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] | None = None
    backlog: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Experiment(Settings):
    """A question, and all settings that are needed to measure the answer again; each kind adds its own."""

    schema_version: Annotated[Literal[2], Field(alias="schema")]
    kind: str
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    question: str
    models: Models = ("all",)
    cpus: Limits = (1.0,)

    @property
    def generator(self) -> Literal["auto", "hey", "locust"]:
        """The wanted load generator."""
        return "auto"

    @property
    def host(self) -> str | None:
        """The address by which other machines reach this one's servers; None if they need not. Raises UsageError."""
        return None

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {}

    @field_validator("cpus", "concurrency", check_fields=False)
    @classmethod
    def _once_each(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))


class ServedExperiment(Experiment):
    """An experiment that sets the measured servers."""

    server: ServerSettings = ServerSettings()

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return self.server.variables()


class VariedExperiment(ServedExperiment):
    """An experiment that measures servers with their settings in several variants."""

    vary: tuple[Variant, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of all variants; a single empty name if nothing is varied."""
        return tuple(variant.name for variant in self.vary) or ("",)

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


S = TypeVar("S", bound=Settings)
E = TypeVar("E", bound=Experiment)


def document(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises UsageError, in one line that names the file and the reason."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"EXPERIMENT={path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}") from error


def kind_of(path: Path) -> str:
    """Return the kind of a TOML file; raises UsageError if it is missing."""
    found = document(path)
    if "kind" not in found:
        raise UsageError(f'{path.name}: kind is missing: set the kind of experiment, such as "closed"')
    return str(found["kind"])


def parsed(path: Path, changes: Mapping[str, Any], of_kind: type[E], *, quick: bool = False) -> E:
    """Return the experiment of a TOML file; `changes` override it by key, tables by their keys.

    If it is to be `quick`, its table [quick] overrides the file in the same way, before the changes. Raises UsageError,
    in one line that names file, key and reason, for what is not an experiment of that kind, or has no such table.
    """
    found = document(path)
    shorter = found.pop("quick", None)
    if quick:
        if not isinstance(shorter, Mapping):
            raise UsageError(f"QUICK=1: {path.name} has no table [quick], which says what a quick run leaves out")
        found = _merged(found, shorter)
    found = _merged(found, changes)
    experiment = validated(found, of_kind, changes, path.name)
    varied = {name for each in getattr(experiment, "vary", ()) for name, value in each if value is not None}
    for each in options.settings(of_kind):
        value = _lookup(changes, each.path)
        if each.path[0] == "server" and each.path[-1] in varied and value is not None:
            given = f"{each.variable}={value:g}" if isinstance(value, float) else f"{each.variable}={value}"
            raise UsageError(f"{given}: {path.name} varies this setting: leave it out, or give another EXPERIMENT")
    return experiment


def _merged(found: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes, those of a table by their keys; a table cannot replace what is none."""
    merged = dict(found)
    for key, value in changes.items():
        table = found.get(key, {})
        if not isinstance(value, Mapping):
            merged[key] = value
        elif isinstance(table, Mapping):
            merged[key] = {**table, **value}
    return merged


def validated(found: Mapping[str, Any], of: type[S], changes: Mapping[str, Any], source: str) -> S:
    """Return settings, of which `changes` were given as options and the rest is in `source`; raises UsageError."""
    try:
        return of.model_validate(found)
    except ValidationError as error:
        raise UsageError(_mistake(error, source, changes, of)) from error


def _mistake(error: ValidationError, source: str, changes: Mapping[str, Any], of: type[Settings]) -> str:
    """Return one line about the first mistake, with the name that the user used."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"] if isinstance(part, str)]
    key, given = ".".join(keys), _lookup(changes, keys)
    if first["type"] == "missing":
        return f"{source}: {key} is missing"
    if first["type"] == "extra_forbidden":
        return f"{source}: {key} is not a setting of kind {_kind_of(of)}: {_settings(of, keys[:-1])}"
    value, what = first["input"], first["msg"].replace("valid tuple", "list").replace("Tuple", "List")
    if first["type"] == "value_error" and isinstance(value, Mapping):  # settings that contradict each other
        where = f"{source}: [{key}]" if key else source
        return f"{where}: {what.removeprefix('Value error, ')}"
    value = f"{value:g}" if isinstance(value, float) else value
    if given is None or isinstance(given, Mapping):
        where = f"{source}: {key} = {value!r}"
    else:
        variables = {each.path: each.variable for each in options.settings(of)}
        where = f"{variables.get(tuple(keys), keys[-1].upper())}={value}"
    return f"{where}: {what[:1].lower()}{what[1:]}"


def _lookup(tree: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found: Any = tree
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _kind_of(of: type[Settings]) -> str:
    return str(get_args(of.model_fields["kind"].annotation)[0])


def _settings(of: type[Settings], table: Sequence[str]) -> str:
    """Return the names of the settings of a kind, or of one of its tables."""
    inner: Any = of
    for name in table:
        inner = inner.model_fields[name].annotation
        inner = next((each for each in (inner, *get_args(inner)) if hasattr(each, "model_fields")), inner)
    names = [field.alias or name for name, field in getattr(inner, "model_fields", {}).items()]
    return f"[{'.'.join(table)}] has {', '.join(names)}" if table else f"it has {', '.join(names)}"
