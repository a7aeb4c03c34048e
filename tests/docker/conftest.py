"""Docker tests run in Compose projects of their own, so that they leave a lab that is up alone."""

import subprocess
from collections.abc import Iterator

import pytest

from iolab.runtime.compose import Engine
from iolab.runtime.docker import MADE_BY_COMPOSE
from tests import own


@pytest.fixture(autouse=True)
def project(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of this process's project; nothing of it may be left."""
    name = own.mine().name
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", name)
    yield name
    assert leftovers(name) == []


def listed(*options: str, project: str) -> list[str]:
    """Return what `docker ps` prints with these options of the containers that Compose has made for a project."""
    labels = ("--filter", f"label={MADE_BY_COMPOSE}", "--filter", f"label=com.docker.compose.project={project}")
    return subprocess.run(
        ["docker", "ps", *options, *labels], capture_output=True, text=True, check=True
    ).stdout.split()


def leftovers(project: str) -> list[str]:
    """Return the containers and networks whose names begin with the project's."""
    names = []
    for kind in (["ps", "-a", "--format", "{{.Names}}"], ["network", "ls", "--format", "{{.Name}}"]):
        found = subprocess.run(["docker", *kind], capture_output=True, text=True, check=True).stdout.split()
        names += [name for name in found if name.startswith(project)]
    return names
