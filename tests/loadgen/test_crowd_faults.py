"""What befalls users, with the real driver and a real chat server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iolab.kinds.faults import connections
from iolab.loadgen import driver
from iolab.loadgen.driver import Driver
from tests.conftest import ROOT
from tests.own import free_ports

HOST, USERS = "127.0.0.1", 40
DRIVER = (sys.executable, str(ROOT / "loadtest" / "crowd_driver.py"))


@contextmanager
def chat(port: int, script: str = "chat.py", **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    own = {"PORT": str(port), "DEAD_AFTER_S": "10", **variables}
    folder = ROOT / "services" / "asyncio"
    with subprocess.Popen([sys.executable, script], cwd=folder, env=own, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()  # it listens
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def users() -> Iterator[Driver]:
    with driver.start(DRIVER) as started:
        assert started.answer(30)["ready"]
        yield started


def come(users: Driver, port: int, kind: str = "websocket") -> list[str]:
    job = {"host": HOST, "port": port, "transport": kind, "users": USERS, "first": 0, "rate": 1000, "source": ""}
    return [row[4] for row in users.ask({"connect": {**job, "patience_s": 5}}, 20)["rows"]]


def test_who_is_turned_away_tries_again_until_the_server_is_there(users: Driver) -> None:
    (port,) = free_ports(1)
    assert come(users, port) == ["refused"] * USERS
    ready = threading.Event()

    def late() -> None:
        with chat(port):
            ready.wait(20)

    thread = threading.Timer(1.0, late)
    thread.start()
    try:
        back = users.ask({"reconnect": {"host": HOST, "port": port, "rate": 0, "patience_s": 15}}, 30)
    finally:
        ready.set()
        thread.join()
    assert [row[4] for row in back["rows"]] == ["held"] * USERS
    assert back["tries"] > 2 * USERS  # a second, in steps of a tenth


def test_who_has_vanished_or_does_not_read_hears_nothing_and_the_others_do(users: Driver) -> None:
    (port,) = free_ports(1)
    with chat(port):
        assert come(users, port) == ["held"] * USERS
        gone = users.ask({"vanish": {"users": 3}}, 10)["addresses"]
        stuck = users.ask({"stall": {"users": 2}}, 10)["addresses"]
        assert (len(gone), len(stuck), len({tuple(each) for each in gone + stuck})) == (3, 2, 5)
        assert users.ask({"say": {"text": "1.hello"}}, 10)["status"] == 204
        heard = users.ask({"listen": {"text": "1", "wait_s": 5}}, 10)["rows"]
        assert len({user for user, _ in heard}) == USERS - 5
        assert users.ask({"count_outcomes": {}}, 10)["held"] == USERS
        back = users.ask({"reconnect": {"host": HOST, "port": port, "rate": 0, "patience_s": 5}}, 20)
        assert sorted(row[0] for row in back["rows"]) == list(range(5))
        assert users.ask({"leave": {"first": USERS - 10}}, 10) is not None
        assert users.ask({"count_outcomes": {}}, 10)["held"] == USERS - 10


def test_clicks_go_on_while_other_jobs_are_done_and_end_with_the_server(users: Driver) -> None:
    (port,) = free_ports(1)
    with chat(port) as server:
        assert come(users, port) == ["held"] * USERS
        users.ask({"begin_clicks": {"rate": 200, "seed": 1}}, 10)
        for number in range(20):
            users.ask({"say": {"text": f"{number}.x"}}, 10)
            users.ask({"listen": {"text": str(number), "wait_s": 5}}, 10)
        server.kill()
        lost = users.ask({"partings": {"wait_s": 5}}, 10)["rows"]
        assert len(lost) == USERS
        done = users.ask({"end_clicks": {"wait_s": 0.2}}, 10)
    tokens = [row[0] for row in done["rows"]]
    assert len(set(tokens)) == len(tokens) > 5
    assert {row[0] for row in done["rows"] if row[4] is not None} == set(done["acknowledged"])


def test_what_is_half_open_stays_so(users: Driver) -> None:
    (port,) = free_ports(1)
    with chat(port):
        come(users, port)
        assert users.ask({"half_open": {"connections": 20}}, 10)["connections"] == 20
        assert connections.Connections.parse(Path("/proc/net/tcp").read_text(), port).half_open == 20
        users.ask({"close_half": {}}, 10)


@pytest.mark.parametrize(
    ("script", "kind", "variables"),
    [
        ("chat_lean.py", "websocket", {}),
        ("chat.py", "websocket, compressed", {"COMPRESS": "1"}),
    ],
    ids=["lean", "compressed"],
)
def test_other_forms_of_the_chat_server_answer_clicks_and_tell_news(
    users: Driver, script: str, kind: str, variables: dict[str, str]
) -> None:
    (port,) = free_ports(1)
    with chat(port, script, **variables):
        assert come(users, port, kind) == ["held"] * USERS
        clicks = users.ask({"click": {"for_s": 1, "rate": 100.0, "seed": 1, "wait_s": 5}}, 20)["rows"]
        assert len(clicks) > 50
        assert all(row[3] is not None for row in clicks)
        for number in range(2):  # a compressed message may refer to the one before
            assert users.ask({"say": {"text": f"{number}.news"}}, 10)["status"] == 204
            heard = users.ask({"listen": {"text": str(number), "wait_s": 5}}, 10)["rows"]
            assert len(heard) == USERS


@pytest.mark.parametrize("script", ["chat.py", "chat_lean.py"])
def test_a_user_that_compresses_needs_a_server_that_agrees(users: Driver, script: str) -> None:
    (port,) = free_ports(1)
    with chat(port, script):
        assert come(users, port, "websocket, compressed") == ["refused"] * USERS
