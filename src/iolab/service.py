"""One service of docker-compose.yml, and the variables in its block."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iolab.errors import UsageError

COMPOSE_FILE = "docker-compose.yml"
MOST_PORT = 65_535


@dataclass(frozen=True)
class Port:
    """A port of a container (`container`) that the host offers at `address`:`host`."""

    address: str
    host: int
    container: int


@dataclass(frozen=True)
class Service:
    """One block of the compose file; `folder` is its build context, absolute.

    `written` is its environment with the names of variables.
    """

    name: str
    image: str
    folder: Path | None
    command: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[Port, ...]
    profiles: tuple[str, ...]
    written: Mapping[str, str] = field(default_factory=dict)

    def environment_with(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return its environment with some variables changed; what is fixed in the compose file stays."""
        found = {}
        for name, value in self.environment.items():
            written = self.written.get(name, f"${{{name}}}")
            found[name] = str(interpolate(written, variables)) if name in variables else value
        return found


def parsed(root: Path, name: str, block: Mapping[str, Any], written: Mapping[str, Any]) -> Service:
    """Return the service of a block; `written` is the same with the names of variables. Raises UsageError."""
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
            written={key: str(value) for key, value in written.get("environment", {}).items()},
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


_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<empty>:?)-(?P<default>[^}]*))?\})")


def interpolate(node: Any, variables: Mapping[str, str]) -> Any:
    """Insert variables into every string of `node`: $$, ${NAME}, ${NAME-default}, ${NAME:-default}."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = variables.get(match["name"])
        if found is None or (found == "" and match["empty"]):
            return match["default"] or ""
        return found

    if isinstance(node, str):
        return _VARIABLE.sub(value, node)
    if isinstance(node, Mapping):
        return {key: interpolate(child, variables) for key, child in node.items()}
    if isinstance(node, list):
        return [interpolate(child, variables) for child in node]
    return node
