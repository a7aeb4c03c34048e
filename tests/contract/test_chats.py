"""One suite for every chat server: people come, stay, click, and are told; in whichever way it speaks."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import websocket

from iolab.chat.servers import PROCESSES, VARIABLES, ChatServer, chat_servers
from iolab.errors import ServerFailed
from iolab.lab import Lab
from iolab.runtime import probe
from tests.contract import forks
from tests.own import environment, free_ports
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SCENES = chat_servers(Lab.read(ROOT).models, ("websocket", "poll"), forms=("usual", "lean", "compressed"))
LINES_OF_A_SCREEN = 95
HOLDS_ONE = "A"


def only(fits: Callable[[ChatServer], bool]) -> pytest.MarkDecorator:
    """Run a test with the chat servers that it is about."""
    found = [chat for chat in SCENES if fits(chat)]
    return pytest.mark.parametrize("chat", found, ids=named, indirect=True)


def named(chat: ChatServer) -> str:
    return f"{chat.model.name}-{chat.transport}" + (f"-{chat.form}" if chat.form != "usual" else "")


@dataclass
class Chat:
    """A chat server that runs."""

    chat: ChatServer
    port: int
    process: subprocess.Popen[str]
    guests: "list[Guest]" = field(default_factory=list)

    def post(self, path: str) -> int:
        """Post nothing to a path, and return the status."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("POST", path)
            return connection.getresponse().status

    def visit(self, user: int) -> "Guest":
        """Let a user come."""
        self.guests.append(Talker(self, user) if self.chat.transport == "websocket" else Poller(self, user))
        return self.guests[-1]


class Guest(ABC):
    """A user who has come: `hear` is the next line that the server says."""

    @abstractmethod
    def hear(self) -> str:
        """Return the next line."""

    @abstractmethod
    def click(self, text: str) -> None:
        """Click; the answer is the text."""

    @abstractmethod
    def go(self) -> None:
        """Leave."""


class Talker(Guest):
    def __init__(self, chat: Chat, _: int) -> None:
        self._socket = websocket.create_connection(f"ws://127.0.0.1:{chat.port}/ws", timeout=10)

    def hear(self) -> str:
        return str(self._socket.recv())

    def click(self, text: str) -> None:
        self._socket.send(text)

    def go(self) -> None:
        self._socket.shutdown()  # type: ignore[no-untyped-call]


class Poller(Guest):
    """Polls again as soon as a poll is answered."""

    def __init__(self, chat: Chat, user: int) -> None:
        self._chat, self._user = chat, user
        self._connection = http.client.HTTPConnection("127.0.0.1", chat.port, timeout=10)
        self._ask()

    def _ask(self) -> None:
        self._connection.request("GET", f"/poll?{self._user}")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    def hear(self) -> str:
        while not (line := self._answer.readline()):
            self._ask()
        return line.decode().rstrip("\n")

    def click(self, text: str) -> None:
        assert self._chat.post(f"/click?{self._user}&{text}") == 204

    def go(self) -> None:
        self._answer.close()
        self._connection.close()


Launch = Callable[..., subprocess.Popen[str]]
Serve = Callable[..., Chat]


@pytest.fixture(params=SCENES, ids=named)
def chat(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.param
    return found


@pytest.fixture
def launch(chat: ChatServer) -> Iterator[Launch]:
    """Start the chat server with some environment variables."""
    started: list[subprocess.Popen[str]] = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, chat.script],
            cwd=chat.model.service.folder,
            env={**environment(), **VARIABLES.get(chat.form, {}), **variables},
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
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def serve(chat: ChatServer, launch: Launch) -> Iterator[Serve]:
    """Start it and wait until it answers; at the end everybody goes."""
    chats: list[Chat] = []

    def begin(**variables: str) -> Chat:
        (port,) = free_ports(1)
        process = launch(PORT=str(port), **variables)

        def check_alive() -> None:
            if process.poll() is not None:
                raise ServerFailed(process.communicate()[1])

        probe.wait_until_ready(("127.0.0.1", port), check_alive)
        chats.append(Chat(chat, port, process))
        return chats[-1]

    yield begin
    for guest in [guest for chat in chats for guest in chat.guests]:
        guest.go()


@only(lambda chat: chat.form != "lean")  # it has no library
def test_fits_on_one_screen(chat: ChatServer) -> None:
    assert chat.model.service.folder
    source = chat.model.service.folder / chat.script
    assert len(source.read_text().splitlines()) <= LINES_OF_A_SCREEN


def test_who_comes_has_a_word_at_once_and_an_answer_to_each_click(serve: Serve) -> None:
    chat = serve()
    guest = chat.visit(1)
    assert guest.hear() == "hello"
    if chat.chat.model.letter == HOLDS_ONE:
        return  # its only thread waits with the guest: nobody is there to take the click
    for text in ("c1", "c2"):
        guest.click(text)
        heard = guest.hear()
        while heard == "hello":  # a new poll
            heard = guest.hear()
        assert heard == text


@only(lambda chat: chat.model.letter != HOLDS_ONE)  # it hears nobody else while it holds one
def test_a_click_is_answered_to_the_one_who_clicked_and_news_to_all(serve: Serve) -> None:
    chat = serve()
    guests = [chat.visit(number) for number in range(3)]
    assert [guest.hear() for guest in guests] == ["hello"] * 3
    guests[1].click("mine")
    heard = guests[1].hear()
    assert heard == "mine"
    assert chat.post("/say?dinner") == 204
    for guest in guests:
        heard = guest.hear()
        assert (guest.hear() if heard == "hello" else heard) == "news dinner"


def test_how_many_it_holds_at_once_is_what_its_model_says(serve: Serve) -> None:
    chat = serve(THREADS="3")
    room = {"A": 1, "B": 3}.get(chat.chat.model.letter, 5)
    guests = [chat.visit(number) for number in range(room)]
    assert [guest.hear() for guest in guests] == ["hello"] * room
    with socket.create_connection(("127.0.0.1", chat.port), timeout=10) as late:
        late.sendall(
            b"GET /poll?99 HTTP/1.1\r\nHost: x\r\n\r\n" if chat.chat.transport == "poll" else b"GET / HTTP/1.1\r\n\r\n"
        )
        late.settimeout(0.5)
        if room < 5:
            with pytest.raises(TimeoutError):
                late.recv(1)  # connected, as the kernel sees it, but nobody comes
        else:
            assert late.recv(1)


@only(lambda chat: chat.transport == "poll")
def test_a_poll_ends_with_nothing_when_its_time_is_over(serve: Serve) -> None:
    chat = serve(HOLD_S="1")
    guest = chat.visit(7)
    assert guest.hear() == "hello"
    begin = time.monotonic()
    assert guest.hear() == "hello"  # of the next poll
    assert 0.5 < time.monotonic() - begin < 5


@only(lambda chat: chat.transport == "poll")
def test_who_was_there_and_went_is_told_nothing(serve: Serve) -> None:
    chat = serve(HOLD_S="1")
    assert chat.post("/click?nobody&c1") == 410
    assert chat.post("/nowhere") in (404, 405)


def test_a_bad_value_and_a_taken_port_end_it_in_one_line_with_status_2(launch: Launch) -> None:
    for name, value in (("PORT", "0"), ("BACKLOG", "many"), ("DEAD_AFTER_S", "1")):
        refused = launch(**{name: value})
        stdout, stderr = refused.communicate(timeout=10)
        assert (refused.returncode, stdout) == (2, "")
        (line,) = stderr.splitlines()
        assert line.startswith(f"{name}={value}: must be a whole number from ")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken = launch(PORT=str(port))
        _, stderr = taken.communicate(timeout=10)
    assert taken.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith(f"PORT={port}: ")


@pytest.mark.bounds
def test_stops_at_once_on_sigterm_with_people_there(serve: Serve) -> None:
    chat = serve()
    guest = chat.visit(1)
    assert guest.hear() == "hello"
    begin = time.monotonic()
    chat.process.send_signal(signal.SIGTERM)
    _, stderr = chat.process.communicate(timeout=30)
    assert (chat.process.returncode, stderr) == (0, "")
    assert time.monotonic() - begin < 5


divisible = only(lambda chat: chat.transport in chat.model.service.labels.get(PROCESSES, "").split())


@divisible
def test_several_processes_refuse_a_taken_port_in_one_line(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        refused = launch(PORT=str(holder.getsockname()[1]), PROCESSES="3")
        _, stderr = refused.communicate(timeout=10)
    assert (refused.returncode, stderr.count("\n")) == (2, 1)


@pytest.mark.needs("ss")
@divisible
def test_several_processes_share_who_comes_and_end_together(serve: Serve, tmp_path: Path) -> None:
    chat = serve(PROCESSES="3", **forks.variables(tmp_path, forks.SLOW))
    listening = ["ss", "-Hltn", f"sport = :{chat.port}"]
    queues = subprocess.run(listening, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(queues) == 3  # of a server that has answered once
    guests = [chat.visit(number) for number in range(40)]
    for number, guest in enumerate(guests):
        assert guest.hear() == "hello"
        guest.click(f"c{number}")
        assert guest.hear() == f"c{number}"
    chat.process.send_signal(signal.SIGTERM)
    chat.process.communicate(timeout=30)
    assert chat.process.returncode == 0
    wait_until(lambda: not subprocess.run(listening, capture_output=True, text=True, check=True).stdout)
