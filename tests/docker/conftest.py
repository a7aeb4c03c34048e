"""Docker tests run in Compose projects of their own, so that they leave a lab that is up alone."""

import subprocess
from collections.abc import Iterator

import pytest

from iolab.runtime.compose import Engine
from tests import own


@pytest.fixture(autouse=True)
def project(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of this process's project; nothing of it may be left."""
    name = own.mine().name
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", name)
    yield name
    assert leftovers(name) == []


def leftovers(project: str) -> list[str]:
    """Return the containers and networks whose names begin with the project's."""
    names = []
    for kind in (["ps", "-a", "--format", "{{.Names}}"], ["network", "ls", "--format", "{{.Name}}"]):
        listed = subprocess.run(["docker", *kind], capture_output=True, text=True, check=True).stdout.split()
        names += [name for name in listed if name.startswith(project)]
    return names
