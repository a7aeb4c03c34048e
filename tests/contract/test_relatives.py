"""What each relative teaches, as shapes: a queue for all or one for each, patched and other waits, its own limits."""

import http.client
import math
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from iolab.contract import requests, suite
from iolab.contract.server import Launcher
from iolab.experiment import ServerSettings
from iolab.kinds.closed.plan import Trial, prediction
from iolab.lab import Lab, Model
from tests import own
from tests.conftest import ROOT, Run
from tests.contract import forks
from tests.contract.test_servers import Running, launched, serving
from tests.waiting import wait_until

pytestmark = pytest.mark.load  # servers E to K

LAB = Lab.read(ROOT)


def model(letter: str) -> Model:
    (found,) = LAB.select([letter])
    return found


def processes(port: int, requests: int) -> Counter[str]:
    """Return how many of some requests each process has served, as their answers say."""
    found = Counter[str]()
    for _ in range(requests):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        found.update(re.findall(r"process;desc=(\d+)", answer.decode()))
    return found


@pytest.mark.measures
def test_e_with_one_queue_leaves_no_process_idle_while_a_request_waits() -> None:
    with serving(model("E"), PROCESSES="4", WAIT_MS="300") as server:
        assert server.at_once(4)[-1] < 1.9 * 0.3
        assert server.at_once(8)[-1] < 2.9 * 0.3


@pytest.mark.measures
def test_e_with_a_queue_each_lets_requests_wait_beside_an_idle_process() -> None:
    """That each of 4 requests gets a queue of its own has a probability of 4!/4^4, 9%: of ten times, once."""
    with serving(model("E"), PROCESSES="4", REUSEPORT="1", WAIT_MS="150") as server:
        slowest_s = sorted(server.at_once(4)[-1] for _ in range(10))
        assert slowest_s[5] >= 1.9 * 0.15


@pytest.mark.parametrize("reuseport", ["0", "1"])
def test_e_says_which_of_its_processes_served_a_request(reuseport: str) -> None:
    with serving(model("E"), PROCESSES="3", REUSEPORT=reuseport) as server:
        found = processes(server.port, 60)
        assert found.total() == 60
        # Which of the processes that wait at one queue gets a connection is the kernel's affair.
        wait_until(lambda: len(found) == 3 or found.update(processes(server.port, 20)))
    assert set(found) == {"0", "1", "2"}


@pytest.mark.parametrize(("reuseport", "queues"), [("0", 1), ("1", 3)])
@pytest.mark.needs("ss")
def test_e_listens_with_one_socket_or_one_for_each_process(reuseport: str, queues: int) -> None:
    with serving(model("E"), PROCESSES="3", REUSEPORT=reuseport) as server:
        text = subprocess.run(
            ["ss", "-Hltn", f"sport = :{server.port}"], capture_output=True, text=True, check=True
        ).stdout
        assert len(text.splitlines()) == queues


def test_e_ends_if_one_of_its_processes_ends() -> None:
    with serving(model("E"), PROCESSES="3") as server:
        children = psutil.Process(server.process.pid).children()
        children[1].kill()
        assert server.process.wait(10) == 1
        psutil.wait_procs(children, timeout=10)
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


@pytest.mark.parametrize("name", ["PROCESSES", "REUSEPORT"])
def test_e_refuses_bad_values(name: str) -> None:
    for value in ("-1", "many", "65"):
        with launched(model("E"), **{name: value}) as process:
            _, stderr = process.communicate(timeout=10)
        assert process.returncode == 2
        assert stderr.startswith(f"{name}={value}: must be")


PATCHED = """
import sys
from gevent import monkey, joinall, spawn
monkey.patch_all()
import ctypes, time
wait = {"time.sleep": lambda: time.sleep(0.05), "C": lambda: ctypes.CDLL(None).usleep(50_000)}[sys.argv[1]]
begin = time.perf_counter()
joinall([spawn(wait) for _ in range(8)])
print(time.perf_counter() - begin)
"""


@pytest.mark.needs("gevent")
@pytest.mark.measures
def test_under_gevent_time_sleep_lets_others_run_and_a_wait_in_c_blocks_all() -> None:
    took_s = {
        how: float(
            subprocess.run([sys.executable, "-c", PATCHED, how], capture_output=True, text=True, check=True).stdout
        )
        for how in ("time.sleep", "C")
    }
    assert took_s["time.sleep"] < 0.2
    assert took_s["C"] >= 0.4


@pytest.mark.needs("gevent")
@pytest.mark.measures
def test_a_s_own_server_stays_serial_under_gevent() -> None:
    """What the comment in F says: who accepts must run beside those who serve."""
    blocking, file = model("A"), ROOT / "services" / "blocking" / "server.py"
    patched = f"from gevent import monkey; monkey.patch_all(); import runpy; runpy.run_path({str(file)!r}, run_name='__main__')"
    (port,) = own.free_ports(1)
    environment = {
        **own.environment(),
        "PYTHONPATH": str(file.parent),
        "PORT": str(port),
        "WAIT_MS": "200",
        "BACKLOG": "16",
    }
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", patched], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().startswith("blocking server")
            assert Running(blocking, port, process).at_once(4)[-1] >= 3.8 * 0.2
        finally:
            process.kill()


@pytest.mark.needs("uvicorn")
@pytest.mark.parametrize("pure", ["0", "1"])
def test_g_answers_alike_in_both_implementations(pure: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    chosen = model("G")
    variables = {**chosen.service.environment, "PURE_PYTHON": pure}
    launcher = Launcher(_with(chosen, variables), tmp_path_factory.mktemp("g"), lambda: own.free_ports(1)[0])
    for holds in (
        requests.answers_after_the_wait,
        requests.refuses_a_body,
        requests.refuses_garbage,
        requests.keeps_alive,
    ):
        holds(launcher)
    with serving(chosen, PURE_PYTHON=pure) as server:
        assert server.process.stdout
        assert ("asyncio" if pure == "1" else "uvloop") in server.process.stdout.readline()


@pytest.mark.needs("uvicorn")
@pytest.mark.measures
@pytest.mark.parametrize("pure", ["0", "1"])
def test_no_answer_of_g_waits_for_a_delayed_acknowledgement(pure: str) -> None:
    """Linux delays one by 40 ms: a server that sends an answer in two pieces would wait for it before the second."""
    with serving(model("G"), PURE_PYTHON=pure, WAIT_MS="5") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with closing(connection):
            took_s = []
            for _ in range(40):
                begin = time.perf_counter()
                connection.request("GET", "/")
                assert connection.getresponse().read() == b"uvicorn\n"
                took_s.append(time.perf_counter() - begin)
    assert sorted(took_s)[len(took_s) * 3 // 4] < 0.04


def _with(chosen: Model, variables: dict[str, str]) -> Model:
    return replace(chosen, service=replace(chosen.service, environment=variables))


def test_h_accepts_98_connections_of_clients_and_serves_4_at_once() -> None:
    chosen = model("H")
    assert chosen.workers == 4
    with serving(chosen, WAIT_MS="5") as server, ExitStack() as stack:
        users = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(99)]
        for user in users[:98]:
            user.sendall(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
            assert user.recv(12) == b"HTTP/1.1 200"
        users[98].sendall(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
        users[98].settimeout(0.5)
        with pytest.raises(TimeoutError):
            users[98].recv(12)


@pytest.mark.needs("go")
def test_k_computes_as_many_requests_at_once_as_it_may_use_cpus() -> None:
    """Go's scheduler says every 50 ms how many requests it runs, whether or not the machine has a core for each."""
    for cpus in (1, 2):
        variables = {"WAIT_MS": "0", "CPU_MS": "300", "GOMAXPROCS": str(cpus), "GODEBUG": "schedtrace=50"}
        with serving(model("K"), **variables) as server, ThreadPoolExecutor(4) as pool:
            assert [status for status, *_ in pool.map(lambda _: server.request("/"), range(4))] == [200] * 4
            server.process.terminate()
            _, said = server.process.communicate(timeout=10)
        busy = [int(most) - int(idle) for most, idle in re.findall(r"gomaxprocs=(\d+) idleprocs=(\d+)", said)]
        assert max(busy) == cpus


def test_theory_lets_k_compute_on_as_many_cpus_as_there_are() -> None:
    settings, places = ServerSettings(wait_ms=20, cpu_ms=5), ((1, 200), (2, 400))
    for cpus, expected_rps in places:
        trial = Trial(index=0, repeat=1, model="K", service="go", concurrency=64, cpus=cpus, requests=64)
        assert prediction(trial, model("K"), settings).throughput_rps == pytest.approx(expected_rps)
        assert prediction(trial, model("J"), settings).throughput_rps == pytest.approx(200)


def test_promises_that_follow_from_the_workers_are_those_of_each_relative() -> None:
    assert {each.letter: each.workers for each in LAB.family if each.optional} == {
        "E": 8, "F": math.inf, "G": math.inf, "H": 4, "J": math.inf, "K": math.inf
    }  # fmt: skip
    assert all(suite.script(each).is_file() for each in LAB.family)


def test_crowds_of_relatives_are_refused_in_a_line(inside: Run) -> None:
    for letter in "EFGHJK":
        done = inside("crowd", "--models", letter, "--runtime", "local")
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"iolab: no chat server of {letter} supports websocket or poll")


@pytest.mark.needs("linux")
@pytest.mark.parametrize("reuseport", ["0", "1"])
def test_e_is_whole_when_it_answers_and_leaves_no_process_behind_when_its_parent_is_killed(
    reuseport: str, tmp_path: Path
) -> None:
    """Only Linux tells a child that its parent has ended."""
    slow = forks.variables(tmp_path, forks.SLOW)
    with serving(model("E"), PROCESSES="3", REUSEPORT=reuseport, **slow) as server:
        parent = psutil.Process(server.process.pid)
        children = parent.children()
        assert len(children) == 3
        parent.kill()
        assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_process_of_e_whose_parent_was_killed_at_its_start_ends(tmp_path: Path) -> None:
    (port,) = own.free_ports(1)
    with launched(model("E"), PORT=str(port), **forks.variables(tmp_path, forks.LOST)) as process:
        assert process.stdout
        orphan = int(process.stdout.readline())
        process.wait(10)
        wait_until(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE)
