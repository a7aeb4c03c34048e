"""The lean chat server's heads of requests: what RFC 9112 and RFC 6455 refuse, and a server that answers one request."""

import base64
import select
import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.contract.rfc6455 import HANDSHAKE, PING, frame
from tests.contract.test_chat_connections import Serve, heard, serve  # noqa: F401 (a fixture)
from tests.contract.test_lean_frames import module
from tests.waiting import wait_until

LEAN = ROOT / "services" / "asyncio" / "chat_lean.py"
HEADS = module("lean_heads")
HOST = "Host: lab:8082"


def status(*lines: str) -> int:
    """Return the status with which a head is refused; 200 if it is a request."""
    try:
        HEADS.request("\r\n".join(lines).encode("latin-1"))
    except HEADS.Refused as refused:
        return int(refused.status)
    return 200


def shaken(**changes: str | None) -> int:
    """Return the status of a handshake with other fields; None leaves one out."""
    fields = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    try:
        HEADS.accepted(HEADS.request("\r\n".join(("GET /ws HTTP/1.1", HOST, *lines)).encode()).fields)
    except HEADS.Refused as refused:
        return int(refused.status)
    return 101


def test_a_request_is_read() -> None:
    found = HEADS.request(b"POST /say?two+words%21&x=1 HTTP/1.1\r\nhOst:lab:8082\r\nX-a: \t one two \t\r\nX-A: three")
    assert (found.method, found.path, found.query) == ("POST", "/say", "two words!&x=1")
    assert found.fields == {"host": "lab:8082", "x-a": "one two, three"}
    assert status("GET /healthz HTTP/1.0") == 200  # before 1.1 there was no Host


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("GET",),
        ("GET /healthz",),
        ("GET  /healthz HTTP/1.1", HOST),
        (" GET /healthz HTTP/1.1", HOST),
        ("get /healthz HTTP/1.1", HOST),
        ("GET healthz HTTP/1.1", HOST),
        ("GET /a b HTTP/1.1", HOST),
        ("GET /\xe9 HTTP/1.1", HOST),
        ("GET /healthz HTTP/2.0", HOST),
        ("GET /healthz HTTP/1.1 ", HOST),
        ("GET /healthz HTTP/1.1",),
        ("GET /healthz HTTP/1.1", HOST, HOST),
        ("GET /healthz HTTP/1.1", "Host: a b"),
        ("GET /healthz HTTP/1.1", HOST, "X : space before the colon"),
        ("GET /healthz HTTP/1.1", HOST, "X: a", " continued"),
        ("GET /healthz HTTP/1.1", HOST, "no colon"),
        ("GET /healthz HTTP/1.1", HOST, ": no name"),
        ("GET /healthz HTTP/1.1", HOST, "X: a\nY: b"),
        ("GET /healthz HTTP/1.1", HOST, "X: a\rY: b"),
        ("GET /healthz HTTP/1.1", HOST, "X: \0"),
        ("GET /healthz HTTP/1.1", HOST, "Content-Length: -1"),
        ("GET /healthz HTTP/1.1", HOST, "Content-Length: 0", "Content-Length: 0"),
        ("GET /healthz HTTP/1.1", HOST, "Content-Length: \xb2"),
        ("GET /healthz HTTP/1.1", HOST, "Content-Length: "),
    ],
)
def test_what_is_no_request_is_answered_400(lines: tuple[str, ...]) -> None:
    assert status(*lines) == 400


def test_a_body_is_answered_413_and_another_page_403() -> None:
    for field, expected in (
        ("Content-Length: 0", 200),
        ("Content-Length: 00", 200),
        ("Content-Length: 1", 413),
        ("Content-Length: 10", 413),
        ("Transfer-Encoding: chunked", 413),
        ("Transfer-Encoding: identity", 413),
        ("Origin: http://lab:8082", 200),
        ("Origin: http://lab", 403),
        ("Origin: null", 403),
    ):
        assert status("POST /say?x HTTP/1.1", HOST, field) == expected, field
    assert status("POST /say?x HTTP/1.1", HOST, "Origin: http://lab:8082", "Origin: http://lab:8082") == 403


def test_the_handshake_is_that_of_rfc_6455() -> None:
    answer = HEADS.accepted({name.lower(): value for name, value in HANDSHAKE.items()})
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer  # 1.3 has this example
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Extensions" not in answer
    assert shaken(Upgrade="WebSocket", Connection="UPGRADE") == 101
    assert [shaken(Upgrade=value) for value in (None, "h2c", "websockets")] == [400] * 3
    assert [shaken(Connection=value) for value in (None, "close", "upgraded")] == [400] * 3
    assert [shaken(Sec_WebSocket_Version=value) for value in (None, "8", "013")] == [426] * 3
    keys = [None, "", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==\xe9"]
    keys += [base64.b64encode(bytes(size)).decode() for size in (15, 17)]
    assert [shaken(Sec_WebSocket_Key=key) for key in keys] == [400] * len(keys)
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in HEADS.response(426)


def ask(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(data)
    return connection


def test_a_connection_has_one_request_in_any_pieces(serve: Serve) -> None:  # noqa: F811
    chat = serve(LEAN)
    say = b"POST /say?x HTTP/1.1\r\nHost: lab\r\n\r\n"
    with closing(chat.talk()) as user:
        with ask(chat.port, say * 3) as connection:
            answer = heard(connection, b"never")
        assert answer.count(b"HTTP/1.1 204 ") == answer.count(b"HTTP/1.1") == 1
        with ask(chat.port, b"") as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in say:
                connection.sendall(bytes([octet]))
            assert heard(connection, b"never").startswith(b"HTTP/1.1 204 ")
        assert [user.recv(), user.recv()] == ["news x"] * 2
        user.send("c1")
        assert user.recv() == "c1"  # and not a third message


def test_a_request_that_arrives_during_the_first_is_discarded(serve: Serve) -> None:  # noqa: F811
    """A message to several hundred users takes some turns of the loop, in which bytes are read."""
    chat = serve(LEAN)
    say = b"POST /say?x HTTP/1.1\r\nHost: lab\r\n\r\n"
    first, *_ = [chat.talk() for _ in range(300)]
    for _ in range(5):
        with ask(chat.port, say) as connection:
            while not select.select([connection], [], [], 0)[0]:
                connection.sendall(say)
            assert heard(connection, b"never").count(b"HTTP/1.1 204 ") == 1
    assert [first.recv() for _ in range(5)] == ["news x"] * 5
    first.send("c1")
    assert first.recv() == "c1"


def test_a_head_over_the_limit_is_refused_before_it_ends(serve: Serve) -> None:  # noqa: F811
    chat = serve(LEAN)
    line = b"GET /healthz HTTP/1.1\r\nHost: lab\r\nX: "
    for size, expected in ((HEADS.MOST, b"HTTP/1.1 200 "), (HEADS.MOST + 1, b"HTTP/1.1 431 ")):
        with ask(chat.port, line + b"y" * (size - len(line)) + b"\r\n\r\n") as connection:
            assert heard(connection, b"\r\n").startswith(expected)
    with ask(chat.port, line + b"y" * 2 * HEADS.MOST) as connection:
        assert heard(connection, b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_user_that_sends_without_reading_does_not_fill_the_server(serve: Serve) -> None:  # noqa: F811
    chat = serve(LEAN)
    user = chat.talk(4096).sock
    assert user
    user.settimeout(1)
    ping = frame(PING, b"*" * 125)
    pings, sent = memoryview(ping * 2**18), 0
    with pytest.raises(TimeoutError):  # the server stops reading, and the kernel's buffers are full
        while sent < len(pings):
            sent += user.send(pings[sent:])
    user.settimeout(20)
    got = 0
    while got < sent // len(ping) * 127:  # once they are read, all answers come
        got += len(user.recv(65_536))


@pytest.mark.load
def test_only_users_that_talk_may_stay(serve: Serve) -> None:  # noqa: F811
    """One timer for all: after 10 s it closes what has not asked, and what was answered and does not go."""
    chat = serve(LEAN)
    begin = time.monotonic()
    with (
        closing(chat.talk()) as user,
        ask(chat.port, b"GET /healthz HTTP/1.1\r\nHost: ") as slow,
        ask(chat.port, b"GET /nowhere HTTP/1.1\r\nHost: lab\r\n\r\n") as answered,
    ):
        assert heard(answered, b"never").startswith(b"HTTP/1.1 404 ")

        def reset(connection: socket.socket) -> bool:
            try:
                connection.send(b"x")
            except ConnectionError:
                return True
            return False

        wait_until(lambda: reset(answered), limit_s=20)
        slow.settimeout(20)
        assert heard(slow, b"never") == b""
        assert time.monotonic() - begin > 8
        user.send("still here")
        assert user.recv() == "still here"


def test_a_server_that_stops_says_so(serve: Serve) -> None:  # noqa: F811
    chat = serve(LEAN)
    user = chat.talk()
    (process,) = [each for each in psutil.Process().children() if Path(each.cmdline()[-1]).name == LEAN.name]
    process.send_signal(signal.SIGTERM)
    opcode, data = user.recv_data()
    assert (opcode, data) == (8, (1001).to_bytes(2, "big"))  # RFC 6455, 7.4.1: going away
