"""The server that is broken on purpose: it does what `make break` says of it, and its own log names the culprit."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from iolab.kinds.breaking.culprit import find_culprit
from iolab.lab import Lab
from iolab.runtime import probe
from tests.conftest import ROOT
from tests.contract.test_servers import LINES_OF_A_SCREEN
from tests.own import environment, free_ports

FOLDER = ROOT / "services" / "asyncio"
SOURCE = (FOLDER / "server_broken.py").read_text()

Launch = Callable[..., subprocess.Popen[str]]
Serve = Callable[..., tuple[subprocess.Popen[str], tuple[str, int]]]


@pytest.fixture
def launch() -> Iterator[Launch]:
    started: list[subprocess.Popen[str]] = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "server_broken.py"],
            cwd=FOLDER,
            env={**environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the processes of a pool outlive a parent that is killed
        process.communicate()


@pytest.fixture
def serve(launch: Launch) -> Serve:
    def begin(**variables: str) -> tuple[subprocess.Popen[str], tuple[str, int]]:
        (port,) = free_ports(1)
        process = launch(PORT=str(port), **variables)
        probe.wait_until_ready(("127.0.0.1", port), lambda: None)
        return process, ("127.0.0.1", port)

    return begin


def at_once(address: tuple[str, int], users: int) -> list[float]:
    """Return the response times of `users` requests sent at once, sorted."""
    with ThreadPoolExecutor(users) as pool:
        answers = list(pool.map(lambda _: probe.get(address, "/", 20), range(users)))
    assert {status for status, *_ in answers} == {200}
    return sorted(latency_s for _, latency_s, _ in answers)


@pytest.mark.parametrize("name", ["server_broken.py", "watchdog.py", "refusals.py"])
def test_fits_on_one_screen(name: str) -> None:
    assert len((FOLDER / name).read_text().splitlines()) <= LINES_OF_A_SCREEN


def test_it_is_shown_and_not_measured() -> None:
    lab = Lab.read(ROOT)
    assert [model.name for model in lab.shown] == ["broken"]
    assert "broken" not in [model.name for model in lab.models]
    assert lab.shown[0].service.profiles == ("break",)


@pytest.mark.measures
@pytest.mark.parametrize(("place", "at_least", "at_most"), [("await", 1, 2), ("thread", 2, 3), ("loop", 4, 6)])
def test_where_the_work_is_done_says_how_many_wait_together(
    serve: Serve, place: str, at_least: float, at_most: float
) -> None:
    """Four requests of 200 ms: all at once, two by two, or one after the other."""
    _, address = serve(WORK_IN=place, WAIT_MS="200", POOL="2")
    assert 0.19 * at_least <= at_once(address, 4)[-1] < 0.2 * at_most


@pytest.mark.parametrize("place", ["thread", "process"])
def test_processes_compute_side_by_side_and_threads_in_one(serve: Serve, place: str) -> None:
    """Whether that is faster hangs on who else computes on this machine; who does it does not."""
    process, address = serve(WORK_IN=place, WAIT_MS="0", CPU_MS="300", POOL="2")
    at_once(address, 2)
    me = psutil.Process(process.pid)
    spent = [sum(each.cpu_times()[:2]) for each in (me, *me.children())]
    if place == "thread":
        assert len(spent) == 1
        assert spent[0] > 0.5
    else:
        assert [one > 0.2 for one in spent[1:]] == [True, True]


@pytest.mark.measures
@pytest.mark.parametrize(("place", "blocked"), [("await", False), ("loop", True), ("thread", False)])
def test_what_blocks_the_loop_blocks_a_bystander(serve: Serve, place: str, blocked: bool) -> None:
    _, address = serve(WORK_IN=place, WAIT_MS="600")
    with ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        request = pool.submit(probe.get, address, "/", 20)
        looks_s = []
        while not request.done():
            looks_s.append(probe.get(address, "/healthz", 20)[1])
        _, took_s, _ = request.result()
    assert took_s > 0.59
    assert time.monotonic() - begin < 20
    assert (max(looks_s) > 0.3) == blocked  # one of them comes while the work is done


@pytest.mark.measures
@pytest.mark.parametrize(
    ("work", "variables", "line"),
    [
        ("wait", {"WAIT_MS": "40"}, "time.sleep(WAIT_S)"),
        ("compute", {"WAIT_MS": "0", "CPU_MS": "40"}, "while time.thread_time() < end:"),
    ],
)
def test_its_log_names_the_coroutine_and_the_line(
    serve: Serve, work: str, variables: dict[str, str], line: str
) -> None:
    process, address = serve(WORK_IN="loop", WATCH_MS="120", **variables)
    for _ in range(3):
        at_once(address, 8)
    process.terminate()
    _, log = process.communicate(timeout=10)
    found = find_culprit("wait" if work == "wait" else "compute", log)
    assert found.coroutine
    assert found.coroutine.what == "answer()"
    name, number = found.coroutine.where.split(":")
    assert name == "server_broken.py"
    assert "async def answer" in SOURCE.splitlines()[int(number) - 1]
    assert found.line
    assert found.line.what in (line, "pass")  # the two lines of the loop that computes
    assert found.line.what in SOURCE.splitlines()[int(found.line.where.split(":")[1]) - 1]


@pytest.mark.parametrize("place", ["await", "loop", "thread", "process"])
def test_it_ends_on_sigterm_and_leaves_no_process(serve: Serve, place: str) -> None:
    process, address = serve(WORK_IN=place, POOL="2")
    at_once(address, 4)
    children = psutil.Process(process.pid).children(recursive=True)
    assert bool(children) == (place == "process")
    process.terminate()
    stdout, stderr = process.communicate(timeout=10)
    assert process.returncode == 0
    assert len(stdout.splitlines()) == 1
    assert stderr == ""
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "eighty"),
        ("WAIT_MS", "-1"),
        ("WAIT_MS", "nan"),
        ("CPU_MS", "soon"),
        ("POOL", "0"),
        ("POOL", "2.5"),
        ("WATCH_MS", "-1"),
        ("WORK_IN", "cloud"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(launch: Launch, name: str, value: str) -> None:
    process = launch(**{name: value})
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (2, "")
    (line,) = stderr.splitlines()
    assert line.startswith(f"{name}={value}: must be ")


@pytest.mark.parametrize("place", ["loop", "thread", "process"])
def test_a_taken_port_ends_it_with_one_line_and_status_2(launch: Launch, place: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        process = launch(PORT=str(port), WORK_IN=place, POOL="2")
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith(f"PORT={port}: ")


def test_unknown_paths_are_404(serve: Serve) -> None:
    _, address = serve()
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request("GET", "/nowhere")
    assert connection.getresponse().status == 404
    connection.close()
