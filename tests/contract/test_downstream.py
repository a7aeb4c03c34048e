"""DOWNSTREAM=n: a request holds one of n connections to the downstream service for its wait, and gives it back."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from iolab.lab import Lab, Model
from tests import own
from tests.conftest import ROOT
from tests.contract.test_servers import LINES_OF_A_SCREEN, Running, launched, serving
from tests.waiting import wait_until

FOLDER = ROOT / "services" / "downstream"
POOLED = [model for model in Lab.read(ROOT).family if model.can_wait_downstream]
MODELS = [
    pytest.param(each, id=each.name, marks=[pytest.mark.needs(each.name), *([pytest.mark.load] * each.optional)])
    for each in POOLED
]


@contextmanager
def downstream(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the downstream service, on any free port by default."""
    process = subprocess.Popen(
        [sys.executable, "server_downstream.py"],
        cwd=FOLDER,
        env={**own.environment(), "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process, int(process.stdout.readline().split()[-1])
    finally:
        process.kill()
        process.communicate()


@dataclass
class Relay:
    """Stands before the downstream service, and counts connections, and requests that it holds."""

    target: int
    port: int = 0
    opened: int = 0
    now: int = 0
    most: int = 0
    asked: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.opened += 1
                threading.Thread(target=self._relay, args=(connection,), daemon=True).start()

    def _relay(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, socket.create_connection(("127.0.0.1", self.target)) as behind:
            while line := connection.recv(64):
                with self.lock:
                    self.asked.append(line)
                    self.now += 1
                    self.most = max(self.most, self.now)
                behind.sendall(line)
                answer = behind.recv(64)
                with self.lock:
                    self.now -= 1
                if not answer:
                    return
                connection.sendall(answer)


@contextmanager
def relayed(target: int) -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        relay = Relay(target, listener.getsockname()[1])
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        yield relay
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def pooled(model: Model, size: int, port: int, **variables: str) -> Iterator[Running]:
    place = {"DOWNSTREAM": str(size), "DOWNSTREAM_HOST": "127.0.0.1", "DOWNSTREAM_PORT": str(port)}
    with serving(model, **{**place, "BACKLOG": "128", **variables}) as server:
        yield server


def workers(model: Model) -> int:
    return int(min(model.workers, 12))


@pytest.mark.parametrize("model", MODELS)
def test_never_more_than_n_requests_wait_downstream(model: Model) -> None:
    with downstream() as (_, port), relayed(port) as relay:
        with pooled(model, 3, relay.port, WAIT_MS="60") as server:
            server.at_once(12)
            server.at_once(12)
        most = min(3, workers(model))
        assert (relay.most, relay.opened) == (most, most)  # its connections stay open
        assert relay.asked == [b"60.000\n"] * 24


@pytest.mark.parametrize("model", MODELS)
def test_without_it_nothing_waits_downstream(model: Model) -> None:
    with downstream() as (_, port), relayed(port) as relay, pooled(model, 0, relay.port, WAIT_MS="1") as server:
        server.at_once(4)
        assert relay.opened == 0


@pytest.mark.bounds
@pytest.mark.parametrize("model", MODELS)
def test_requests_queue_for_a_connection(model: Model) -> None:
    """The waits are long, so that what other tests compute meanwhile takes less than one of them."""
    with downstream() as (_, port), pooled(model, 2, port, WAIT_MS="300") as server:
        began_s = time.monotonic()
        times_s = server.at_once(6)
        together_s = time.monotonic() - began_s
    places = min(2, workers(model))
    assert times_s[0] >= 0.299
    assert together_s >= 6 / places * 0.299  # the last request may have been sent later than the first
    assert times_s[-1] < (6 / places + 2) * 0.3


@pytest.mark.bounds
def test_the_wait_for_a_connection_is_no_service_time() -> None:
    """The open loop simulates queues with the service times that servers report."""
    (model,) = (each for each in POOLED if each.letter == "C")
    with downstream() as (_, port), pooled(model, 1, port, WAIT_MS="100") as server, ExitStack() as stack:
        users = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)) for _ in range(4)
        ]
        for user in users:
            user.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
        texts = [user.recv(1024).decode() for user in users]
    reported_ms = [float(text.partition("service;dur=")[2].split()[0]) for text in texts]
    assert min(reported_ms) >= 99
    assert max(reported_ms) < 190  # the last one waited for 300 ms before


@pytest.mark.parametrize("model", MODELS)
def test_a_service_that_dies_is_a_502_and_the_server_lives(model: Model) -> None:
    (port,) = own.free_ports(1)
    with ExitStack() as stack:
        process, _ = stack.enter_context(downstream(port))
        server = stack.enter_context(pooled(model, 2, port, WAIT_MS="20"))
        assert server.request("/")[0] == 200
        process.kill()
        process.wait()
        assert [server.request("/")[0] for _ in range(5)] == [502] * 5  # more than there are connections
        assert server.request("/healthz")[0] == 200
        stack.enter_context(downstream(port))
        assert len(server.at_once(4)) == 4  # both connections are open again
        assert server.process.poll() is None


@pytest.mark.parametrize("model", MODELS)
def test_a_service_that_cannot_be_reached_is_a_502(model: Model) -> None:
    for host in ("a" * 64, "127.0.0.1"):
        with pooled(model, 1, own.free_ports(1)[0], WAIT_MS="20", DOWNSTREAM_HOST=host) as server:
            assert [server.request("/")[0] for _ in range(2)] == [502, 502]
            assert server.request("/healthz")[0] == 200


@pytest.mark.parametrize("model", MODELS)
def test_users_that_leave_take_no_connection_with_them(model: Model) -> None:
    with downstream() as (_, port), relayed(port) as relay, pooled(model, 2, relay.port, WAIT_MS="50") as server:
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as user:
                user.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
        wait_until(lambda: len(relay.asked) == 6 and relay.now == 0, 10)
        assert len(server.at_once(4)) == 4
        assert relay.most <= 2


def test_a_request_that_is_cancelled_gives_its_connection_back_closed() -> None:
    """Its answer, which is still to come, would be taken for that of the next request."""
    program = """
import asyncio, downstream
async def main():
    pool = downstream.Pool(1, "127.0.0.1", PORT)
    await pool.wait(0.001)
    task = asyncio.create_task(pool.wait(0.2))
    while not pool._free.empty():  # until it has the connection
        await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.wait(0.1))
    await asyncio.sleep(0)
    waiting.cancel()  # it has no connection yet
    task.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    begin = asyncio.get_running_loop().time()
    await asyncio.wait_for(pool.wait(0.3), 5)
    print(asyncio.get_running_loop().time() - begin)
asyncio.run(main())
"""
    with downstream() as (_, port):
        done = subprocess.run(
            [sys.executable, "-c", program.replace("PORT", str(port))],
            cwd=ROOT / "services" / "asyncio",
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    assert float(done.stdout) >= 0.299


def test_the_service_holds_each_connection_s_requests_and_refuses_what_is_no_time() -> None:
    with downstream() as (process, port):
        for text in (b"soon\n", b"-1\n", b"nan\n", b"1e9\n", b"7" * 100_000 + b"\n", b""):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, suppress(ConnectionError):
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(16) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"1\n2.5\n")
            answers = b""
            while len(answers) < 10:
                answers += connection.recv(16)
            assert answers == b"done\ndone\n"
        process.terminate()
        assert process.communicate(timeout=5) == ("", "")
        assert process.returncode == 0


def test_a_bad_port_of_the_service_is_refused_in_one_line() -> None:
    for value in ("70000", "x"):
        done = subprocess.run(
            [sys.executable, "server_downstream.py"],
            cwd=FOLDER,
            env={**own.environment(), "PORT": value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert done.stderr.startswith(f"PORT={value}: must be")


@pytest.mark.parametrize(("name", "value"), [("DOWNSTREAM", "-1"), ("DOWNSTREAM", "1001"), ("DOWNSTREAM", "2.5")])
@pytest.mark.parametrize("model", MODELS)
def test_a_bad_number_of_connections_is_refused(model: Model, name: str, value: str) -> None:
    with launched(model, PORT=str(own.free_ports(1)[0]), **{name: value}) as process:
        stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, len(stderr.splitlines())) == (2, "", 1)
    assert stderr.startswith(f"{name}={value}: must be")


def test_threads_share_one_pool_and_its_text() -> None:
    texts = {
        (ROOT / "services" / name / "downstream.py").read_text()
        for name in ("blocking", "threadpool", "threadperconnection")
    }
    assert len(texts) == 1


def test_its_files_fit_on_one_screen() -> None:
    for path in (FOLDER / "server_downstream.py", *(ROOT / "services").glob("*/downstream.py")):
        assert len(path.read_text().splitlines()) <= LINES_OF_A_SCREEN
