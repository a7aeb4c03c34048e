"""Reads docker-compose.yml, the registry of services; the only reader of that file."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from iolab import env_file
from iolab.errors import UsageError

COMPOSE_FILE = "docker-compose.yml"
MOST_PORT = 65_535
MEASURED, SHOWN = "iolab.model", "iolab.shown"  # labels; each value is a letter
THREADS = "iolab.threads"  # label; "each": a thread for each connection


@dataclass(frozen=True)
class Port:
    """A port of a container (`container`) that the host offers at `address`:`host`."""

    address: str
    host: int
    container: int


@dataclass(frozen=True)
class Service:
    """One block of the compose file; `folder` is its build context, absolute."""

    name: str
    image: str
    folder: Path | None
    command: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[Port, ...]
    profiles: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A measured server: `workers` requests can wait in it at once (math.inf: any number).

    `backlog` is the listen backlog that it sets itself; None for one that accepts connections it cannot serve yet.
    """

    letter: str
    title: str
    workers: float
    service: Service
    backlog: int | None = None

    @property
    def name(self) -> str:
        """The name of its service."""
        return self.service.name

    @property
    def thread_each(self) -> bool:
        """Whether every connection has a thread of its own."""
        return self.service.labels.get(THREADS) == "each"

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

    `models` are those that "all" stands for; `optional` ones are measured only when they are named. `shown` are similar
    servers that no benchmark measures: each belongs to one experiment. `blocks` are the services as they are written,
    with the names of variables.
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
            written = yaml.safe_load(text)["services"]
            blocks = dict(_interpolate(written, variables))
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{COMPOSE_FILE} cannot be read: {' '.join(str(error).split())}") from error
        services = tuple(_service(root, name, block) for name, block in blocks.items())
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
    def measured(self) -> tuple[Model, ...]:
        """All models that can be measured, in the order of their letters."""
        return tuple(sorted((*self.models, *self.optional), key=_letter))

    def select(self, wanted: Sequence[str], option: str = "MODELS", *, shown_too: bool = False) -> tuple[Model, ...]:
        """Return the models named by letter or service name, in the lab's order; "all" names all but optional ones.

        With `shown_too`, servers that no benchmark measures can be named, too. Raises UsageError, which names the
        `option`, for an unknown name.
        """
        candidates = (*self.measured, *(self.shown if shown_too else ()))
        by_name = {key.lower(): [model] for model in candidates for key in (model.letter, model.name)}
        by_name["all"] = list(self.models)
        for name in wanted:
            if name.lower() not in by_name:
                names = ", ".join(f"{model.letter} or {model.name}" for model in candidates)
                raise UsageError(f"{option}={name}: no such model; the models are {names}")
        chosen = {model.letter for name in wanted for model in by_name[name.lower()]}
        return tuple(model for model in candidates if model.letter in chosen)


def find_root(start: Path) -> Path:
    """Return the lab's folder: `start` or the nearest folder above it with the lab's compose file."""
    for folder in (start, *start.parents):
        if (folder / COMPOSE_FILE).is_file() and (folder / "services").is_dir():
            return folder
    raise UsageError(f"no {COMPOSE_FILE} here or above: run this inside the lab's folder")


def _letter(model: Model) -> str:
    return model.letter


def _service(root: Path, name: str, block: Mapping[str, Any]) -> Service:
    build = block.get("build")
    context = build.get("context") if isinstance(build, Mapping) else build
    try:
        return Service(
            name=name,
            image=str(block.get("image", "")),
            folder=(root / context).resolve() if context else None,
            command=tuple(str(word) for word in block.get("command", ())),
            environment={key: str(value) for key, value in block.get("environment", {}).items()},
            labels={key: str(value) for key, value in block.get("labels", {}).items()},
            ports=tuple(_port(text) for text in block.get("ports", ())),
            profiles=tuple(block.get("profiles", ())),
        )
    except (AttributeError, ValueError) as error:
        raise UsageError(f"{COMPOSE_FILE}: service {name}: {error}") from error


def _port(text: str) -> Port:
    match = re.fullmatch(r"(?P<address>.+):(?P<host>\d+):(?P<container>\d+)", str(text))
    if not match:
        raise ValueError(f"port {text!r} is not of the form ADDRESS:PORT:PORT")
    for port in (match["host"], match["container"]):
        if not 1 <= int(port) <= MOST_PORT:
            raise ValueError(f"port {port}: must be from 1 to {MOST_PORT}; see .env for ports that were changed")
    return Port(match["address"].strip("[]"), int(match["host"]), int(match["container"]))


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
    if not (backlog_text is None or (backlog_text.isdecimal() and int(backlog_text) > 0)):
        raise UsageError(
            f"{COMPOSE_FILE}: service {service.name}: iolab.backlog is {backlog_text!r}; it must be 1 or more"
        )
    if not (service.ports and service.folder and service.command):
        raise UsageError(f"{COMPOSE_FILE}: service {service.name}: a model needs build.context, command and ports")
    backlog = None if backlog_text is None else int(backlog_text)
    return Model(letter, service.labels.get("iolab.title", service.name), workers, service, backlog)


_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<empty>:?)-(?P<default>[^}]*))?\})")


def _interpolate(node: Any, variables: Mapping[str, str]) -> Any:
    """Insert variables into every string of `node`: $$, ${NAME}, ${NAME-default}, ${NAME:-default}."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = variables.get(match["name"])
        if found is None or (found == "" and match["empty"]):
            return match["default"] or ""
        return found

    if isinstance(node, Mapping):
        return {key: _interpolate(child, variables) for key, child in node.items()}
    if isinstance(node, list):
        return [_interpolate(child, variables) for child in node]
    return _VARIABLE.sub(value, node) if isinstance(node, str) else node
