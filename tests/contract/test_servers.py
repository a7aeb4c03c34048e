"""One suite for every server of docker-compose.yml: what it promises, asked from outside."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from iolab.contract import suite
from iolab.contract.promise import Promise
from iolab.contract.server import Launcher
from iolab.errors import ServerFailed
from iolab.host.programs import own_command
from iolab.lab import Lab, Model
from iolab.runtime import probe
from tests import own

ROOT = Path(__file__).parents[2]


def _marks(model: Model) -> list[pytest.MarkDecorator]:
    """Return the marks of a model's tests: a relative takes the tier with more time."""
    return [pytest.mark.needs(model.name), *([pytest.mark.load] if model.optional else [])]


MODELS = [pytest.param(each, id=each.name, marks=_marks(each)) for each in Lab.read(ROOT).family]
LINES_OF_A_SCREEN = 75
NEEDED = [
    pytest.param(each, id=each.name, marks=pytest.mark.bounds if each.timed else ())
    for each in suite.PROMISES
    if not each.extra
]
BAD_VALUES = (
    ("PORT", "0"),
    ("PORT", "eighty"),
    ("PORT", "70000"),
    ("WAIT_MS", "-1"),
    ("WAIT_MS", "nan"),
    ("WAIT_MS", "soon"),
    ("CPU_MS", "-5"),
    ("BACKLOG", "0"),
    ("BACKLOG", "5.5"),
    ("WAIT_DISTRIBUTION", "gaussian"),
    ("THREADS", "0"),
    ("CONNECTION_LIMIT", "2"),
)


@dataclass
class Running:
    """A server that runs, and how it is talked to."""

    model: Model
    port: int
    process: subprocess.Popen[str]

    def request(self, path: str, method: str = "GET", timeout_s: float = 20) -> tuple[int, bytes, float]:
        """Return status, body, and response time in seconds."""
        begin = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read(), time.perf_counter() - begin
        finally:
            connection.close()

    def at_once(self, users: int) -> list[float]:
        """Return the response times of `users` requests sent at once, sorted."""
        with ThreadPoolExecutor(users) as pool:
            answers = list(pool.map(lambda _: self.request("/"), range(users)))
        assert {status for status, _, _ in answers} == {200}
        return sorted(latency for _, _, latency in answers)


Serve = Callable[..., Running]


@pytest.fixture(params=MODELS, scope="module")
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.param
    return found


@contextmanager
def launched(model: Model, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start the server's own command with some environment variables, and end it."""
    process = subprocess.Popen(
        own_command(model.service),
        cwd=model.service.folder,
        env={**own.environment(), **model.service.environment, "HOST": "127.0.0.1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the processes that it has started
        process.communicate()


@contextmanager
def serving(model: Model, **variables: str) -> Iterator[Running]:
    """Start the server and wait until it answers."""
    (port,) = own.free_ports(1)
    with launched(model, PORT=str(port), **variables) as process:

        def check_alive() -> None:
            if process.poll() is not None:
                raise ServerFailed(process.communicate()[1])

        probe.wait_until_ready(("127.0.0.1", port), check_alive)
        yield Running(model, port, process)


@pytest.fixture
def launch(model: Model) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    with ExitStack() as stack:
        yield lambda **variables: stack.enter_context(launched(model, **variables))


@pytest.fixture
def serve(model: Model) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda **variables: stack.enter_context(serving(model, **variables))


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plain server would store temporary files; other tests use other places meanwhile."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def plain(model: Model, temporary: Path) -> Iterator[Running]:
    """A server as it is by default, for all tests that a healthy one outlives."""
    with serving(model, TMPDIR=str(temporary)) as server:
        yield server


def test_fits_on_one_screen(model: Model) -> None:
    assert len(suite.script(model).read_text().splitlines()) <= LINES_OF_A_SCREEN


@pytest.mark.parametrize("promise", NEEDED)
def test_keeps_the_promises_that_a_student_s_server_must_keep(model: Model, promise: Promise, tmp_path: Path) -> None:
    """What `make contract` checks; how many requests wait together follows from the model's workers."""
    broken = suite.find_broken(promise, Launcher(model, tmp_path, lambda: own.free_ports(1)[0]))
    assert broken is None, broken


@pytest.mark.parametrize("promise", [each for each in suite.PROMISES if each.extra], ids=lambda promise: promise.name)
def test_keep_alive_and_pipelining_are_for_servers_with_several_workers(
    model: Model, promise: Promise, tmp_path: Path
) -> None:
    """One client would hold the only worker. A's code is for one worker, whoever runs it."""
    broken = suite.find_broken(promise, Launcher(model, tmp_path, lambda: own.free_ports(1)[0]))
    assert (broken is None) == (model.workers > 1 and model.code != "blocking"), broken


@pytest.mark.measures
def test_waits_are_concurrent_up_to_the_workers_and_not_beyond(serve: Serve) -> None:
    wait_s = 0.4
    server = serve(WAIT_MS="400")
    if server.model.workers == float("inf"):
        assert server.at_once(40)[-1] < 2 * wait_s
    else:
        workers = int(server.model.workers)
        assert server.at_once(workers)[-1] < 1.9 * wait_s
        latencies_s = server.at_once(workers + 1)
        assert latencies_s[workers - 1] < 1.9 * wait_s
        assert latencies_s[workers] >= 1.9 * wait_s


@pytest.mark.measures
def test_threads_is_the_number_of_workers_where_it_applies(serve: Serve, model: Model) -> None:
    if "THREADS" not in model.service.environment:
        return  # test_what_it_does_not_ask_for_does_not_disturb_it
    latencies_s = serve(WAIT_MS="400", THREADS="2").at_once(3)
    assert latencies_s[1] < 0.76 <= latencies_s[2]


def test_connection_limit_is_the_number_of_connections_that_are_accepted(serve: Serve, model: Model) -> None:
    """The others are connected, as the kernel sees it, and wait until an accepted connection closes."""
    if "CONNECTION_LIMIT" not in model.service.environment:
        return  # test_what_it_does_not_ask_for_does_not_disturb_it
    server = serve(CONNECTION_LIMIT="5")  # two of them are the server's own
    with ExitStack() as stack:
        users = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(4)]
        for user in users:
            user.sendall(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
        assert [user.recv(12) for user in users[:3]] == [b"HTTP/1.1 200"] * 3
        users[3].settimeout(0.5)
        with pytest.raises(TimeoutError):
            users[3].recv(12)
        users[3].settimeout(10)
        users[0].close()
        assert users[3].recv(12) == b"HTTP/1.1 200"


@pytest.mark.measures
def test_exponential_waits_vary_around_their_mean(serve: Serve) -> None:
    server = serve(WAIT_MS="10", WAIT_DISTRIBUTION="exponential")
    latencies_s = [server.request("/")[2] for _ in range(60)]
    assert min(latencies_s) < 0.0075
    assert max(latencies_s) > 0.0175
    assert 0.004 < sum(latencies_s) / len(latencies_s) < 0.030


@pytest.mark.measures
def test_computing_takes_cpu_time(serve: Serve) -> None:
    server = serve(WAIT_MS="0", CPU_MS="200")
    before = _cpu_s(server.process.pid)
    assert server.request("/")[2] >= 0.19
    assert _cpu_s(server.process.pid) - before >= 0.15


@pytest.mark.needs("ss")
def test_backlog_is_the_length_of_the_listen_queue(serve: Serve) -> None:
    server = serve(BACKLOG="37")
    assert server.process.stdout
    assert "backlog 37" in server.process.stdout.readline()
    assert _listen_backlog(server.port) == 37


def test_other_methods_are_an_error(plain: Running) -> None:
    assert plain.request("/", method="DELETE")[0] in (405, 501)
    assert plain.request("/")[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 20,
        b"GET /" + b"a" * 70_000,
        b"",
    ],
    ids=["tls", "no path", "version", "blank", "long", "nothing"],
)
def test_malformed_requests_do_not_kill_it(plain: Running, garbage: bytes) -> None:
    connection = socket.create_connection(("127.0.0.1", plain.port), timeout=5)
    with connection, suppress(ConnectionError):  # it may hang up before it has read it all
        connection.sendall(garbage)
    assert plain.request("/")[0] == 200
    assert plain.process.poll() is None


def test_logs_one_line_at_start_and_nothing_of_requests(serve: Serve) -> None:
    server = serve(WAIT_MS="20")
    server.at_once(1 if server.model.workers == 1 else 24)  # more than a pool of eight can serve at once
    server.request("/nowhere")
    server.process.send_signal(signal.SIGTERM)
    stdout, stderr = server.process.communicate(timeout=10)
    assert len(stdout.splitlines()) == 1
    assert f"port {server.port}" in stdout
    assert "20 ms" in stdout
    assert stderr == ""


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_bad_value_is_refused_in_one_line(
    model: Model, launch: Callable[..., subprocess.Popen[str]], name: str, value: str
) -> None:
    if name not in model.service.environment:
        return  # test_what_it_does_not_ask_for_does_not_disturb_it
    stdout, stderr = launch(**{name: value}).communicate(timeout=10)
    assert stdout == ""
    assert len(stderr.splitlines()) == 1
    assert f"{name}={value}" in stderr
    assert "must be" in stderr


def test_what_it_does_not_ask_for_does_not_disturb_it(model: Model, serve: Serve) -> None:
    others = {name: value for name, value in BAD_VALUES if name not in model.service.environment}
    assert serve(**others).request("/healthz")[0] == 200


def test_a_bad_value_and_a_taken_port_end_it_with_status_2(launch: Callable[..., subprocess.Popen[str]]) -> None:
    refused = launch(WAIT_MS="never")
    refused.communicate(timeout=10)
    assert refused.returncode == 2
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken = launch(PORT=str(port))
        _, stderr = taken.communicate(timeout=10)
    assert taken.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith(f"PORT={port}: ")


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children())]
    return float(sum(each.user + each.system for each in times))


def _listen_backlog(port: int) -> int:
    """Ask the kernel: Send-Q of a listening socket is its backlog."""
    text = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return int(text.split()[2])


def test_a_huge_body_is_refused_and_stored_nowhere(plain: Running, temporary: Path) -> None:
    with socket.create_connection(("127.0.0.1", plain.port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000000000\r\n\r\n")
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(64):
                connection.sendall(bytes(65_536))
        with suppress(ConnectionResetError):
            assert connection.recv(64).split(b" ")[1:2][0] in {b"405", b"413", b"501"}
    assert list(temporary.iterdir()) == []
    assert plain.request("/healthz")[0] == 200


def test_a_body_in_chunks_is_never_answered_as_a_request(plain: Running) -> None:
    head, inner = "Transfer-Encoding: chunked", b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plain.port), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n" + head.encode() + b"\r\n\r\n" + inner)
        got = b""
        with suppress(TimeoutError, ConnectionResetError):
            connection.settimeout(1)
            while more := connection.recv(65_536):
                got += more
    assert len(re.findall(rb"HTTP/1\.\d \d{3} ", got)) == 1
