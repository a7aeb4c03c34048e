"""What servers refuse: large bodies and heads, requests of other web pages, frames that WebSocket does not allow."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from iolab.errors import ServerFailed
from iolab.runtime import probe
from tests.conftest import ROOT
from tests.contract.servers import SCRIPTS, named
from tests.own import environment, free_ports

CHATS = [path for path in SCRIPTS if path.name.startswith("chat")]
WEBSOCKETS = [ROOT / "services" / "asyncio" / name for name in ("chat.py", "chat_lean.py")]
TOO_MUCH = 100_000  # bytes, above the highest limit of a body, 64 KiB
FRIEND = "https://friend.example"
CONTINUED, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
MISSING_MASK, NOT_TEXT, NOT_UTF8, TOO_LONG = 1002, 1003, 1007, 1009


@dataclass(frozen=True)
class Running:
    """A server that runs; `log` is its standard error."""

    path: Path
    port: int
    log: Path

    @property
    def polls(self) -> bool:
        """Whether it is a chat server by long polls."""
        return self.path in CHATS and self.path not in WEBSOCKETS

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def status(self, request: str, *head: str, body: bytes = b"") -> int | None:
        """Send a request, which may be cut off, and return the status of the answer; None if there is none."""
        with self.connect() as connection:
            with suppress(ConnectionError):  # it may answer before it has read everything
                lines = (f"{request} HTTP/1.1", *head, "", "")
                connection.sendall("\r\n".join(lines).encode() + body)
            got = received(connection, b"\r\n")
        found = re.match(rb"HTTP/1\.\d (\d{3}) ", got)
        return int(found[1]) if found else None

    @property
    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.port}"


def received(connection: socket.socket, until: bytes = b"\0never") -> bytes:
    """Return what comes up to some bytes, or up to the end."""
    data = b""
    with suppress(ConnectionError):
        while until not in data and (more := connection.recv(65_536)):
            data += more
    return data


@pytest.fixture(scope="module", params=SCRIPTS, ids=named)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Each server, with one friend."""
    path: Path = request.param
    (port,) = free_ports(1)
    log = tmp_path_factory.mktemp("server") / "log"
    variables = {**environment(), "PORT": str(port), "ALLOWED_ORIGINS": f"{FRIEND} other.example"}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, path.name], cwd=path.parent, env=variables, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )  # fmt: skip

    def check_alive() -> None:
        if process.poll() is not None:
            raise ServerFailed(log.read_text())

    try:
        probe.wait_until_ready(("127.0.0.1", port), check_alive)
        yield Running(path, port, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


only_chats = pytest.mark.parametrize("server", CHATS, ids=named, indirect=True)
only_websocket = pytest.mark.parametrize("server", WEBSOCKETS, ids=named, indirect=True)


def test_the_large_body_of_a_get_is_answered_413(server: Running) -> None:
    for path in ("/healthz", *(["/poll?1"] if server.polls else ["/"] if server.path not in CHATS else [])):
        assert server.status(f"GET {path}", server.host, f"Content-Length: {TOO_MUCH}") == 413


def test_large_chunks_are_answered_413(server: Running) -> None:
    chunk = f"{TOO_MUCH:x}\r\n".encode() + bytes(TOO_MUCH) + b"\r\n0\r\n\r\n"
    assert server.status("GET /healthz", server.host, "Transfer-Encoding: chunked", body=chunk) == 413
    assert server.status("GET /healthz", server.host) == 200


def test_the_large_body_of_a_post_is_refused(server: Running) -> None:
    path, allowed = ("/say?x", {413}) if server.path in CHATS else ("/", {405, 413, 501})
    assert server.status(f"POST {path}", server.host, f"Content-Length: {TOO_MUCH}") in allowed


@pytest.mark.parametrize(
    "head",
    [["X: " + "y" * 300_000], [f"X-{number}: {'y' * 90}" for number in range(4000)]],
    ids=["long", "many"],
)
def test_a_large_head_is_refused(server: Running, head: list[str]) -> None:
    assert server.status("GET /healthz", server.host, *head) in (400, 431, None)
    assert server.status("GET /healthz", server.host) == 200


@only_chats
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:1", "file://"]
)
def test_a_request_of_another_web_page_is_answered_403(server: Running, origin: str) -> None:
    for request in ("POST /say?x", *(["POST /click?1&x", "GET /poll?1"] if server.polls else ["GET /ws"])):
        assert server.status(request, server.host, *handshake(), f"Origin: {origin}") == 403
    assert server.status("GET /healthz", server.host) == 200


@only_chats
def test_its_own_pages_and_those_that_are_allowed_are_answered(server: Running) -> None:
    for origin in (f"http://127.0.0.1:{server.port}", FRIEND, "http://other.example"):
        assert server.status("POST /say?x", server.host, f"Origin: {origin}") in (204, 410)


def handshake() -> list[str]:
    return [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==",
    ]


def frame(kind: int, data: bytes, *, masked: bool = True, last: bool = True) -> bytes:
    """Return a frame of RFC 6455, 5.2."""
    size, bit = len(data), 128 * masked
    if size < 126:
        length = bytes([bit | size])
    else:
        length = (
            bytes([bit | 126]) + struct.pack(">H", size)
            if size < 65_536
            else bytes([bit | 127]) + struct.pack(">Q", size)
        )
    mask = bytes([1, 2, 3, 4]) if masked else b""
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)) if masked else data
    return bytes([128 * last | kind]) + length + mask + hidden


def talk(server: Running, *pieces: bytes, early: bytes = b"") -> bytes:
    """Send pieces after the handshake, `early` with it; return what comes after the hello, to the end of the close frame."""
    with server.connect() as connection:
        head = "\r\n".join(("GET /ws HTTP/1.1", server.host, *handshake(), "", ""))
        connection.sendall(head.encode() + early)
        got = received(connection, b"hello") if not early else b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        while not (end := re.search(rb"\x88\x02..", got, re.DOTALL)) and (more := connection.recv(4096)):
            got += more
        assert end, got
    return got.partition(b"hello")[2]


def closes(code: int) -> bytes:
    return b"\x88\x02" + struct.pack(">H", code)


@only_websocket
@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([frame(TEXT, b"c1", masked=False)], closes(MISSING_MASK)),
        ([frame(TEXT, b"c1") + frame(TEXT, b"c2", masked=False) + frame(TEXT, b"c3")], b"\x81\x02c1" + closes(MISSING_MASK)),
        ([bytes([byte]) for byte in frame(TEXT, b"c" * 200) + frame(TEXT, b"d", masked=False)], b"\x81\x7e\x00\xc8" + b"c" * 200 + closes(MISSING_MASK)),
        ([frame(CLOSE, b"", masked=False)], closes(MISSING_MASK)),
        ([frame(PING, b"p", masked=False)], closes(MISSING_MASK)),
        ([frame(TEXT, b"a", last=False) + frame(CONTINUED, b"b", masked=False)], closes(MISSING_MASK)),
        ([frame(BINARY, b"c1")], closes(NOT_TEXT)),
        ([frame(TEXT, b"\xff\xfe")], closes(NOT_UTF8)),
        ([frame(TEXT, b"c" * 2000)], closes(TOO_LONG)),
        ([frame(TEXT, b"c" * 70_000)], closes(TOO_LONG)),
        ([frame(3, b"")], closes(1002)),
        ([frame(TEXT, b"a", last=False) + frame(CONTINUED, b"b") + frame(PING, b"p") + frame(CLOSE, b"\x03\xe8")], b"\x81\x02ab\x8a\x01p" + closes(1000)),
    ],
    ids=["unmasked", "after a click", "in bytes", "close", "ping", "continued", "binary", "no UTF-8", "long", "longer", "unknown", "right"],
)  # fmt: skip
def test_frames_that_are_not_allowed_close_with_their_code(server: Running, pieces: list[bytes], answer: bytes) -> None:
    logged = server.log.read_text()
    assert talk(server, *pieces) == answer
    assert server.log.read_text() == logged  # no traceback


@only_websocket
def test_a_frame_that_comes_with_the_handshake_needs_a_mask_too(server: Running) -> None:
    assert talk(server, early=frame(TEXT, b"c1", masked=False)) == closes(MISSING_MASK)
    begin, end = frame(TEXT, b"c1")[:1], frame(TEXT, b"c1")[1:]
    assert talk(server, end, frame(CLOSE, b""), early=begin) == b"\x81\x02c1" + closes(1000)
