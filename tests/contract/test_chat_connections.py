"""What chat servers promise about each connection: one that is slow, silent, gone or too loud costs little."""

import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import websocket

from iolab.errors import ServerFailed
from iolab.runtime import probe
from tests.conftest import ROOT
from tests.own import environment, free_ports
from tests.waiting import wait_until

SERVICES = ROOT / "services"
TALK, LEAN, LOOP, THREADS = (
    SERVICES / name
    for name in ("asyncio/chat.py", "asyncio/chat_lean.py", "asyncio/chat_poll.py", "threadperconnection/chat.py")
)
TALKS = [TALK, LEAN]
DEAD_AFTER_S, LETTERS, SLOW = 20, 100, 4096
NEWS = "x" * 4000
SILENT = re.compile(r"timer:\(keepalive,(?:(\d+)sec|([\d.]+)ms)")


@dataclass
class Chat:
    """A chat server that runs; what it writes down goes into a pipe."""

    port: int
    read_end: int
    write_end: int
    talks: list[websocket.WebSocket] = field(default_factory=list)

    def fill(self) -> None:
        """Fill the pipe, so that the server cannot write anything down until it is drained."""
        os.set_blocking(self.write_end, False)
        with suppress(BlockingIOError):
            while os.write(self.write_end, b"." * 512):
                pass
        with suppress(BlockingIOError):
            while os.write(self.write_end, b"."):
                pass
        os.set_blocking(self.write_end, True)

    def drain(self) -> str:
        """Return what the server has written down."""
        os.set_blocking(self.read_end, False)
        data = b""
        with suppress(BlockingIOError):
            while more := os.read(self.read_end, 65_536):
                data += more
        return data.decode().replace(".", "")

    def ask(self, method: str, path: str) -> tuple[int, bytes]:
        """Send a request; return the status and the body of its answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def users(self) -> int:
        """Return how many users the server has, as it says itself."""
        return int(json.loads(self.ask("GET", "/healthz")[1])["users"])

    def talk(self, receive_bytes: int = 0) -> websocket.WebSocket:
        """Return the WebSocket of a user that the server has greeted; with a small receive buffer where asked for."""
        options = ((socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes),) if receive_bytes else ()
        one = websocket.create_connection(f"ws://127.0.0.1:{self.port}/ws", timeout=10, sockopt=options)
        self.talks.append(one)
        assert one.recv() == "hello"
        return one

    def poll(self, user: int) -> socket.socket:
        """Return the connection of a user that polls, and that the server has greeted."""
        one = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        one.sendall(f"GET /poll?{user} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        heard(one, b"hello\n\r\n")
        return one


Serve = Callable[[Path], Chat]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start chat servers."""
    started: list[subprocess.Popen[bytes]] = []
    chats: list[Chat] = []

    def begin(path: Path) -> Chat:
        (port,) = free_ports(1)
        chats.append(Chat(port, *os.pipe()))
        own = {"PORT": str(port), "JOURNAL": "1", "HOLD_S": "30", "DEAD_AFTER_S": str(DEAD_AFTER_S)}
        process = subprocess.Popen(
            [sys.executable, path.name], cwd=path.parent, env={**environment(), **own}, stdout=chats[-1].write_end
        )
        started.append(process)

        def check_alive() -> None:
            if process.poll() is not None:
                raise ServerFailed("it ended")

        probe.wait_until_ready(("127.0.0.1", port), check_alive)
        return chats[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
    for chat in chats:
        os.close(chat.read_end)
        os.close(chat.write_end)
        for one in chat.talks:
            one.shutdown()  # type: ignore[no-untyped-call]


def heard(one: socket.socket, until: bytes) -> bytes:
    data = b""
    while until not in data and (more := one.recv(65_536)):
        data += more
    return data


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", TALKS, ids=named)
def test_a_user_that_does_not_read_is_dropped_and_delays_nobody(path: Path, serve: Serve) -> None:
    chat = serve(path)
    with closing(chat.talk(SLOW)), closing(chat.talk()) as reader:
        assert chat.users() == 2
        told = 0
        while chat.users() == 2:
            assert told < 60, f"{told * len(NEWS)} bytes wait for a user that does not read"
            assert chat.ask("POST", f"/say?{NEWS}")[0] == 204
            assert reader.recv() == f"news {NEWS}"
            told += 1
        assert chat.users() == 1
        assert told > 2  # the buffers of both ends have room for that


@pytest.mark.parametrize("path", TALKS, ids=named)
def test_users_that_have_left_do_not_count(path: Path, serve: Serve) -> None:
    chat = serve(path)
    users = [chat.talk() for _ in range(5)]
    assert chat.users() == 5
    for one in users[:2]:
        one.close()
    for one in users[2:4]:
        one.shutdown()  # type: ignore[no-untyped-call]  # without a word
    wait_until(lambda: chat.users() == 1)
    users[4].send("still here")
    assert users[4].recv() == "still here"
    users[4].close()


@pytest.mark.parametrize("path", TALKS, ids=named)
def test_a_message_has_less_than_1024_bytes(path: Path, serve: Serve) -> None:
    chat = serve(path)
    with closing(chat.talk()) as quiet:
        loud = chat.talk()
        loud.send("x" * 1024)
        opcode, data = loud.recv_data()
        assert (opcode, int.from_bytes(data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1009)  # RFC 6455: too big
        quiet.send("x" * 1023)
        assert quiet.recv() == "x" * 1023


@pytest.mark.parametrize("path", [*TALKS, LOOP, THREADS], ids=named)
def test_a_click_that_cannot_be_written_down_is_not_answered(path: Path, serve: Serve) -> None:
    """The journal is a pipe that is full: a server that answers first is found out at any speed."""
    chat = serve(path)
    user = chat.talk().sock if path in TALKS else chat.poll(3)
    assert user
    with user, socket.socket() as click:
        chat.fill()
        if path in TALKS:
            user.sendall(websocket.ABNF.create_frame("token", websocket.ABNF.OPCODE_TEXT).format())
        else:
            click.connect(("127.0.0.1", chat.port))
            click.sendall(b"POST /click?3&token HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n")
        answers = [user] if path in TALKS else [user, click]
        assert select.select(answers, [], [], 0.5)[0] == []
        written = chat.drain()
        wait_until(lambda: select.select(answers, [], [], 0)[0] == answers)
        assert b"token" in heard(user, b"token")
        assert "token" in written + chat.drain()


@pytest.mark.needs("ss")
@pytest.mark.parametrize("path", [*TALKS, LOOP], ids=named)
def test_a_silent_connection_is_probed_after_a_quarter_of_the_time(path: Path, serve: Serve) -> None:
    """A user whose machine has gone says nothing at all: only the kernel's probes find out."""
    chat = serve(path)
    command = ["ss", "-Htno", "state", "established", "sport", "=", f":{chat.port}"]
    with closing(chat.talk() if path in TALKS else chat.poll(1)):

        def timer() -> re.Match[str] | None:
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert shown
            return SILENT.search(shown)

        found = wait_until(timer, limit_s=5)
    assert found[2] or int(found[1]) <= DEAD_AFTER_S / 4


@pytest.mark.parametrize("path", [LOOP, THREADS], ids=named)
def test_a_user_that_does_not_poll_gets_at_most_100_messages(path: Path, serve: Serve) -> None:
    chat = serve(path)
    with chat.poll(1) as one:
        chat.ask("POST", "/say?first")
        heard(one, b"0\r\n\r\n")
        for number in range(LETTERS + 20):
            assert chat.ask("POST", f"/say?{number}")[0] == 204
        news = b""
        while f"news {LETTERS - 1}\n".encode() not in news:
            one.sendall(b"GET /poll?1 HTTP/1.1\r\nHost: lab\r\n\r\n")
            news += heard(one, b"0\r\n\r\n")
        assert chat.ask("POST", "/say?last")[0] == 204
        one.sendall(b"GET /poll?1 HTTP/1.1\r\nHost: lab\r\n\r\n")
        news += heard(one, b"0\r\n\r\n")
    assert re.findall(rb"news (\w+)\n", news) == [b"%d" % number for number in range(LETTERS)] + [b"last"]
