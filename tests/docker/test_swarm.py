"""deploy/swarm.yml on a swarm of one node, only where IOLAB_SWARM=1 says so: the engine is its manager meanwhile."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from iolab.lab import Lab
from iolab.live.standing import variables
from iolab.runtime.compose import Compose, Engine
from tests.conftest import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.docker
GATEWAY = "docker_gwbridge"  # a network that a swarm makes, and leaves behind


def docker(*arguments: str) -> str:
    finished = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


@pytest.fixture
def swarm(engine: Engine) -> Iterator[None]:
    """Make a swarm of this engine, and end it; one that it is in already is left alone."""
    before = docker("network", "ls", "--format", "{{.Name}}").split()
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        yield
    finally:
        docker("swarm", "leave", "--force")
        if GATEWAY not in before:
            docker("network", "rm", GATEWAY)


def until(what: Callable[[], Any], limit_s: float) -> Any:
    """Return what `what` returns as soon as that is something; it may fail to reach its server meanwhile."""

    def tried() -> Any:
        with suppress(URLError, ConnectionError, TimeoutError):
            return what()
        return None

    return wait_until(tried, limit_s, every_s=0.5)


@pytest.mark.alone  # the engine is another one meanwhile
@pytest.mark.needs("swarm")
def test_the_stack_serves_and_its_workers_load_every_model(
    swarm: None, lab: Lab, engine: Engine, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADS", "all")
    models = [model.name for model in lab.models]
    Compose(ROOT, project, variables(lab, engine, 1)).build([*models, "locust"])
    page = f"http://127.0.0.1:{os.environ['LOCUST_PORT']}"

    def stats() -> Any:
        with urlopen(f"{page}/stats/requests", timeout=5) as answer:
            return json.load(answer)

    def asked() -> dict[str, int]:
        counts = {each["name"]: each["num_requests"] for each in stats()["stats"] if each["name"] != "Aggregated"}
        return counts if len(counts) == 3 * len(models) else {}

    try:
        docker("stack", "deploy", "--resolve-image", "never", "-c", str(ROOT / "deploy" / "swarm.yml"), project)
        until(lambda: sum(worker["state"] == "ready" for worker in stats().get("workers", [])) == 3, 90)
        wanted = [
            f"{model.letter}{model.name.capitalize()}{kind}" for model in lab.models for kind in ("", "Open", "Chat")
        ]
        load = [("user_count", len(wanted)), ("spawn_rate", len(wanted)), *(("user_classes", each) for each in wanted)]
        urlopen(f"{page}/swarm", urlencode(load).encode(), timeout=10).close()
        assert sorted(until(asked, 60)) == sorted(wanted)
        assert stats()["errors"] == []
        urlopen(f"{page}/stop", b"", timeout=10).close()
        for name in models:
            (identity,) = docker("ps", "-q", "--filter", f"name={project}_{name}.").split()
            (described,) = json.loads(docker("inspect", identity))
            check(described["HostConfig"], described["Config"])
            docker("exec", identity, "touch", "/tmp/writable")
    finally:
        docker("stack", "rm", project)
        until(lambda: not docker("ps", "-aq", "--filter", f"name={project}_"), 60)


def check(host: Any, config: Any) -> None:
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (1_000_000_000, 512 << 20, 2048)
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"], config["User"]) == (True, ["ALL"], True, "1000:1000")
