"""What chat servers promise, asked from outside: of who is gone, of who comes back, and of clicks that they answer."""

import http.client
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from iolab.chat.servers import chat_servers
from iolab.errors import ServerFailed
from iolab.lab import Lab
from iolab.runtime import probe
from tests.conftest import ROOT
from tests.own import environment, free_ports
from tests.waiting import wait_until

CHATS = sorted((ROOT / "services").glob("*/chat*.py"))
POLLING = {
    ROOT / "services" / chat.model.name / chat.script: chat.threads  # None: every user is served at once
    for chat in chat_servers(Lab.read(ROOT).models, ("poll",))
}
POLLS = [path for path, threads in POLLING.items() if threads is None]
SEVERAL = [path for path, threads in POLLING.items() if threads != 1]
END = b"0\r\n\r\n"  # of an answer in chunks
Serve = Callable[..., int]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a chat server that writes down what it answers; return its port."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(path: Path, **variables: str) -> int:
        port = free_ports(1)[0]
        own = {"PORT": str(port), "JOURNAL": "1", "HOLD_S": "30", "DEAD_AFTER_S": "10", **variables}
        with (tmp_path / "log").open("wb") as log:
            started.append(
                subprocess.Popen([sys.executable, path.name], cwd=path.parent, env={**environment(), **own}, stdout=log)
            )

        def check_alive() -> None:
            if started[-1].poll() is not None:
                raise ServerFailed("it ended")

        probe.wait_until_ready(("127.0.0.1", port), check_alive)
        return port

    yield begin
    for process in started:
        process.kill()
        process.wait()


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def polls(port: int, user: int) -> socket.socket:
    """Return the connection of a user who waits."""
    one = socket.create_connection(("127.0.0.1", port), timeout=5)
    poll_again(one, user)
    return one


def poll_again(one: socket.socket, user: int) -> None:
    one.sendall(f"GET /poll?{user} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
    assert b"hello" in heard(one, b"hello")


def held(port: int) -> int:
    """Return how many connections a server on this port has not closed."""
    open_ones = [
        each for each in psutil.net_connections("tcp4") if each.raddr and each.laddr and each.laddr.port == port
    ]
    return sum(each.status in (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT) for each in open_ones)


def heard(one: socket.socket, until: bytes) -> bytes:
    data = b""
    while until not in data and (more := one.recv(1000)):
        data += more
    return data


def clicks(port: int, user: int, token: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("POST", f"/click?{user}&{token}")
        return connection.getresponse().status


@pytest.mark.parametrize("path", POLLS, ids=name)
def test_who_comes_back_is_told_though_an_older_connection_is_still_there(path: Path, serve: Serve) -> None:
    port = serve(path)
    with polls(port, 7), polls(port, 7) as newer:
        assert clicks(port, 7, "again") == 204
        assert b"again" in heard(newer, b"again")


@pytest.mark.parametrize("path", POLLS, ids=name)
def test_the_older_connection_that_ends_takes_nothing_along(path: Path, serve: Serve) -> None:
    port = serve(path, HOLD_S="1")  # a thread hears that its user is gone when its time is over
    older = polls(port, 7)
    with polls(port, 7) as newer:
        older.close()
        wait_until(lambda: held(port) == 1)
        heard(newer, END)
        poll_again(newer, 7)
        assert clicks(port, 7, "still") == 204
        while b"still" not in heard(newer, END):  # its time was over before: the next poll tells it
            poll_again(newer, 7)


@pytest.mark.parametrize("path", POLLS, ids=name)
def test_a_click_is_written_down_before_it_is_answered(path: Path, serve: Serve, tmp_path: Path) -> None:
    port = serve(path)
    with polls(port, 3) as one:
        clicks(port, 3, "token-3")
        heard(one, b"token-3")
        assert "token-3" in (tmp_path / "log").read_text().split()
    assert clicks(port, 4, "nobody-4") == 410
    assert "nobody-4" not in (tmp_path / "log").read_text()


def test_the_box_of_who_is_gone_is_given_back(serve: Serve) -> None:
    port = serve(ROOT / "services" / "asyncio" / "chat_poll.py")

    def users() -> bytes:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/healthz")
            return connection.getresponse().read()

    people = [polls(port, user) for user in range(20)]
    assert b"20" in users()
    for one in people:
        one.close()
    wait_until(lambda: users() == b'{"users": 0}')


@pytest.mark.parametrize("path", SEVERAL, ids=name)
def test_a_click_is_taken_from_the_hello_on(path: Path, serve: Serve) -> None:
    """A user that the server has greeted is one that it knows."""
    port = serve(path)
    for user in range(100):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
            one.sendall(f"GET /poll?{user} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
            heard(one, b"hello")
            assert clicks(port, user, "soon") == 204
            heard(one, b"soon")


@pytest.mark.parametrize("path", POLLS, ids=name)
def test_what_comes_while_letters_are_written_is_for_the_next_poll(path: Path, serve: Serve) -> None:
    """Who reads slowly makes the server wait in the midst of its answer; a click that it takes meanwhile is not lost."""
    port = serve(path)
    ask = b"GET /poll?7 HTTP/1.1\r\nHost: lab\r\n\r\n"
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(20)
        one.connect(("127.0.0.1", port))
        one.sendall(ask)
        heard(one, b"hello")
        assert clicks(port, 7, "first") == 204
        heard(one, b"first\n\r\n0\r\n\r\n")
        for _ in range(60):
            assert clicks(port, 7, "x" * 4000) == 204
        one.sendall(ask)
        heard(one, b"hello")
        assert clicks(port, 7, "token") == 204
        for _ in range(70):  # a thread hands over one letter a poll, the loop all that are there
            data = heard(one, b"\r\n0\r\n\r\n")
            if b"token" in data:
                break
            one.sendall(ask)
        assert b"token" in data
