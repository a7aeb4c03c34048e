"""The containers of a project, as an engine lists them while it removes others."""

from collections.abc import Callable, Mapping
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from iolab.errors import ServerFailed
from iolab.lab import Lab
from iolab.runtime.compose import Engine
from iolab.runtime.docker import DockerRuntime

ENGINE = Engine("29.0", "2.40", 2, "2", "", rootless=False, cpusets=True)
Known = Mapping[str, str]


@pytest.fixture
def runtime(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[[Known], DockerRuntime]:
    """Return a runtime whose engine lists these containers, each with its state; "gone" is not there any more."""
    found = DockerRuntime(lab, ENGINE, {})
    client = docker.DockerClient(base_url="http://127.0.0.1:1", version="1.41")
    monkeypatch.setattr(found, "_client", client, raising=False)

    def told(known: Known) -> DockerRuntime:
        def inspected(identity: str) -> Mapping[str, Any]:
            if known[identity] == "gone":
                raise NotFound(f"No such container: {identity}")
            return {"Id": identity, "State": {"Status": known[identity]}}

        monkeypatch.setattr(client.api, "containers", lambda **_: [{"Id": each} for each in known])
        monkeypatch.setattr(client.api, "inspect_container", inspected)
        return found

    return told


@pytest.mark.parametrize("earlier", ["gone", "removing", "dead"])
def test_an_earlier_container_that_is_being_removed_is_not_taken_for_the_new_one(
    runtime: Callable[[Known], DockerRuntime], earlier: str
) -> None:
    found = runtime({"old": earlier, "new": "running"})._container("label", "com.docker.compose.service=asyncio")
    assert found.id == "new"


def test_without_the_container_that_is_said(runtime: Callable[[Known], DockerRuntime]) -> None:
    with pytest.raises(ServerFailed, match="the container with x is gone"):
        runtime({"old": "gone"})._container("label", "x")
