"""What tests share: the lab, free ports, a command line of its own, and an engine where there is one."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from iolab.errors import EngineMissing
from iolab.lab import Lab
from iolab.runtime.compose import Engine, find_engine

ROOT = Path(__file__).parents[1]
PORT_VARIABLES = (
    "BLOCKING_PORT",
    "THREADPOOL_PORT",
    "ASYNCIO_PORT",
    "THREADPERCONNECTION_PORT",
    "BROKEN_PORT",
    "STREAMLIT_PORT",
    "LOCUST_PORT",
    "LOCUST_MASTER_PORT",
)
OPTIONS = (
    "CPUS",
    "MODELS",
    "CONCURRENCY",
    "REQUESTS",
    "REPEATS",
    "LOADGEN",
    "RUNTIME",
    "WAIT_MS",
    "BACKLOG",
    "THREADS",
)


DISTURBANCES = {"stolen_time", "busy_machine"}
EFFECTS = {"outlier_repeat", "first_run", "repeats_disagree", "littles_law"}


def undisturbed(found: Iterable[str]) -> set[str]:
    """Return findings without those of a machine that others share, and without what that causes, if it was seen."""
    ids = set(found)
    return ids - DISTURBANCES - EFFECTS if ids & DISTURBANCES else ids


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hypervisor that keeps half of the CPU time for a minute is no fault of the lab's: measure again, not all anew."""
    for item in items:
        if item.get_closest_marker("measures"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))


def free_ports(count: int) -> list[int]:
    """Return ports that nobody had a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No option of the lab is set by whoever runs the tests."""
    for name in (*OPTIONS, *PORT_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lab(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The real lab, on free ports."""
    for name, port in zip(PORT_VARIABLES, free_ports(len(PORT_VARIABLES)), strict=True):
        monkeypatch.setenv(name, str(port))
    return Lab.read(ROOT)


def lab_with_a_fifth_model(folder: Path, server: str) -> Path:
    """Copy the lab, and add a model E, `fifth`, whose server is this text: one folder and one block."""
    folder.mkdir()
    for name in ("docker-compose.yml", "experiments", "loadtest", "services"):
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)
    (folder / "services" / "fifth").mkdir()
    (folder / "services" / "fifth" / "server.py").write_text(server)
    block = """
  fifth:
    <<: *server
    image: iolab-fifth
    build: { <<: *build, context: services/fifth }
    command: [python3, server.py]
    environment: { <<: *server-environment, PORT: 8084 }
    ports: ["${BIND:-127.0.0.1}:${THREADPERCONNECTION_PORT:-8084}:8084"]
    labels: { iolab.model: E, iolab.title: Fifth, iolab.workers: inf }
"""
    compose = folder / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("\n  streamlit:", f"{block}\n  streamlit:", 1))
    return folder


@pytest.fixture
def engine() -> Engine:
    """A Docker engine; without one the test is skipped, unless IOLAB_REQUIRE_DOCKER=1 says that there must be one."""
    try:
        return find_engine()
    except EngineMissing as missing:
        if os.environ.get("IOLAB_REQUIRE_DOCKER") == "1":
            pytest.fail(f"IOLAB_REQUIRE_DOCKER=1, but {missing}")
        pytest.skip(str(missing))


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(lab: Lab, tmp_path: Path) -> Iterator[Start]:
    """Start `iolab` as a user would, in the lab's folder, with results and lock of its own; stop it at the end."""
    (tmp_path / "tmp").mkdir()
    own = {"RESULTS": str(tmp_path / "results"), "TMPDIR": str(tmp_path / "tmp")}
    started: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: str, variables: Mapping[str, str] | None = None, cwd: Path = ROOT, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "iolab", *arguments],
            cwd=cwd,
            env={**os.environ, **own, **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def iolab(start: Start) -> Run:
    """Run `iolab` to its end."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or whichever there is; tests that require Docker require it too."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        if os.environ.get("IOLAB_REQUIRE_DOCKER") == "1":
            pytest.fail("there is no Chromium on PATH")
        pytest.skip("there is no Chromium on PATH")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
