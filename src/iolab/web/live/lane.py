"""One lane of the live view: a server, its users, and where each of their requests is."""

import asyncio
import math
import random
import time
from collections import deque
from pathlib import Path
from typing import Any

from iolab.errors import ServerFailed
from iolab.lab import Model
from iolab.web.live.client import Exchange, ask
from iolab.web.live.rows import Row, measured
from iolab.web.live.seats import QUEUED, SENDING, SERVED, Seats
from iolab.web.live.server import Server
from iolab.web.live.settings import RANGES, Settings

MOST_USERS = int(RANGES["users"][1])
MOST_ROWS = 20_000  # of a lane: an hour of 64 users with a wait of 1 s has more, of which the newest are kept
AGAIN_S = 0.5  # after a failed request
ANSWERING, DONE, FAILED, IDLE, GONE = "answering", "done", "failed", "idle", "gone"


class Lane:
    """Users of one server. What the client cannot see, waiting in the kernel or in the server, is derived.

    `seats` says how.
    """

    def __init__(self, model: Model, output: Path, *, broken: bool = False) -> None:
        self.model, self.broken = model, broken
        self.seats = Seats(model.workers)
        self.state = "stopped"  # starting, running, ended or stopped
        self.why = ""
        self.rows: deque[Row] = deque(maxlen=MOST_ROWS)
        self.sent = self.done = self.failed = self.missed = 0
        self._output = output
        self._server: Server | None = None
        self._begun_s = self._changed_s = time.monotonic()
        self._going = asyncio.Event()
        self._wanted = 0  # users of a closed loop
        self._users: dict[int, asyncio.Task[None]] = {}
        self._visits: set[asyncio.Task[None]] = set()
        self._arrivals: asyncio.Task[None] | None = None
        self._under_way: dict[int, Exchange] = {}  # by user
        self._states: dict[int, str] = {}  # as they were told
        self._events: list[tuple[int, str]] = []
        self._dice = random.Random(1)  # noqa: S311 (arrivals, not a secret)

    async def start(self, settings: Settings) -> None:
        """Start the server, with what the settings say; if it does not start, the lane says why."""
        self.state, self.why = "starting", ""
        self.seats = Seats.of(self.model, settings, broken=self.broken)
        variables = settings.variables() | ({"WORK_IN": "loop"} if self.broken else {})
        try:
            self._server = await Server.start(self.model, variables, self._output)
            self.state = "running"
        except ServerFailed as failed:
            self.state, self.why = "ended", str(failed)
        self._changed_s = time.monotonic()

    async def stop(self) -> None:
        """End all users and the server."""
        await self.load(None)
        server, self._server = self._server, None
        self.state = "stopped"
        if server:
            await server.stop()

    async def kill(self) -> None:
        """Kill the server, as a crash would; its users go on, and their requests fail."""
        if self._server:
            await self._server.kill()
            self.state, self.why = "ended", "killed"

    def pause(self, paused: bool) -> None:
        """Let the users send, or let those under way be the last."""
        self._going.clear() if paused else self._going.set()

    async def load(self, settings: Settings | None) -> None:
        """Have as many users as the settings say, or arrivals at their rate; None ends all at once.

        A user that is not wanted any more leaves with its answer: a server goes on with requests that were given up,
        and nothing would show that.
        """
        closed = settings is not None and settings.loop == "closed"
        self._wanted = settings.users if settings and closed else 0
        leaving = [task for user, task in self._users.items() if user >= self._wanted and user not in self._under_way]
        leaving += [self._arrivals] if self._arrivals else []
        self._arrivals = None
        if settings is None:
            leaving += [*self._users.values(), *self._visits]
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        self._users = {user: task for user, task in self._users.items() if not task.done()}
        for user in range(self._wanted):
            if user not in self._users:
                self._users[user] = asyncio.create_task(self._repeat(user))
        if settings and not closed:
            self._arrivals = asyncio.create_task(self._arrive(settings.rate_rps))
        self._changed_s = time.monotonic()

    async def _repeat(self, user: int) -> None:
        """A user of a closed loop: the next request follows the answer."""
        try:
            self._tell(user, IDLE)
            while user < self._wanted:
                await self._going.wait()
                if not await self._one(user):
                    await asyncio.sleep(AGAIN_S)
        finally:
            self._left(user)

    async def _arrive(self, rate_rps: float) -> None:
        """An open loop: users arrive at random, each sends one request and leaves. Their numbers follow the others'."""
        due_s = time.monotonic()
        while True:
            due_s += self._dice.expovariate(rate_rps)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if not self._going.is_set():
                await self._going.wait()
                due_s = time.monotonic()
            free = next((each for each in range(MOST_USERS, 2 * MOST_USERS) if each not in self._under_way), None)
            if free is None:
                self.missed += 1  # the view has no room for it: it is counted, not shown
                continue
            task = asyncio.create_task(self._visit(free))
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
            await asyncio.sleep(0)

    async def _visit(self, user: int) -> None:
        try:
            await self._one(user)
        finally:
            self._left(user)

    async def _one(self, user: int) -> bool:
        """Send one request; return whether it was answered."""
        if self._server is None:
            self._tell(user, FAILED)
            return False
        self.sent += 1
        number = self.sent
        try:
            exchange = await ask(self._server.address, user, self._noticed)
        except asyncio.CancelledError:
            self._under_way.pop(user, None)
            self._derive()
            raise
        exchange.number = number
        fine = exchange.latency_s is not None
        self.done, self.failed = self.done + fine, self.failed + (not fine)
        self.rows.append(self._row(exchange))
        self._under_way.pop(user, None)
        self._tell(user, DONE if fine else FAILED)
        self._derive()
        return fine

    def _row(self, exchange: Exchange) -> Row:
        sent_s, connected_s, first_s, done_s = (
            None if moment is None else round(moment - self._begun_s, 6)
            for moment in (exchange.sent_s, exchange.connected_s, exchange.first_s, exchange.done_s)
        )
        assert sent_s is not None and done_s is not None  # noqa: S101,PT018 (of a finished request)
        return Row(
            exchange.number, exchange.user, sent_s, connected_s, first_s, done_s, exchange.status, exchange.error
        )

    def _noticed(self, exchange: Exchange) -> None:
        if exchange.done_s is None:
            self._under_way[exchange.user] = exchange
            if exchange.connected_s is None:
                self._tell(exchange.user, SENDING)
            elif exchange.first_s is not None:
                self._tell(exchange.user, ANSWERING)
            self._derive()

    def _derive(self) -> None:
        """Tell which requests changed between queued and in service."""
        connected = [each for each in self._under_way.values() if each.connected_s is not None and not each.first_s]
        connected.sort(key=lambda each: each.connected_s or 0.0)
        for user, state in self.seats.states(connected):
            self._tell(user, state)

    def _tell(self, user: int, state: str) -> None:
        if self._states.get(user) != state:
            self._states[user] = state
            self._events.append((user, state))

    def _left(self, user: int) -> None:
        self._under_way.pop(user, None)
        self._tell(user, GONE)
        self._states.pop(user, None)
        self._derive()

    def events(self) -> list[tuple[int, str]]:
        """Return the changes of users since the last call."""
        if self._server and self.seats.queues > 1:
            self.seats.look(self._server.address[1])
            self._derive()
        found, self._events = self._events, []
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return where all users are, and the counts: what a page needs that has seen no event, or lost some."""
        return {"users": sorted(self._states.items()), "sent": self.sent, "done": self.done, "failed": self.failed}

    def figures(self) -> dict[str, Any]:
        """Return what stands beside the lane; a null is not known."""
        now_s = time.monotonic()
        server = self._server
        if server and self.state == "running" and not server.alive:
            self.state, self.why = "ended", "the server has ended"
        cpu, threads = server.usage() if server else (None, None)
        states = list(self._states.values())
        return {
            "state": self.state,
            "why": self.why,
            "workers": None if math.isinf(self.seats.workers) else self.seats.workers,
            "queues": self.seats.queues,
            "lengths": self.seats.seen.lengths,
            "sending": states.count(SENDING),
            "queued": states.count(QUEUED),
            "served": states.count(SERVED),
            "in_flight": sum(states.count(each) for each in (SENDING, QUEUED, SERVED, ANSWERING)),
            "sent": self.sent,
            "done": self.done,
            "failed": self.failed,
            "missed": self.missed,
            **measured(self.rows, self._changed_s - self._begun_s, now_s - self._begun_s),
            "cpu": cpu,
            "threads": threads,
        }
