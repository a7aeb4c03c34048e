"""Reads docker-compose.yml, the registry of services; the only reader of that file."""

import functools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from iolab import env_file
from iolab.errors import UsageError
from iolab.service import COMPOSE_FILE, Port, Service, interpolate, parsed

MEASURED, SHOWN = "iolab.model", "iolab.shown"  # labels; each value is a letter
THREADS, INTERPRETERS = "iolab.threads", "iolab.interpreters"  # labels; "each": of each connection, of each worker
CODE = "iolab.code"  # label; the service whose code it runs
DOWNSTREAM = "DOWNSTREAM"  # variable of servers that can wait in the service of that name, in small letters
MOST_CONNECTIONS = 1000  # to it
RELATIVES = "relatives"  # a profile
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C, six times as fast, where PyYAML has it
RUNNING = "U"  # the letter of a server that already runs, and that the lab does not start


@dataclass(frozen=True)
class Model:
    """A measured server: `workers` requests can wait in it at once (math.inf: any number).

    `backlog` is the listen backlog that it sets itself; None for one that accepts connections it cannot serve yet, or
    where that is not known. `connections` is how many it has to the downstream service, one of which each request takes
    for its wait; None: it waits without one. Of a server that already runs, `workers` is math.inf where they are not
    `workers_known`.
    """

    letter: str
    title: str
    workers: float
    service: Service
    backlog: int | None = None
    connections: int | None = None
    workers_known: bool = True

    @property
    def places(self) -> float:
        """How many requests can wait in it at once: each needs a worker and, if there are any, a connection."""
        return min(self.workers, self.connections or math.inf)

    @property
    def can_wait_downstream(self) -> bool:
        """Whether its requests can wait in the downstream service."""
        return DOWNSTREAM in self.service.environment

    @property
    def name(self) -> str:
        """The name of its service."""
        return self.service.name

    @property
    def thread_each(self) -> bool:
        """Whether every connection has a thread of its own."""
        return self.service.labels.get(THREADS) == "each"

    @property
    def interpreters(self) -> float:
        """How many requests can compute at the same time, on as many CPUs."""
        return self.workers if self.service.labels.get(INTERPRETERS) == "each" else 1

    @property
    def connection_limit(self) -> int | None:
        """The most connections that it accepts, if its block fixes that; else None."""
        text = self.service.written.get("CONNECTION_LIMIT", "")
        return int(text) if text.isascii() and text.isdecimal() else None

    @property
    def can_split(self) -> bool:
        """Whether its workers can have an accept queue each (REUSEPORT)."""
        return "REUSEPORT" in self.service.environment

    def queues(self, *, reuseport: bool) -> int:
        """Return how many accept queues its workers share."""
        return int(self.workers) if self.can_split and reuseport else 1

    @property
    def code(self) -> str:
        """The name in its answers: that of the service whose code it runs."""
        return self.service.labels.get(CODE, self.name)

    @property
    def threads(self) -> float:
        """How many threads compute requests; math.inf: one for each connection. An event loop has one."""
        return math.inf if self.thread_each else self.workers if math.isfinite(self.workers) else 1

    @property
    def port(self) -> Port:
        """The port on which it serves."""
        return self.service.ports[0]

    @property
    def optional(self) -> bool:
        """Whether it is measured only when it is named: its service has a Compose profile."""
        return bool(self.service.profiles)


@dataclass(frozen=True)
class Lab:
    """The content of docker-compose.yml; models are in the order of their letters.

    `models` are those that are measured by default; `optional` ones are measured only when they are named. `shown` are
    similar servers that no benchmark measures: each belongs to one experiment. `blocks` are the services as they are
    written, with the names of variables.
    """

    root: Path
    services: tuple[Service, ...]
    models: tuple[Model, ...]
    optional: tuple[Model, ...] = ()
    shown: tuple[Model, ...] = ()
    blocks: Mapping[str, Any] = field(default_factory=dict, compare=False)
    project: str = "iolab"  # the name of its Compose project, COMPOSE_PROJECT_NAME; others have a suffix

    @classmethod
    def read(cls, root: Path, settings: Mapping[str, str] | None = None) -> "Lab":
        """Read the lab as Compose would: with variables of `settings`, else the environment, else .env.

        Raises UsageError if the file or a block of it is not valid; the message names the block.
        """
        from_file = env_file.read(root / ".env")
        try:
            text = (root / COMPOSE_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{COMPOSE_FILE} cannot be read: {error}") from error
        return cls.parse(root, text, {**from_file, **os.environ, **(settings or {})})

    @classmethod
    def read_defaults(cls, root: Path) -> "Lab":
        """Read the lab without variables, that is, with the defaults of docker-compose.yml; raises UsageError."""
        return cls.parse(root, (root / COMPOSE_FILE).read_text(encoding="utf-8"), {})

    @classmethod
    def parse(cls, root: Path, text: str, variables: Mapping[str, str]) -> "Lab":
        """Parse the text of the compose file, with `variables` inserted; raises UsageError."""
        try:
            written = _loaded(text)["services"]
            blocks = dict(interpolate(written, variables))
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{COMPOSE_FILE} cannot be read: {' '.join(str(error).split())}") from error
        services = tuple(parsed(root, name, block, written[name]) for name, block in blocks.items())
        measured, shown = (_models(services, label) for label in (MEASURED, SHOWN))
        letters = [model.letter for model in (*measured, *shown)]
        for letter in letters:
            if letters.count(letter) > 1:
                raise UsageError(
                    f"{COMPOSE_FILE}: two services have the letter {letter} (iolab.model); give each a different one"
                )
        project = variables.get("COMPOSE_PROJECT_NAME") or cls.project
        return cls(
            root=root,
            services=services,
            models=tuple(model for model in measured if not model.optional),
            optional=tuple(model for model in measured if model.optional),
            shown=shown,
            blocks=written,
            project=project,
        )

    @property
    def downstream(self) -> Service:
        """The service behind the servers; raises UsageError if the file has none."""
        for service in self.services:
            if service.name == DOWNSTREAM.lower():
                return service
        raise UsageError(f"{COMPOSE_FILE} has no service {DOWNSTREAM.lower()}, in which requests can wait")

    @property
    def measured(self) -> tuple[Model, ...]:
        """All models that can be measured, in the order of their letters."""
        return tuple(sorted((*self.models, *self.optional), key=_letter))

    @property
    def family(self) -> tuple[Model, ...]:
        """The models and their relatives, in the order of their letters: all that is written."""
        relatives = [model for model in self.optional if RELATIVES in model.service.profiles]
        return tuple(sorted((*self.models, *relatives), key=_letter))

    def select(self, wanted: Sequence[str], option: str = "MODELS", *, shown_too: bool = False) -> tuple[Model, ...]:
        """Return the models named by letter or service name, in the lab's order.

        "main" names those that are not optional, "all" their relatives, too. With `shown_too`, servers that no
        benchmark measures can be named, too. Raises UsageError, which names the `option`, for an unknown name.
        """
        candidates = (*self.measured, *(self.shown if shown_too else ()))
        by_name = {key.lower(): [model] for model in candidates for key in (model.letter, model.name)}
        by_name |= {"main": list(self.models), "all": list(self.family)}
        for name in wanted:
            if name.lower() not in by_name:
                names = ", ".join(f"{model.letter} or {model.name}" for model in candidates)
                raise UsageError(f"{option}={name}: no such model; the models are {names}")
        chosen = {model.letter for name in wanted for model in by_name[name.lower()]}
        return tuple(model for model in candidates if model.letter in chosen)


def running_model(place: str, workers: int | None) -> Model:
    """Return the model of a server that already runs at `place`, a host and a port; None: its workers are not known."""
    service = Service("running", "", None, (), {}, {}, (), ())
    known = workers is not None
    return Model(RUNNING, f"your server, {place}", workers or math.inf, service, workers_known=known)


def find_root(start: Path) -> Path:
    """Return the lab's folder: `start` or the nearest folder above it with the lab's compose file."""
    for folder in (start, *start.parents):
        if (folder / COMPOSE_FILE).is_file() and (folder / "services").is_dir():
            return folder
    raise UsageError(f"no {COMPOSE_FILE} here or above: run this inside the lab's folder")


@functools.lru_cache(maxsize=4)
def _loaded(text: str) -> Any:
    """Return what YAML says; variables are inserted later, so that the same text is read once. Nothing changes it."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 (a safe one)


def _letter(model: Model) -> str:
    return model.letter


def _models(services: Sequence[Service], label: str) -> tuple[Model, ...]:
    """Return the servers that have the label, in the order of their letters."""
    return tuple(sorted((_model(each, each.labels[label]) for each in services if label in each.labels), key=_letter))


def _model(service: Service, letter: str) -> Model:
    workers_text, backlog_text = service.labels.get("iolab.workers", ""), service.labels.get("iolab.backlog")
    try:
        workers = math.inf if workers_text == "inf" else int(workers_text)
        if workers < 1:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{COMPOSE_FILE}: service {service.name}: iolab.workers is {workers_text!r}; it must be 1 or more, or inf"
        ) from None
    if not (backlog_text is None or (backlog_text.isascii() and backlog_text.isdecimal() and int(backlog_text) > 0)):
        raise UsageError(
            f"{COMPOSE_FILE}: service {service.name}: iolab.backlog is {backlog_text!r}; it must be 1 or more"
        )
    if not (service.ports and service.folder and service.command):
        raise UsageError(f"{COMPOSE_FILE}: service {service.name}: a model needs build.context, command and ports")
    backlog = None if backlog_text is None else int(backlog_text)
    title, connections = service.labels.get("iolab.title", service.name), connections_of(service.environment)
    return Model(letter, title, workers, service, backlog, connections)


def connections_of(environment: Mapping[str, str]) -> int | None:
    """Return how many connections to the downstream service a server with this environment has; None: it uses none.

    Raises UsageError.
    """
    text = environment.get(DOWNSTREAM) or "0"
    if not (text.isdecimal() and text.isascii() and int(text) <= MOST_CONNECTIONS):
        raise UsageError(f"{DOWNSTREAM}={text[:60]}: must be a whole number from 0 to {MOST_CONNECTIONS:,}")
    return int(text) or None
