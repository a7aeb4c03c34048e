"""Where a response ends: published rules, damaged bytes, and any split of the bytes."""

import itertools
from typing import NamedTuple

import pytest
from http_framing import MOST_HEAD, FramingError, Response
from hypothesis import example, given, settings
from hypothesis import strategies as st

MOST = 100_000
OK = b"HTTP/1.1 200 OK\r\n"


class Outcome(NamedTuple):
    """What was read: the status, how it ended ("" if it needs more bytes), and if the connection can be used again."""

    status: int
    end: str
    reusable: bool


def read(data: bytes, cuts: tuple[int, ...] = (), *, closed: bool = False, most: int = MOST) -> Outcome:
    """Read bytes that are split at `cuts`, and then closed or not."""
    response = Response(most)
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    end = ""
    try:
        for begin, stop in itertools.pairwise(places):
            if response.feed(data[begin:stop]):
                end = "complete"
        if closed:
            end = "complete" if response.end() else "closed early"
    except FramingError as error:
        end = error.kind
    return Outcome(response.status, end, response.reusable)


def length(body: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(header + b"\r\n" for header in (*headers, b"Content-Length: %d" % len(body))) + b"\r\n" + body


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (length(b"hello"), Outcome(200, "complete", True)),
        (length(b""), Outcome(200, "complete", True)),
        (length(b"hello", b"Connection: close"), Outcome(200, "complete", False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Outcome(200, "complete", False)),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", Outcome(200, "complete", True)),
        (b"HTTP/1.1 503 \r\ncontent-length:0\r\n\r\n", Outcome(503, "complete", True)),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Outcome(200, "complete", True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Outcome(204, "complete", True)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n", Outcome(304, "complete", True)),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + length(b"x"), Outcome(200, "complete", True)),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + length(b"x"), Outcome(200, "complete", True)),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", Outcome(200, "complete", True)),
        (CHUNKED + b'5;name="value"\r\nhello\r\nA ; x\r\n0123456789\r\n000\r\n\r\n', Outcome(200, "complete", True)),
        (CHUNKED + b"1\r\nx\r\n0\r\nServer-Timing: a\r\nX: y\r\n\r\n", Outcome(200, "complete", True)),
        (OK + b"Content-Length: 3, 3\r\n\r\nabc", Outcome(200, "complete", True)),
        (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Outcome(200, "complete", True)),
        (OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Outcome(200, "complete", False)),
        (length(b"x") + b"more", Outcome(200, "complete", False)),
    ],
)
def test_a_complete_response(data: bytes, expected: Outcome) -> None:
    assert read(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        OK + b"\r\nall of this",
        OK + b"Transfer-Encoding: gzip\r\n\r\nall of this",
        b"HTTP/1.0 200 OK\r\n\r\nall of this",
    ],
)
def test_a_body_without_a_length_ends_when_the_connection_does(data: bytes) -> None:
    assert read(data) == Outcome(200, "", False)
    assert read(data, closed=True) == Outcome(200, "complete", False)


@pytest.mark.parametrize("cut", [0, 1, 9, 20, -1])
@pytest.mark.parametrize("data", [length(b"hello"), CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"], ids=["length", "chunked"])
def test_a_connection_that_closes_early_is_no_response(data: bytes, cut: int) -> None:
    assert read(data[:cut], closed=True).end == "closed early"


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        b"\0" * 20,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Content-Length : 3\r\n\r\nabc",
        OK + b" folded: x\r\n\r\n",
        OK + b"A: b\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\nx",
        OK + b"Content-Length: 1_0\r\n\r\n",
        OK + b"Content-Length: 3, 4\r\n\r\nabcd",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: \xb2\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x1\r\na\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"1\r\nab\r\n",
        CHUNKED + b"1\r\na\rb",
        CHUNKED + b"0\r\nno trailer\r\n\r\n",
        CHUNKED + b"1" + b" " * 5000,
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_bytes_that_are_no_response(data: bytes) -> None:
    assert read(data).end == "bad response"


@pytest.mark.parametrize(
    "data",
    [
        OK + b"A: " + b"x" * MOST_HEAD,
        OK + b"A: " + b"x" * MOST_HEAD + b"\r\n\r\n",
        OK + b"Content-Length: 100001\r\n\r\n",
        OK + b"Content-Length: 99999\r\n\r\n" + b"x" * 99_999,
        CHUNKED + b"fffff\r\n",
        OK + b"\r\n" + b"x" * MOST,
    ],
)
def test_a_response_above_the_limit(data: bytes) -> None:
    assert read(data).end == "too large"


def test_the_server_timing_is_read() -> None:
    for text, seconds in (
        (b"service;dur=20.5", 0.0205), (b"db;dur=1", -1), (b"service;dur=", -1), (b"service;dur=-3", -1),
        (b"service;dur=nan", -1), (b"service;dur=inf", -1), (b"service;dur=20.5, process;desc=3", 0.0205),
    ):  # fmt: skip
        response = Response(MOST)
        response.feed(length(b"", b"Server-Timing: " + text))
        assert response.service_s() == pytest.approx(seconds)
    assert Response(MOST).service_s() == -1


HEADERS = st.lists(
    st.sampled_from(
        [b"Content-Length: 5", b"Content-Length: 0", b"content-LENGTH:  3 ", b"Transfer-Encoding: chunked", b"A:", b"bad",
         b"Connection: close", b"Transfer-Encoding: gzip, chunked", b"Server-Timing: service;dur=1", b"Content-Length: x"]
    ), max_size=4,
)  # fmt: skip
BODIES = st.lists(
    st.sampled_from([b"5\r\nhello\r\n", b"0\r\n\r\n", b"2;x=y\r\nab\r\n", b"hello", b"\r\n", b"0", b"T: x\r\n", b"\r"]),
    max_size=5,
).map(b"".join)
FIRST = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204 x", b"HTTP/1.1", b"x"]
)
WHOLE = st.tuples(FIRST, HEADERS, BODIES).map(lambda p: b"\r\n".join([p[0], *p[1], b"", b""]) + p[2])
DATA = st.one_of(
    WHOLE, st.tuples(WHOLE, WHOLE).map(b"".join), st.binary(max_size=200), st.binary(max_size=60).map(OK.__add__)
)


@settings(deadline=None)  # machines are shared
@given(data=DATA, cuts=st.lists(st.integers(0, 10_000)).map(tuple), closed=st.booleans(), most=st.integers(1, 120))
@example(length(b"hello") + b"excess", (1, 40, 45), True, 44)
@example(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", tuple(range(80)), False, MOST)
def test_any_split_of_the_bytes_gives_the_same_result(
    data: bytes, cuts: tuple[int, ...], closed: bool, most: int
) -> None:
    for limit in (most, MOST):
        whole = read(data, closed=closed, most=limit)
        assert read(data, cuts, closed=closed, most=limit) == whole
        assert read(data, tuple(range(len(data))), closed=closed, most=limit) == whole


@settings(deadline=None)
@given(body=st.binary(max_size=300), sizes=st.lists(st.integers(1, 40), max_size=20))
def test_any_body_ends_where_it_does_in_any_framing(body: bytes, sizes: list[int]) -> None:
    rest = body
    pieces: list[bytes] = []
    for size in (*sizes, 1000):
        pieces, rest = [*pieces, rest[:size]], rest[size:]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    for data in (length(body), CHUNKED + chunks + b"0\r\n\r\n"):
        assert read(data) == Outcome(200, "complete", True)
        assert read(data[:-1]).end == ""
        assert read(data + b"H") == Outcome(200, "complete", False)


def test_the_process_that_served_it_is_read() -> None:
    for text, process in (
        (b"service;dur=20.5, process;desc=3", 3), (b"process;desc=12", 12), (b"service;dur=20.5", -1),
        (b"process;desc=", -1), (b"process;desc=x", -1), (b"subprocess;desc=3", -1), (b"process;desc=3x", -1),
    ):  # fmt: skip
        response = Response(MOST)
        response.feed(length(b"", b"Server-Timing: " + text))
        assert response.process() == process
    assert Response(MOST).process() == -1
