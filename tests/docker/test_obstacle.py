"""Why a container did not hold users: each reason provoked for real, by a limit of its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from iolab.kinds.crowd.obstacle import LossDiagnosis
from iolab.runtime import Denials, cgroup, footprint
from iolab.runtime.compose import Engine
from iolab.runtime.container import DockerServer
from iolab.runtime.probe import wait_until_ready
from tests.conftest import ROOT
from tests.docker.test_limits import IMAGE
from tests.own import free_ports
from tests.runtime.scripts import connected_users, holds, model
from tests.waiting import wait_until

pytestmark = pytest.mark.docker
PORT = 8000


@contextmanager
def contained(engine: Engine, name: str, folder: Path, script: str, **limits: Any) -> Iterator[DockerServer]:
    """Run a script as the lab's servers run: behind docker-init, in a container with these limits."""
    with closing(docker.DockerClient(base_url=engine.endpoint or None, timeout=60)) as client:
        container = client.containers.run(
            IMAGE,
            ["python3", "-u", "-c", script],
            name=name,
            detach=True,
            init=True,
            environment={"HOST": "0.0.0.0", "PORT": str(PORT)},
            ports={f"{PORT}/tcp": ("127.0.0.1", free_ports(1)[0])},
            **limits,
        )
        try:
            with closing(DockerServer(model(folder, PORT, "python3"), container)) as server:
                wait_until_ready(server.address, server.check_alive)
                yield server
        finally:
            container.remove(force=True)


def test_a_container_may_have_no_more_tasks(engine: Engine, project: str, tmp_path: Path) -> None:
    with contained(engine, f"{project}-pids", tmp_path, holds(), pids_limit=30) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60) as (waiting, refused):
            obstacle, evidence = diagnosis.why(waiting, refused, None)
            seen = footprint.read(server)
            pids = server.pids()
    assert waiting + refused > 20
    assert obstacle == "pids"
    assert "pids.events" in evidence
    assert seen.threads == 29  # and docker-init
    if pids:
        assert len(pids) == 1
        assert seen.context_switches
        assert (seen.virtual_bytes or 0) > (seen.rss_bytes or 0) > 2**20


def test_where_the_engine_is_elsewhere_a_shell_in_the_container_tells(
    engine: Engine, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup.HostWatch, "find", lambda *_: None)
    with contained(engine, f"{project}-inside", tmp_path, holds(), pids_limit=30) as server:
        assert server.denials() == Denials(tasks=0, kills=0)
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60) as (waiting, refused):
            obstacle, _ = diagnosis.why(waiting, refused, None)
            seen = footprint.read(server)
    assert obstacle == "pids"
    assert seen.threads == 28  # the shell takes one
    assert (seen.virtual_bytes, seen.context_switches) == (None, None)


def test_the_chat_server_of_threads_may_have_no_more_tasks(engine: Engine, project: str, tmp_path: Path) -> None:
    chat = (ROOT / "services" / "threadperconnection" / "chat.py").read_text()
    with contained(engine, f"{project}-chat", tmp_path, chat, pids_limit=30) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60, path="/poll?{number}") as (waiting, refused):
            obstacle, evidence = diagnosis.why(waiting, refused, None)
            words = server.last_output()
    assert waiting + refused == 60 - 28  # the main thread and docker-init take two of 30
    assert "can't start new thread" in words
    assert (obstacle, "with 29 threads" in evidence) == ("pids", True)


def test_a_container_has_no_more_memory(engine: Engine, project: str, tmp_path: Path) -> None:
    greedy = holds(first="kept = []", each="kept.append(b'x' * 2**21 if b'healthz' not in asked else b'')")
    with contained(engine, f"{project}-memory", tmp_path, greedy, mem_limit="40m", memswap_limit="40m") as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 40) as (waiting, refused):
            # The kernel looks for pages to free, and Docker for the reason, for a second or two.
            verdict = wait_until(lambda: last(diagnosis.why(waiting, refused, None)))
    assert "memory" in verdict[1]


def last(verdict: tuple[str | None, str]) -> tuple[str | None, str] | None:
    """Return a verdict that says memory; what may be said before that is known is nothing."""
    assert verdict[0] in ("memory", "slow", "refused", "died"), verdict
    return verdict if verdict[0] == "memory" else None


def test_a_process_of_a_container_is_ended_for_memory(engine: Engine, project: str, tmp_path: Path) -> None:
    """Its parent goes on, so the container does."""
    greedy = "if os.fork() == 0:\n    time.sleep(1)\n    kept = b'x' * 2**28\nthreading.Thread(target=os.wait).start()"
    with contained(engine, f"{project}-child", tmp_path, holds(first=greedy), mem_limit="40m", memswap_limit="40m") as (
        server
    ):
        diagnosis = LossDiagnosis(server)
        assert len(server.pids()) in (0, 2)
        verdict = wait_until(lambda: last(diagnosis.why(0, 5, None)))
        wait_until(lambda: len(server.pids()) in (0, 1))
    assert verdict == ("memory", "the kernel killed 1 process of the server: its memory limit was reached")


def test_a_container_may_open_no_more_files(engine: Engine, project: str, tmp_path: Path) -> None:
    few = [docker.types.Ulimit(name="nofile", soft=30, hard=30)]
    with contained(engine, f"{project}-files", tmp_path, holds(), ulimits=few) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60) as (waiting, refused):
            obstacle, evidence = diagnosis.why(waiting, refused, None)
    assert obstacle == "files"
    assert "30 of 30 open files" in evidence or "Too many open files" in evidence
