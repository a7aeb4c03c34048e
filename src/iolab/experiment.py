"""An experiment is data: a TOML file becomes an Experiment, and that a shuffled list of trials."""

import math
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from iolab.errors import UsageError
from iolab.kinds.breaking.plan import Broken
from iolab.kinds.chess.plan import Rules
from iolab.kinds.crowd.plan import Crowd
from iolab.kinds.faults.plan import Faults
from iolab.lab import Model
from iolab.results.folder import RunFolder
from iolab.results.records import RunInfo
from iolab.theory.closed_loop import ClosedLoop, closed_loop

OPTIONS = {"generator": "LOADGEN", "levels": "USERS", "freeze_collector": "GC_FREEZE"}  # of make, named otherwise
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Load(_Strict):
    """What the load generator does in one trial."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    generator: Literal["auto", "hey", "locust"] = "auto"


class ServerSettings(_Strict):
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


class Variant(_Strict):
    """Another setting of the servers, measured beside the others; None is the experiment's own."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    wait_ms: Annotated[float, Field(ge=0.1, le=60_000, allow_inf_nan=False)] | None = None
    wait_distribution: Literal["constant", "exponential"] | None = None
    cpu_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] | None = None
    backlog: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Freeze(_Strict):
    """When a server is to stand still: `for_s` seconds, `after_s` seconds after the begin of a load of `run_s`."""

    after_s: Annotated[float, Field(gt=0, le=600)] = 4.0
    for_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    run_s: Annotated[float, Field(gt=0, le=3600)] = 10.0


Share = Annotated[float, Field(gt=0, lt=1)]


class Arrivals(_Strict):
    """People who come whether or not the server keeps up, for `duration_s` at each utilisation.

    A utilisation is the share of the time that each worker of a model is busy. A model that lets any number of requests
    wait has none: it is measured at the rates of the others, for `others_duration_s` each. A trace is a file with a
    moment of arrival, in seconds, in each line; it is played faster or slower to come at the wanted rate.
    """

    process: Literal["poisson", "constant", "trace"] = "poisson"
    duration_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    others_duration_s: Annotated[float, Field(ge=1, le=3600)] = 6.0
    utilisation: Annotated[dict[str, Annotated[tuple[Share, ...], Field(min_length=1)]], Field(min_length=1)]
    every_utilisation: tuple[Share, ...] = ()  # of every model that has some, instead of its own
    trace: str | None = None

    def shares(self, letter: str) -> tuple[float, ...]:
        """Return the utilisations of a model; none where it is to be measured at the rates of the others."""
        own = self.utilisation.get(letter, ())
        return self.every_utilisation or own if own else ()


class Experiment(_Strict):
    """A question, and all that it takes to measure the answer again."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    question: str
    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    concurrency: Annotated[tuple[Count, ...], Field(min_length=1)]
    cpus: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0,)
    repeats: Annotated[int, Field(ge=1, le=1000)] = 3
    precision: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    budget_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 600.0
    seed: int = 0
    load: Load = Load()
    server: ServerSettings = ServerSettings()
    vary: tuple[Variant, ...] = ()
    freeze: Freeze | None = None
    chess: Rules | None = None
    broken: Broken | None = None
    arrivals: Arrivals | None = None
    crowd: Crowd | None = None
    faults: Faults | None = None

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

    @field_validator("concurrency", "cpus")
    @classmethod
    def _once_each(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))

    @field_validator("vary")
    @classmethod
    def _named_apart(cls, values: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if len({value.name for value in values}) < len(values):
            raise ValueError("two variants have the same name")
        return values


class Trial(_Strict):
    """One load on one server: `requests` is a multiple of `concurrency`, at least as many as were asked for."""

    index: int
    repeat: int
    model: str
    service: str
    concurrency: int
    cpus: float
    requests: int
    variant: str = ""


def read(path: Path, changes: Mapping[str, Any]) -> Experiment:
    """Read an experiment's TOML file; `changes` override it by key, tables by their keys.

    Raises UsageError, in one line that names file, key and reason, for what is not an experiment.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"EXPERIMENT={path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}") from error
    for key, value in changes.items():
        table = document.get(key, {})
        if isinstance(value, Mapping) and isinstance(table, Mapping):
            document[key] = {**table, **value}
        elif isinstance(value, Mapping):
            continue  # not a table, as the file has it: the validation says so
        else:
            document[key] = value
    try:
        return Experiment.model_validate(document)
    except ValidationError as error:
        raise UsageError(_mistake(error, path, changes)) from error


def recorded(folder: RunFolder, run: RunInfo) -> Experiment:
    """Return the experiment that a run measured; raises UsageError where run.json is damaged."""
    try:
        return Experiment.model_validate(run.experiment)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{folder.path / 'run.json'}: experiment.{where}: {first['msg']}") from error


def _mistake(error: ValidationError, path: Path, changes: Mapping[str, Any]) -> str:
    """Return one line about the first mistake, under the name by which the user gave it."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"] if isinstance(part, str)]
    key, given = ".".join(keys), _lookup(changes, keys)
    if first["type"] == "missing":
        return f"{path.name}: {key} is missing"
    if first["type"] == "extra_forbidden":
        return f"{path.name}: {key} is no key of an experiment; CONTRIBUTING.md shows them all"
    value, what = first["input"], first["msg"].replace("valid tuple", "list").replace("Tuple", "List")
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


def trials(experiment: Experiment, models: Iterable[Model]) -> list[Trial]:
    """Return the trials of all repeats in the order to run them."""
    return [trial for one_round in islice(rounds(experiment, models), experiment.repeats) for trial in one_round]


def rounds(experiment: Experiment, models: Iterable[Model]) -> Iterator[list[Trial]]:
    """Yield rounds without end, whatever the number of repeats.

    Rounds are interleaved: every cell once in a round, shuffled anew in each by the experiment's seed, so that
    a machine that changes over time changes all cells alike.
    """
    order = random.Random(experiment.seed)  # noqa: S311 (a shuffle, not a secret)
    cells = [
        (model, concurrency, cpus, variant)
        for model in models
        for concurrency in experiment.concurrency
        for cpus in experiment.cpus
        for variant in experiment.variants
    ]
    for repeat in count():
        order.shuffle(cells)
        yield [
            Trial(
                index=repeat * len(cells) + position,
                repeat=repeat,
                model=model.letter,
                service=model.name,
                concurrency=concurrency,
                cpus=cpus,
                requests=math.ceil(experiment.load.requests / concurrency) * concurrency,
                variant=variant,
            )
            for position, (model, concurrency, cpus, variant) in enumerate(cells)
        ]


def prediction(trial: Trial, workers: float, settings: ServerSettings) -> ClosedLoop:
    """Return what theory says of a trial on a server with `workers` workers."""
    return closed_loop(trial.concurrency, workers, settings.wait_ms / 1000, settings.cpu_ms / 1000, trial.cpus)


def theoretical_duration_s(planned: Sequence[Trial], models: Iterable[Model], experiment: Experiment) -> float:
    """Return the time that the requests of all trials take by themselves, the ramps of each left aside."""
    workers = {model.letter: model.workers for model in models}
    return sum(
        trial.requests / prediction(trial, workers[trial.model], experiment.settings(trial.variant)).throughput_rps
        for trial in planned
    )
