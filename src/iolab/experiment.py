"""An experiment is data: a TOML file becomes the settings of its kind. Here is what all kinds have in common."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from iolab.errors import UsageError

OPTIONS = {"generator": "LOADGEN", "levels": "USERS", "freeze_collector": "GC_FREEZE"}  # of make, named otherwise
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Limits = Annotated[tuple[Positive, ...], Field(min_length=1)]
OneLimit = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=1)]
OneCount = Annotated[tuple[Count, ...], Field(min_length=1, max_length=1)]


class Settings(BaseModel):
    """Base of what an experiment says; a key that means nothing to it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Settings):
    """The environment of the servers; None is the server's own default."""

    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] = 20.0
    wait_distribution: Literal["constant", "exponential"] = "constant"
    cpu_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] = 0.0
    backlog: Annotated[int, Field(ge=1, le=65_535)] | None = None
    threads: Annotated[int, Field(ge=1, le=1000)] = 8

    @property
    def service_ms(self) -> float:
        """The service time of a request: wait and computing."""
        return self.wait_ms + self.cpu_ms

    def variables(self) -> dict[str, str]:
        """Return them as the environment variables that docker-compose.yml and the servers know."""
        values = {name.upper(): value for name, value in self.model_dump().items()}
        return {
            name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in values.items()
        }


class Variant(Settings):
    """Another setting of the servers, measured beside the others; None is the experiment's own."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] | None = None
    wait_distribution: Literal["constant", "exponential"] | None = None
    cpu_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] | None = None
    backlog: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Experiment(Settings):
    """A question, and all that it takes to measure the answer again; each kind adds its own settings."""

    schema_version: Annotated[Literal[2], Field(alias="schema")]
    kind: str
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    question: str
    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    cpus: Limits = (1.0,)
    seed: int = 0

    @property
    def generator(self) -> Literal["auto", "hey", "locust"]:
        """The load generator that is asked for."""
        return "auto"

    @property
    def host(self) -> str | None:
        """The address by which other machines reach this one's servers; None where none is to. Raises UsageError."""
        return None

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {}

    @field_validator("cpus", "concurrency", check_fields=False)
    @classmethod
    def _once_each(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))


class ServedExperiment(Experiment):
    """An experiment that sets the measured servers, in one way or in several variants."""

    server: ServerSettings = ServerSettings()
    vary: tuple[Variant, ...] = ()

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return self.server.variables()

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of all variants; a single empty one where nothing is varied."""
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
    """Return the kind that a TOML file says it is; raises UsageError where it says none."""
    found = document(path)
    if "kind" not in found:
        raise UsageError(f'{path.name}: kind is missing: it says which kind of experiment this is, such as "closed"')
    return str(found["kind"])


def parsed(path: Path, changes: Mapping[str, Any], of_kind: type[E]) -> E:
    """Return the experiment of a TOML file; `changes` override it by key, tables by their keys.

    Raises UsageError, in one line that names file, key and reason, for what is not an experiment of that kind.
    """
    found = document(path)
    for key, value in changes.items():
        table = found.get(key, {})
        if isinstance(value, Mapping) and isinstance(table, Mapping):
            found[key] = {**table, **value}
        elif isinstance(value, Mapping):
            continue  # not a table, as the file has it: the validation says so
        else:
            found[key] = value
    try:
        return of_kind.model_validate(found)
    except ValidationError as error:
        raise UsageError(_mistake(error, path, changes, of_kind)) from error


def _mistake(error: ValidationError, path: Path, changes: Mapping[str, Any], of_kind: type[Experiment]) -> str:
    """Return one line about the first mistake, under the name by which the user gave it."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"] if isinstance(part, str)]
    key, given = ".".join(keys), _lookup(changes, keys)
    if first["type"] == "missing":
        return f"{path.name}: {key} is missing"
    if first["type"] == "extra_forbidden":
        return f"{path.name}: {key} is not a setting of kind {_kind_of(of_kind)}: {_settings(of_kind, keys[:-1])}"
    value, what = first["input"], first["msg"].replace("valid tuple", "list").replace("Tuple", "List")
    if first["type"] == "value_error" and isinstance(value, Mapping):  # settings that do not go together
        where = f"{path.name}: [{key}]" if key else path.name
        return f"{where}: {what.removeprefix('Value error, ')}"
    value = f"{value:g}" if isinstance(value, float) else value
    if given is None or isinstance(given, Mapping):
        where = f"{path.name}: {key} = {value!r}"
    else:
        where = f"{OPTIONS.get(keys[-1], keys[-1].upper())}={value}"
    return f"{where}: {what[:1].lower()}{what[1:]}"


def _lookup(tree: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found: Any = tree
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _kind_of(of_kind: type[Experiment]) -> str:
    return str(get_args(of_kind.model_fields["kind"].annotation)[0])


def _settings(of_kind: type[BaseModel], table: Sequence[str]) -> str:
    """Return the settings that there are, of a kind or of one of its tables."""
    there: Any = of_kind
    for name in table:
        there = there.model_fields[name].annotation
        there = next((each for each in (there, *get_args(there)) if hasattr(each, "model_fields")), there)
    names = [field.alias or name for name, field in getattr(there, "model_fields", {}).items()]
    return f"[{'.'.join(table)}] has {', '.join(names)}" if table else f"it has {', '.join(names)}"
