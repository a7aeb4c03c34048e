"""The file that a benchmark in Docker lays over docker-compose.yml."""

import json
from collections.abc import Mapping

from iolab.lab import Lab
from iolab.runtime import ServerCommand


def override(lab: Lab, host: str, commands: Mapping[str, ServerCommand]) -> str:
    """Return what a benchmark changes in the compose file. JSON values are valid YAML; the tag replaces a list.

    Ports are any free ones, so that `make up` can run at the same time; there are no healthchecks, whose CPU time would
    be counted as the server's.
    """
    blocks = [
        f"  {model.name}:\n"
        f'    ports: !override ["{host}::{model.port.container}"]\n'
        f"    healthcheck: !override {{ disable: true }}\n"
        + "".join(f"    {key}: {json.dumps(value)}\n" for key, value in _changes(commands.get(model.name)).items())
        for model in (*lab.measured, *lab.shown)
    ]
    blocks += [f"  {lab.downstream.name}:\n    healthcheck: !override {{ disable: true }}\n"]
    return "services:\n" + "".join(blocks)


def _changes(command: ServerCommand | None) -> dict[str, object]:
    if command is None:
        return {}
    limits = {
        "ulimits": command.files and {"nofile": command.files},
        "pids_limit": command.tasks,
        "mem_limit": command.memory_bytes,
    }
    given: dict[str, object] = {key: value for key, value in limits.items() if value}
    return {"command": list(command.command), "environment": dict(command.variables), **given}
