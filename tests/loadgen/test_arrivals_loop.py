"""The loop of the client for planned arrivals, against servers that do what a test says."""

import gc
import itertools
import os
import signal
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import arrivals_sockets
import pytest
from arrivals_loop import Loop
from arrivals_pool import Counts, Limits
from arrivals_process import Client
from arrivals_rows import ERRORS, Row, packed, unpacked
from arrivals_sockets import NoRoom, Target, kind_of

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: service;dur=20\r\n\r\nok"
RESET = struct.pack("ii", 1, 0)

Handler = Callable[[socket.socket, int], None]  # of the n-th connection


def requests(connection: socket.socket) -> Iterator[bytes]:
    """Yield each request of a connection until it is closed."""
    with suppress(OSError):
        while data := connection.recv(4096):
            yield data


def answers(connection: socket.socket, _: int) -> None:
    for _request in requests(connection):
        connection.sendall(ANSWER)


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """Serve each connection in a thread; yield the URL."""
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            for number in itertools.count():
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(connection, number), daemon=True))
                threads[-1].start()

    def serve(connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            handler(connection, number)

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def played(
    url: str, moments: list[float], *, limit_s: float = 5.0, timeout_s: float = 20.0, turns: int = 0, **limits: int
) -> tuple[list[Row], Counts]:
    """Play a plan; return its rows in the order in which they ended, and the counts."""
    told: list[str] = []
    loop = Loop(Target.of(url), Limits(limit_s, **limits), lambda rows: told.append(packed(rows)))
    loop.turns = turns
    begin = time.monotonic()
    counts = loop.play(iter(moments), begin, begin + timeout_s)
    return [row for text in told for row in unpacked(text)], counts


def failures(rows: list[Row]) -> list[str]:
    return [ERRORS[int(row.error)] for row in rows]


def test_rows_are_packed_and_unpacked() -> None:
    rows = [Row(*(number + place / 8 for place in range(10))) for number in range(3)]
    assert list(unpacked(packed(array("d", itertools.chain.from_iterable(rows))))) == rows


def test_a_request_takes_the_idle_connection_that_was_used_last() -> None:
    seen: list[int] = []

    def handler(connection: socket.socket, number: int) -> None:
        for _ in requests(connection):
            seen.append(number)
            if len(seen) <= 3:
                three.wait(10)  # three connections are open before the first answer
            connection.sendall(ANSWER)

    three = threading.Barrier(3)
    with serving(handler) as url:
        rows, counts = played(url, [0.0, 0.0, 0.0, 0.2, 0.4, 0.6])
    assert [row.status for row in rows] == [200] * 6
    assert counts.most_open == 3
    assert len(set(seen[3:])) == 1
    assert all(0 <= row.planned_s <= row.sent_s <= row.first_s <= row.done_s for row in rows)
    assert all(row.read_late_s >= 0 for row in rows)
    assert {row.service_s for row in rows} == {0.02}


def after(pause_s: float) -> Handler:
    def handler(connection: socket.socket, _: int) -> None:
        for _request in requests(connection):
            threading.Event().wait(pause_s)
            connection.sendall(ANSWER)

    return handler


def test_an_answer_can_have_waited_since_a_sleep_began_that_was_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(after(0.04)) as url:
        rows, _ = played(url, [0.0, 0.1, 0.2])
        assert min(row.read_late_s for row in rows) < 0.02  # the answer ended the sleep
        monkeypatch.setattr(arrivals_sockets.Poller, "wait", lambda *_: threading.Event().wait(0.2))
        rows, _ = played(url, [0.0])
    assert 0.2 <= rows[0].read_late_s < 2


def test_a_client_that_did_not_run_for_a_while_says_how_long_answers_can_have_waited() -> None:
    told, begun = list[str](), threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        begun.set()

    client = Client()
    with serving(after(0.05)) as url:  # at 40 a second, a request is under way all the time
        plan = {"process": "constant", "rate_rps": 40.0, "duration_s": 1.5, "seed": 1}
        job = {"url": url, "arrivals": plan, "answer_limit_s": 5, "timeout_s": 20}
        playing = threading.Thread(target=client.alone, args=(job, tell), daemon=True)
        playing.start()
        try:
            assert begun.wait(20)
            os.kill(client.pid, signal.SIGSTOP)
            threading.Event().wait(0.3)
            os.kill(client.pid, signal.SIGCONT)
            playing.join(20)
        finally:
            client.stop()
    late_s = [row.read_late_s for text in told for row in unpacked(text)]
    assert len(late_s) >= 60
    assert 0.25 < max(late_s) < 2
    assert min(late_s) < 0.02


def test_answers_in_pieces_and_in_any_framing() -> None:
    texts = [
        ANSWER, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", b"HTTP/1.1 204 No Content\r\n\r\n",
    ]  # fmt: skip

    def handler(connection: socket.socket, number: int) -> None:
        text = texts[number % len(texts)]
        next(requests(connection))
        for place in range(0, len(text), 7):
            connection.sendall(text[place : place + 7])

    with serving(handler) as url:
        rows, _ = played(url, [0.0] * 4)
    assert sorted(row.status for row in rows) == [200, 200, 200, 204]


def reset(connection: socket.socket, _: int) -> None:
    next(requests(connection))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def says(text: bytes) -> Handler:
    def handler(connection: socket.socket, _: int) -> None:
        next(requests(connection))
        connection.sendall(text)

    return handler


def silent(connection: socket.socket, _: int) -> None:
    list(requests(connection))


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (reset, "reset"),
        (silent, "timeout"),
        (says(b""), "closed early"),
        (says(ANSWER[:-1]), "closed early"),
        (says(b"220 mail.example ESMTP\r\n"), "bad response"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), "too large"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000), "too large"),
    ],
)
def test_a_request_without_an_answer_says_why(handler: Handler, expected: str) -> None:
    with serving(handler) as url:
        rows, counts = played(url, [0.0, 0.01], limit_s=0.3, answer_bytes=1000)
    assert failures(rows) == [expected] * 2
    assert {(row.status, row.service_s, row.resent) for row in rows} == {(0, -1, 0)}
    assert not counts.timed_out


def test_nobody_listens() -> None:
    rows, _ = played("http://127.0.0.1:9", [0.0, 0.05])
    assert failures(rows) == ["refused"] * 2


def closes_after(answered: int, then: bytes = b"") -> tuple[Handler, list[int]]:
    """Close the first connection at the request after so many, without an answer, or with the beginning of one."""
    seen: list[int] = []

    def handler(connection: socket.socket, number: int) -> None:
        for count, _ in enumerate(requests(connection)):
            seen.append(number)
            if number == 0 and count == answered:
                connection.sendall(then)
                return
            connection.sendall(ANSWER)

    return handler, seen


def test_a_request_is_sent_again_if_the_server_had_closed_an_idle_connection() -> None:
    handler, seen = closes_after(1)
    with serving(handler) as url:
        rows, _ = played(url, [0.0, 0.2])
    assert [(row.status, row.resent) for row in rows] == [(200, 0), (200, 1)]
    assert seen == [0, 0, 1]


def test_a_request_is_not_sent_again_after_a_byte_of_the_answer_or_on_a_new_connection() -> None:
    for answered, then, moments in ((1, b"H", [0.0, 0.2]), (0, b"", [0.0])):
        handler, seen = closes_after(answered, then)
        with serving(handler) as url:
            rows, _ = played(url, moments)
        assert (failures(rows)[-1], rows[-1].resent) == ("closed early", 0)
        assert seen == [0] * len(moments)


def test_a_request_is_sent_again_only_once() -> None:
    def handler(connection: socket.socket, number: int) -> None:
        for count, _ in enumerate(requests(connection)):
            seen.append(number)
            if number or count:
                return
            connection.sendall(ANSWER)

    seen: list[int] = []
    with serving(handler) as url:
        rows, _ = played(url, [0.0, 0.2])
    assert [(row.status, row.resent) for row in rows] == [(200, 0), (0, 1)]
    assert failures(rows) == ["", "closed early"]
    assert seen == [0, 0, 1]


def test_an_idle_connection_that_the_server_closes_is_not_used() -> None:
    with serving(says(ANSWER)) as url:
        rows, _ = played(url, [0.0, 0.2, 0.4])
    assert [(row.status, row.resent) for row in rows] == [(200, 0)] * 3


def test_arrivals_wait_in_turn_where_no_connection_more_may_be_opened() -> None:
    def slow(connection: socket.socket, _: int) -> None:
        for _request in requests(connection):
            threading.Event().wait(0.005)
            connection.sendall(ANSWER)

    moments = [number / 4000 for number in range(200)]  # ten times as many as can be served
    with serving(slow) as url:
        rows, counts = played(url, moments, connections=2)
    assert [row.status for row in rows] == [200] * 200
    assert [row.planned_s for row in sorted(rows, key=lambda row: row.sent_s)] == moments
    assert (counts.waited, counts.most_open) == (198, 2)
    assert rows[-1].sent_s - rows[-1].planned_s > 0.05  # which is late


def test_a_limit_of_the_machine_is_a_limit_of_open_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = arrivals_sockets.Connection.__init__

    def few(self: arrivals_sockets.Connection, target: Target) -> None:
        if next(counted) >= 2:
            raise NoRoom
        opened(self, target)

    counted = itertools.count()
    monkeypatch.setattr(arrivals_sockets.Connection, "__init__", few)
    with serving(answers) as url:
        rows, counts = played(url, [0.0] * 6)
        assert ([row.status for row in rows], counts.waited) == ([200] * 6, 4)
        rows, _ = played(url, [0.0])
    assert failures(rows) == ["no connection"]


@pytest.fixture
def no_room_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the machine refuse one connection, by its number from 0."""
    opened = arrivals_sockets.Connection.__init__

    def refuse(number: int) -> None:
        counted = itertools.count()

        def once(self: arrivals_sockets.Connection, target: Target) -> None:
            if next(counted) == number:
                raise NoRoom
            opened(self, target)

        monkeypatch.setattr(arrivals_sockets.Connection, "__init__", once)

    return refuse


def test_an_idle_connection_gives_way_to_a_request_that_needs_a_new_one(no_room_once: Callable[[int], None]) -> None:
    def handler(connection: socket.socket, number: int) -> None:
        for count, _ in enumerate(requests(connection)):
            if number < 2:
                if count:
                    return  # closed while it was idle: the request is sent again, on a new connection
                both.wait(10)
            connection.sendall(ANSWER)

    no_room_once(2)
    both = threading.Barrier(2)
    with serving(handler) as url:
        rows, counts = played(url, [0.0, 0.0, 0.3], timeout_s=5.0)
    assert [(row.status, row.resent) for row in rows] == [(200, 0), (200, 0), (200, 1)]
    assert not counts.timed_out


def test_a_connection_that_could_not_be_opened_limits_none_that_follow(no_room_once: Callable[[int], None]) -> None:
    def slow(connection: socket.socket, _: int) -> None:
        for _request in requests(connection):
            threading.Event().wait(0.1)
            connection.sendall(ANSWER)

    no_room_once(1)
    with serving(slow) as url:
        rows, counts = played(url, [0.0, 0.0, 0.3, 0.3, 0.3])
    assert [row.status for row in rows] == [200] * 5
    assert (counts.waited, counts.most_open) == (1, 3)


def test_a_load_ends_at_its_time_limit_with_a_row_for_each_request_that_was_due() -> None:
    with serving(silent) as url:
        rows, counts = played(url, [0.0, 0.0, 0.0, 60.0], limit_s=50, timeout_s=0.3, connections=2)
    assert counts.timed_out
    assert sorted(failures(rows)) == ["not sent", "timeout", "timeout"]


def test_a_closed_loop_sends_when_it_has_the_answer() -> None:
    with serving(answers) as url:
        rows, counts = played(url, [0.0] * 3, turns=27)
    assert [row.status for row in rows] == [200] * 30
    assert counts.most_open == 3
    rows, _ = played("http://127.0.0.1:9", [0.0] * 2, turns=8)
    assert failures(rows) == ["refused"] * 10


def test_a_loop_leaves_no_garbage_because_nothing_is_collected_meanwhile() -> None:
    with serving(answers) as url:
        played(url, [0.0], turns=20)
        gc.collect()
        gc.disable()
        try:
            rows, _ = played(url, [0.0], turns=400)
            assert gc.collect() < len(rows) / 4
        finally:
            gc.enable()


def test_a_loop_ends_when_the_process_that_asked_for_it_has_gone() -> None:
    here, there = socket.socketpair()
    with here, there, serving(silent) as url:
        loop = Loop(Target.of(url), Limits(60.0), lambda _: None, leave=here.fileno())
        threading.Timer(0.1, there.shutdown, (socket.SHUT_RDWR,)).start()
        begin = time.monotonic()
        assert loop.play(itertools.repeat(0.0, 1), begin, begin + 60).left
    assert time.monotonic() - begin < 30


def test_poll_takes_the_place_of_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.epoll")
    with serving(answers) as url:
        rows, _ = played(url, [0.0, 0.0, 0.02])
    assert [row.status for row in rows] == [200] * 3


def test_words_for_error_numbers() -> None:
    assert [kind_of(number) for number in (111, 104, 32, 110, 101, None)] == [
        "refused", "reset", "reset", "timeout", "no connection", "no connection",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["https://a.example", "ftp://a.example", "nonsense", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="is no address such as"):
        Target.of(url)
