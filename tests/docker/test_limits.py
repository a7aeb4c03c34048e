"""What a container is really given, beside what was foreseen."""

import os
import subprocess

import pytest

from iolab.host import cores, limits, proc
from iolab.lab import Lab
from iolab.runtime.compose import Engine
from iolab.runtime.docker import DockerRuntime

pytestmark = pytest.mark.docker
IMAGE = os.environ.get("BASE_IMAGE") or "python:3.13-slim"


@pytest.mark.needs("engine here")
def test_a_container_may_have_as_many_files_as_its_engine_and_no_more() -> None:
    most = limits.read().engine_files
    assert most
    assert opened(most).stdout.split() == [str(most)]
    assert opened(most + 1).returncode != 0


@pytest.mark.needs("engine here")
@pytest.mark.parametrize("letter", ["A", "C"])
def test_a_server_and_the_load_get_their_open_files_from_the_lab(lab: Lab, engine: Engine, letter: str) -> None:
    """Whatever the engine gives a container that asks for nothing."""
    facts = limits.read()
    assert facts.engine_files
    wanted = min(65_536, facts.engine_files)
    runtime, plan = DockerRuntime(lab, engine, {}), cores.plan(1, range(engine.cores))
    model = lab.select([letter])[0]
    runtime.build([model])
    with runtime, runtime.serve(model, plan) as server:
        pids = server.pids()
        found = {(proc.limit(pid, "Max open files"), proc.limit(pid, "Max open files", hard=True)) for pid in pids}
        assert found == {(wanted, wanted)}
        assert runtime.facts()[limits.OPEN_FILES] == wanted
        known = runtime.pythons([model])[model.name]
        assert known.version[0] == "3"
        assert known.gil
        with runtime.driver("hey_driver.py", plan) as command:
            container = command[3]
            told = subprocess.run(
                ["docker", "exec", container, "sh", "-c", "ulimit -Hn"], capture_output=True, text=True, check=True
            )
        assert told.stdout.split() == [str(wanted)]


def opened(files: int) -> "subprocess.CompletedProcess[str]":
    limit = ("--ulimit", f"nofile={files}:{files}")
    command = ["docker", "run", "--rm", "--network", "none", *limit, IMAGE, "sh", "-c", "ulimit -Hn"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
