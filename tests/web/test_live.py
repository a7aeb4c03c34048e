"""A lane on a server that the test holds in its hand: where each user is, and what is counted."""

import asyncio
import functools
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.host.accept_queues import AcceptQueues
from iolab.lab import Lab
from iolab.web.live import lane as lanes
from iolab.web.live.client import Exchange
from iolab.web.live.lane import Lane
from iolab.web.live.seats import QUEUED, SERVED, Seats
from iolab.web.live.server import Server
from iolab.web.live.settings import Settings
from tests.waiting import happens

KNOWN = frozenset("ABCD")
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Held:
    """A server whose answers the test gives: `workers` requests at once, each until `go` is called."""

    alive = True

    def __init__(self, workers: int) -> None:
        self.address = ("127.0.0.1", 0)
        self.waiting: list[asyncio.Event] = []
        self._seats = asyncio.Semaphore(workers)
        self._server: asyncio.Server | None = None
        self.answer, self.rest = ANSWER, b""
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task
        self._tasks.append(task)
        await reader.readuntil(b"\r\n\r\n")
        async with self._seats:
            gate = asyncio.Event()
            self.waiting.append(gate)
            await gate.wait()
        writer.write(self.answer)
        if self.rest:
            gate = asyncio.Event()
            self.waiting.insert(0, gate)
            await gate.wait()
            writer.write(self.rest)
        writer.close()

    async def go(self) -> None:
        """Answer the oldest request in service: a lane sees its connection before the server has read the request."""
        await happens(lambda: self.waiting)
        self.waiting.pop(0).set()

    def usage(self) -> tuple[float, int]:
        return 0.1, 1

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    kill = stop


@asynccontextmanager
async def lane_of(
    letter: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, lab: Lab, workers: int
) -> AsyncIterator[tuple[Lane, Held]]:
    held = Held(workers)
    await held.open()

    async def start(*_: Any) -> Held:
        return held

    monkeypatch.setattr(Server, "start", start)
    lane = Lane(next(model for model in lab.models if model.letter == letter), Path("unused"))
    await lane.start(settings)
    try:
        lane.pause(False)
        await lane.load(settings)
        yield lane, held
    finally:
        await lane.stop()


def where(lane: Lane) -> dict[str, int]:
    return dict(Counter(state for _, state in lane.snapshot()["users"]))


def test_a_request_that_is_being_answered_has_left_its_seat(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    async def look() -> None:
        async with lane_of("A", Settings(users=3), monkeypatch, lab, 1) as (lane, held):
            held.answer, held.rest = ANSWER[:9], ANSWER[9:]
            await happens(lambda: held.waiting and where(lane) == {"served": 1, "queued": 2})
            lane.events()
            await held.go()
            await happens(lambda: where(lane).get("answering") == 1)
            assert where(lane) == {"answering": 1, "served": 1, "queued": 1}
            assert lane.figures()["in_flight"] == 3
            held.waiting[0].set()
            await happens(lambda: lane.done == 1)
            assert [state for user, state in lane.events() if user == lane.rows[0].user][:2] == ["answering", "done"]
            assert lane.rows[0].first_s is not None
            assert lane.rows[0].first_s <= lane.rows[0].done_s

    asyncio.run(look())


def test_users_that_have_not_sent_yet_are_shown(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    async def look() -> None:
        async with lane_of("C", Settings(users=3), monkeypatch, lab, 9) as (lane, _):
            await happens(lambda: lane.figures()["in_flight"] == 3)
            lane.pause(True)
            await lane.load(Settings(users=5))
            await happens(lambda: where(lane).get("idle") == 2)
            assert lane.figures()["in_flight"] == 3

    asyncio.run(look())


@pytest.mark.parametrize(("letter", "workers", "served"), [("A", 1, 1), ("B", 8, 8), ("C", 99, 16)])
def test_of_sixteen_users_as_many_are_in_service_as_the_model_has_workers(
    letter: str, workers: int, served: int, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    async def look() -> None:
        async with lane_of(letter, Settings(users=16), monkeypatch, lab, workers) as (lane, held):
            await happens(lambda: lane.figures()["served"] + lane.figures()["queued"] == 16)
            assert (lane.figures()["served"], lane.figures()["in_flight"]) == (served, 16)
            await held.go()
            await happens(lambda: lane.done == 1 and lane.figures()["in_flight"] == 16)  # the user is back
            await happens(lambda: lane.figures()["served"] == served)  # as soon as it is connected
            assert lane.rows[0].status == 200

    asyncio.run(look())


def test_what_pages_count_is_what_the_rows_say(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    async def look() -> None:
        async with lane_of("C", Settings(users=3), monkeypatch, lab, 9) as (lane, held):
            events = []
            for _ in range(20):
                await held.go()
                events += lane.events()
            lane.pause(True)

            def is_empty() -> bool:
                while held.waiting:
                    held.waiting.pop(0).set()
                return not lane.figures()["in_flight"]

            await happens(is_empty)
            events += lane.events()
            states = Counter(state for _, state in events)
            assert states["done"] == len(lane.rows) == lane.done == lane.sent >= 20
            assert [row.number for row in sorted(lane.rows)] == list(range(1, lane.sent + 1))
            for row in lane.rows:
                assert row.connected_s is not None
                assert row.first_s is not None
                assert row.sent_s <= row.connected_s <= row.first_s <= row.done_s

    asyncio.run(look())


def test_a_request_without_an_answer_is_a_failure_and_the_user_tries_again(
    monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    async def look() -> None:
        monkeypatch.setattr(lanes, "AGAIN_S", 0.01)
        async with lane_of("C", Settings(users=1), monkeypatch, lab, 9) as (lane, held):
            for held.answer in (b"", b"HTTP/1.1 503 No\r\n\r\n", b"nonsense"):
                before = lane.failed
                await held.go()
                await happens(functools.partial(lambda count: lane.failed == count, before + 1))
            assert (lane.done, [row.status for row in lane.rows]) == (0, [0, 503, 0])
            assert lane.figures()["median_s"] is None

    asyncio.run(look())


def test_users_that_leave_take_their_answers_with_them(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """A server goes on with a request that is given up: the view would show a server that serves no user."""

    async def look() -> None:
        async with lane_of("A", Settings(users=4), monkeypatch, lab, 1) as (lane, held):
            await happens(lambda: lane.figures()["in_flight"] == 4)
            await lane.load(Settings(loop="open", rate_rps=0.001))
            for number in range(4):
                assert lane.figures()["in_flight"] == 4 - number
                await held.go()
                await happens(functools.partial(lambda count: lane.done == count, number + 1))
            assert lane.snapshot()["users"] == []
            await lane.load(Settings(loop="open", rate_rps=64))
            await happens(lambda: lane.figures()["in_flight"] >= 2)
            there = lane.figures()["in_flight"]
            await lane.load(Settings(loop="open", rate_rps=0.001))
            assert lane.figures()["in_flight"] >= there  # another rate ends no visit
            await lane.load(Settings(users=2))
            await happens(lambda: lane.figures()["in_flight"] >= there + 2)

    asyncio.run(look())


def test_a_queue_holds_no_more_than_its_backlog_and_one(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """The kernel may let a user believe to be connected whose last packet it dropped."""

    async def look() -> None:
        async with lane_of("A", Settings(users=16, backlog=None), monkeypatch, lab, 1) as (lane, _):
            await happens(lambda: lane.figures()["queued"] == 6)
            figures = lane.figures()
            assert (figures["served"], figures["queued"], figures["sending"]) == (1, 6, 9)
        async with lane_of("B", Settings(users=16, backlog=5), monkeypatch, lab, 8) as (lane, _):
            await happens(lambda: lane.figures()["queued"] == 8)  # its own queue has no such bound

    asyncio.run(look())


def exchange(user: int, port: int) -> Exchange:
    return Exchange(user, 0.0, connected_s=0.1, local_port=port)


def test_of_several_queues_the_kernel_says_who_is_in_service(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a queue each, a user can wait while a process is idle: the oldest is not always in service."""
    prefork = next(model for model in lab.family if model.letter == "E")
    one, split = (Seats.of(prefork, Settings(processes=2, reuseport=each)) for each in (False, True))
    assert ((one.workers, one.queues), (split.workers, split.queues)) == ((2, 1), (2, 2))
    connected = [exchange(user, 50_000 + user) for user in range(3)]
    assert list(one.states(connected)) == [(0, SERVED), (1, SERVED), (2, QUEUED)]
    monkeypatch.setattr(AcceptQueues, "parse", lambda *_: AcceptQueues((2, 0), frozenset({50_001})))
    one.look(8086)
    assert one.seen == AcceptQueues()
    split.look(8086)
    assert list(split.states(connected)) == [(0, QUEUED), (1, SERVED), (2, QUEUED)]
    assert split.seen.lengths == (2, 0)


def test_seats_are_those_of_the_model_and_its_settings(lab: Lab) -> None:
    by_letter, settings = {model.letter: model for model in lab.family}, Settings(threads=3, processes=5)
    workers = {letter: Seats.of(by_letter[letter], settings).workers for letter in "ABCEH"}
    assert workers == {"A": 1, "B": 3, "C": math.inf, "E": 5, "H": 4}  # H's threads are fixed
    assert Seats.of(by_letter["C"], settings, broken=True).workers == 1
    assert Seats.of(by_letter["E"], Settings(backlog=None)).backlog == 1024


def test_fewer_users_leave_and_an_open_loop_sends_at_its_rate(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    async def look() -> None:
        async with lane_of("C", Settings(users=8), monkeypatch, lab, 99) as (lane, held):
            await happens(lambda: lane.figures()["served"] == len(held.waiting) == 8)
            await lane.load(Settings(users=2))
            for _ in range(8):
                await held.go()
            await happens(lambda: [user for user, _ in lane.snapshot()["users"]] == [0, 1])
            await lane.load(Settings(loop="open", rate_rps=64))
            await happens(lambda: lane.figures()["served"] >= 5)
            lane.pause(True)
            assert lane.sent >= 5
            await happens(lambda: len(held.waiting) >= 5)

    asyncio.run(look())


def test_arrivals_that_the_view_has_no_room_for_are_counted(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    async def look() -> None:
        monkeypatch.setattr(lanes, "MOST_USERS", 3)
        async with lane_of("C", Settings(loop="open", rate_rps=64), monkeypatch, lab, 99) as (lane, _):
            await happens(lambda: lane.missed >= 2)
            assert lane.figures()["in_flight"] == 3

    asyncio.run(look())


@pytest.mark.parametrize(
    "given",
    [
        {"users": 0}, {"users": 65}, {"users": 1.5}, {"users": True}, {"users": "4"}, {"users": None},
        {"wait_ms": 19}, {"wait_ms": 3001}, {"wait_ms": float("nan")}, {"wait_ms": float("inf")}, {"rate_rps": 0},
        {"threads": 10**400}, {"models": []}, {"models": "A"}, {"models": ["Z"]}, {"models": [["A"]]},
        {"loop": "half"}, {"nonsense": 1}, {"backlog": -1},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_in_a_line(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        Settings().changed(given, KNOWN)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_settings_that_servers_do_not_see_need_no_new_ones() -> None:
    before = Settings()
    assert not before.changed({"users": 3, "loop": "open", "rate_rps": 9}, KNOWN).needs_new_servers(before)
    for name, value in (("wait_ms", 20), ("cpu_ms", 5), ("threads", 2), ("backlog", None)):
        assert before.changed({name: value}, KNOWN).needs_new_servers(before)
    assert before.changed({"backlog": None}, KNOWN).variables()["BACKLOG"] == ""
