"""The framing of the lean chat server: cases of RFC 6455, numbered as in Autobahn's test suite, and any bytes at all.

That suite (github.com/crossbario/autobahn-testsuite) needs Python 2, so that it cannot be run here. Left out are its
binary messages and its messages of 1 KiB or more as such: they are refused here (1.1.6 to 1.1.8, 1.2, 7.1.6, 9); and
compression (12, 13), which the server does not agree to.
"""

import importlib.util
import itertools
import socket
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.contract import rfc6455
from tests.contract.rfc6455 import BINARY, CLOSE, CONTINUATION, HANDSHAKE, PING, PONG, TEXT, Answer, frame
from tests.contract.test_chat_connections import Serve, heard, serve  # noqa: F401 (a fixture)

GREEK = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
PARTS = [GREEK[at : at + 1] for at in range(len(GREEK))]


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "services" / "asyncio" / f"{name}.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


FRAMES = module("lean_frames")


def said(data: bytes, cuts: tuple[int, ...] = ()) -> list[Answer]:
    """Return the answers to bytes that come in pieces; after a close, nothing is read any more."""
    user, found = FRAMES.Frames(), []
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    for begin, end in itertools.pairwise(places):
        found += user.answers(data[begin:end])
        if found and found[-1][0] == CLOSE:
            break
    return found


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def fragments(*parts: bytes, between: bytes = b"") -> bytes:
    kinds = [TEXT] + [CONTINUATION] * (len(parts) - 1)
    return between.join(
        frame(kind, part, final=number == len(parts))
        for number, (kind, part) in enumerate(zip(kinds, parts, strict=True), 1)
    )


def closed(code: int) -> Answer:
    return CLOSE, code.to_bytes(2, "big")


A, END = frame(TEXT, b"A"), closed(1000)
ECHO, PONGED, BROKEN, NO_TEXT = (TEXT, b"A"), (PONG, b""), closed(1002), closed(1007)
CASES: dict[str, tuple[bytes, list[Answer]]] = {
    **{f"1.1.{number} text of {size}": (frame(TEXT, b"*" * size), [(TEXT, b"*" * size)]) for number, size in enumerate((0, 125, 126, 127, 128), 1)},
    "1.1.6 text of 65,535, over the limit": (frame(TEXT, b"*" * 65_535), [closed(1009)]),
    "1.1.7 text of 65,536, over the limit": (frame(TEXT, b"*" * 65_536), [closed(1009)]),
    "1.2.1 binary": (frame(BINARY), [closed(1003)]),
    "2.1 ping": (frame(PING), [PONGED]),
    "2.2 ping with text": (frame(PING, b"Hello"), [(PONG, b"Hello")]),
    "2.3 ping with bytes": (frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), [(PONG, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
    "2.4 ping of 125": (frame(PING, b"\xfe" * 125), [(PONG, b"\xfe" * 125)]),
    "2.5 ping of 126": (frame(PING, b"\xfe" * 126), [BROKEN]),
    "2.7 pong": (frame(PONG), []),
    "2.8 pong with text": (frame(PONG, b"unasked"), []),
    "2.9 pong, ping": (frame(PONG, b"unasked") + frame(PING, b"p"), [(PONG, b"p")]),
    "2.10 ten pings": (b"".join(frame(PING, b"%d" % number) for number in range(10)), [(PONG, b"%d" % number) for number in range(10)]),
    "3.1 RSV 1": (frame(TEXT, b"A", reserved=1), [BROKEN]),
    "3.2 text, then RSV 2": (A + frame(TEXT, b"A", reserved=2) + frame(PING), [ECHO, BROKEN]),
    "3.5 binary with RSV 5": (frame(BINARY, b"\xff", reserved=5), [BROKEN]),
    "3.6 ping with RSV 6": (frame(PING, reserved=6), [BROKEN]),
    "3.7 close with RSV 7": (frame(CLOSE, reserved=7), [BROKEN]),
    **{f"4.1.{opcode - 2} opcode {opcode}": (A + frame(opcode, b"x"), [ECHO, BROKEN]) for opcode in range(3, 8)},
    **{f"4.2.{opcode - 10} opcode {opcode}": (A + frame(opcode, b"x"), [ECHO, BROKEN]) for opcode in range(11, 16)},
    "5.1 ping in two": (frame(PING, b"a", final=False) + frame(CONTINUATION, b"b"), [BROKEN]),
    "5.2 pong in two": (frame(PONG, b"a", final=False) + frame(CONTINUATION, b"b"), [BROKEN]),
    "5.3 text in two": (fragments(b"a", b"b"), [(TEXT, b"ab")]),
    "5.6 ping between fragments": (fragments(b"a", b"b", between=frame(PING, b"p")), [(PONG, b"p"), (TEXT, b"ab")]),
    "5.9 nothing to continue": (frame(CONTINUATION, b"a") + A, [BROKEN]),
    "5.12 nothing to continue, more to come": (frame(CONTINUATION, b"a", final=False) + A, [BROKEN]),
    "5.15 continued after its end": (fragments(b"a", b"b") + frame(CONTINUATION, b"c", final=False) + A, [(TEXT, b"ab"), BROKEN]),
    "5.18 text within a text": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), [BROKEN]),
    "5.19 five fragments, two pings": (
        frame(TEXT, b"1", final=False) + frame(CONTINUATION, b"2", final=False) + frame(PING) + frame(CONTINUATION, b"3", final=False)
        + frame(CONTINUATION, b"4", final=False) + frame(PING) + frame(CONTINUATION, b"5"),
        [PONGED, PONGED, (TEXT, b"12345")],
    ),
    "6.1.1 empty text": (frame(TEXT), [(TEXT, b"")]),
    "6.1.2 three empty fragments": (fragments(b"", b"", b""), [(TEXT, b"")]),
    "6.1.3 one of three has text": (fragments(b"", b"middle", b""), [(TEXT, b"middle")]),
    "6.2.2 characters whole": (fragments(GREEK[:5], GREEK[5:]), [(TEXT, GREEK)]),
    "6.2.3 an octet a fragment": (fragments(*PARTS), [(TEXT, GREEK)]),
    "6.3.2 an octet a fragment, a surrogate": (fragments(*PARTS, b"\xed", b"\xa0", b"\x80", b"x"), [NO_TEXT]),
    "6.4.1 refused before the message is complete": (frame(TEXT, GREEK, final=False) + frame(CONTINUATION, b"\xf4\x90\x80\x80", final=False), [NO_TEXT]),
    "6.4.2 refused before the character is complete": (frame(TEXT, GREEK + b"\xf4", final=False) + frame(CONTINUATION, b"\x90", final=False), [NO_TEXT]),
    **{f"{case} is UTF-8": (frame(TEXT, text), [(TEXT, text)]) for case, text in (
        ("6.5.1", b"hello\x24world"), ("6.5.4", b"hello\xf0\xa4\xad\xa2world"), ("6.7.1", b"\x00"), ("6.7.2", b"\xc2\x80"), ("6.7.3", b"\xe0\xa0\x80"),
        ("6.7.4", b"\xf0\x90\x80\x80"), ("6.9.2", b"\xdf\xbf"), ("6.9.3", b"\xef\xbf\xbf"), ("6.9.4", b"\xf4\x8f\xbf\xbf"), ("6.11.1", b"\xed\x9f\xbf"),
        ("6.11.2", b"\xee\x80\x80"), ("6.22.1", b"\xef\xbf\xbe"), ("6.23.5", b"\xef\xbf\xbd"))},
    **{f"{case} is no UTF-8": (frame(TEXT, text), [NO_TEXT]) for case, text in (
        ("6.3.1", GREEK + b"\xed\xa0\x80edited"), ("6.6.1", b"\xce"), ("6.6.4", GREEK[:4]), ("6.8.1", b"\xf8\x88\x80\x80\x80"), ("6.8.2", b"\xfc\x84\x80\x80\x80\x80"),
        ("6.10.1", b"\xf7\xbf\xbf\xbf"), ("6.11.5", b"\xf4\x90\x80\x80"), ("6.12.1", b"\x80"), ("6.12.3", b"\x80\xbf"), ("6.13.1", b"\xc0 \xc1 "),
        ("6.14.2", b"\xe0\x80"), ("6.14.6", b"\xdf"), ("6.16.1", b"\xfe"), ("6.16.2", b"\xff"), ("6.17.1", b"\xc0\xaf"), ("6.18.2", b"\xe0\x9f\xbf"),
        ("6.19.1", b"\xc0\x80"), ("6.20.1", b"\xed\xa0\x80"), ("6.21.1", b"\xed\xa0\x80\xed\xb0\x80"))},
    "7.1.1 text, close": (A + close(1000), [ECHO, END]),
    "7.1.2 two closes": (close(1000) * 2, [END]),
    "7.1.3 ping after a close": (close(1000) + frame(PING), [END]),
    "7.1.4 text after a close": (close(1000) + A, [END]),
    "7.1.5 close between fragments": (frame(TEXT, b"a", final=False) + close(1000) + frame(CONTINUATION, b"b"), [END]),
    "7.3.1 close with nothing": (frame(CLOSE), [END]),
    "7.3.2 close with one octet": (frame(CLOSE, b"\x03"), [BROKEN]),
    "7.3.4 close with a reason": (close(1000, b"Hello"), [END]),
    "7.3.5 close with a reason of 123": (close(1000, b"*" * 123), [END]),
    "7.3.6 close with a reason of 124": (close(1000, b"*" * 124), [BROKEN]),
    "7.5.1 the reason is no UTF-8": (close(1000, GREEK + b"\xed\xa0\x80"), [NO_TEXT]),
    **{f"7.7.{number} code {code}": (close(code), [closed(code)]) for number, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1)},
    **{f"7.9.{number} code {code}": (close(code), [BROKEN]) for number, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1)},
    "7.13.1 code 5000": (close(5000), [BROKEN]),
    # Not in that suite: what the RFC says besides.
    "5.1 of the RFC: no mask": (frame(TEXT, b"A", masked=False), [BROKEN]),
    "5.2 of the RFC: 125 octets in the longer form": (frame(TEXT, b"*" * 125, form=2), [BROKEN]),
    "5.2 of the RFC: 126 octets in the longest form": (frame(TEXT, b"*" * 126, form=8), [BROKEN]),
    "5.2 of the RFC: the highest bit of a length": (b"\x81\xff\x80" + bytes(7), [BROKEN]),
    "code 1015, which is never sent": (close(1015), [BROKEN]),
    "1,023 octets, the most": (frame(TEXT, b"*" * 1023), [(TEXT, b"*" * 1023)]),
    "1,024 octets": (frame(TEXT, b"*" * 1024)[:4], [closed(1009)]),
    "1,024 octets in fragments": (fragments(b"*" * 1000, b"*" * 24), [closed(1009)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_answered_as_the_rfc_says_whole_and_by_the_octet(case: str) -> None:
    data, expected = CASES[case]
    assert said(data) == expected
    assert said(data, tuple(range(len(data)))) == expected  # 2.6, 2.11, 3.3, 3.4, 5.4, 5.5 and others: in octets
    assert rfc6455.answers(data) == expected


def test_the_running_server_answers_all_cases_the_same(serve: Serve) -> None:  # noqa: F811
    chat = serve(ROOT / "services" / "asyncio" / "chat_lean.py")
    handshake = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    wrong = []
    for case, (data, expected) in CASES.items():
        ended = expected and expected[-1][0] == CLOSE
        wanted = b"".join(FRAMES.frame(*each) for each in (expected if ended else [*expected, END]))
        with socket.create_connection(("127.0.0.1", chat.port), timeout=20) as one:
            one.sendall(f"GET /ws HTTP/1.1\r\nHost: lab\r\n{handshake}\r\n".encode())
            one.sendall(data if ended else data + close(1000))
            head, _, got = heard(one, b"never").partition(b"\r\n\r\n")  # to the end: the server closes
        if not head.startswith(b"HTTP/1.1 101 ") or got != FRAMES.frame(TEXT, b"hello") + wanted:
            wrong.append((case, got))
    assert wrong == []
    assert chat.users() == 0


payloads = (
    st.text(max_size=40).map(str.encode)
    | st.binary(max_size=130)
    | st.sampled_from([GREEK[:4], GREEK[4:], b"\xf4", b"\xf4\x90", b"\xed\xa0", b"\x80", b"\x03\xe8", b"\x03\xec", b"\x0b\xb8ok", b"\x03\xe8\xff"])
    | st.sampled_from([124, 125, 126, 127, 500, 1023, 1024, 65_535, 65_536]).map(lambda size: b"*" * size)
)  # fmt: skip
proper = st.builds(frame, st.sampled_from([CONTINUATION, TEXT, PING, PONG]), payloads, final=st.booleans())
texts = st.lists(payloads, min_size=1, max_size=4).map(lambda parts: fragments(*parts, between=frame(PING, b"p")))
any_frames = st.builds(
    frame,
    st.integers(0, 15),
    payloads,
    final=st.booleans(),
    reserved=st.sampled_from([0] * 20 + list(range(1, 8))),
    masked=st.sampled_from([True] * 20 + [False]),
    form=st.sampled_from([0] * 10 + [2, 8]),
)
streams = st.lists(texts | proper | any_frames | st.binary(max_size=20), max_size=8).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(streams, st.lists(st.integers(0, 100_000), max_size=12).map(tuple))
@example(fragments(GREEK[:1], GREEK[1:]) + close(3000, GREEK), (1, 2, 3, 7, 8))
@example(frame(TEXT, b"*" * 126, form=8)[:5], (2, 3))
def test_any_bytes_in_any_pieces_are_answered_as_by_the_model(data: bytes, cuts: tuple[int, ...]) -> None:
    assert said(data, cuts) == said(data) == rfc6455.answers(data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_a_frame_of_the_server_is_read_back(payload: bytes) -> None:
    head = FRAMES.frame(TEXT, payload)
    masked = frame(TEXT, payload)
    assert head[:1] == masked[:1]
    assert head[1 : len(head) - len(payload)] == bytes([masked[1] & 127]) + masked[2 : len(masked) - len(payload) - 4]
    assert head.endswith(payload)


def test_between_messages_a_user_keeps_nothing_of_its_own() -> None:
    user = FRAMES.Frames()
    list(user.answers(fragments(b"a", b"b") + frame(PING)))
    assert user.rest is FRAMES.Frames().rest  # the one empty object of bytes
    assert user.begun is None
    list(user.answers(frame(TEXT, b"*" * 1023)[:-1]))
    assert len(user.rest) < 1024 + 14
