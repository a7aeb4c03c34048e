"""Faults of users, and messages to all of them: further jobs of loadtest/crowd_driver.py.

{"begin_clicks": {"rate": 50.0, "seed": 1}}             -> nothing: users click from now on, during other jobs, too
{"end_clicks": {"wait_s": 10}}                          -> rows [token, user, planned_s, sent_s, answered_s]
{"say": {"text": "1.xxx"}}                              -> times "said_s" and "done_s", and the HTTP "status"
{"listen": {"text": "1", "wait_s": 10}}                 -> rows [user, heard_s], of messages that begin with "1."
{"vanish": {"users": 100}}, {"stall": {"users": 10}}    -> "addresses" of users that vanished, or stopped reading
{"partings": {"wait_s": 10}}                            -> rows [user, lost_s] of users that lost their connection
{"half_open": {"connections": 1000}}                    -> "connections" that sent a SYN and nothing else
{"close_half": {}}, {"leave": {"first": 1000}}          -> nothing: these, or the users from that number on, are closed

Times are of the machine's monotonic clock, in seconds.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import crowd_users
from crowd_users import User

TRIES = 50  # to find a random user that can click; if most have vanished, a click may find none
LEAVE_S = 2.0
now = time.perf_counter


class Troubled:
    """Users that have faults, while other users click."""

    def __init__(self) -> None:
        self.users: list[User] = []
        self.heard_s: dict[str, dict[int, float]] = {}
        self.sent: dict[str, list[Any]] = {}
        self.acknowledged: list[str] = []
        self.half: list[socket.socket] = []
        self._clicking: asyncio.Task[None] | None = None
        self._pressed = 0

    def heard(self, user: User, text: str, at_s: float) -> None:
        """Record an answer, or a broadcast message."""
        if click := self.sent.get(text):
            if click[4] is None:
                click[4] = at_s
                self.acknowledged.append(text)
        elif text.startswith("news "):
            self.heard_s.setdefault(text[5:].partition(".")[0], {}).setdefault(user.number, at_s)

    async def begin_clicks(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send clicks, one Poisson stream over all users, until `end_clicks`."""
        self.sent, self.acknowledged = {}, []
        self._clicking = asyncio.get_running_loop().create_task(self._click(job["rate"], job["seed"]))
        return {}

    async def end_clicks(self, job: dict[str, Any]) -> dict[str, Any]:
        """Stop the clicks and wait for the answers; return also the acknowledged clicks, in their order."""
        if self._clicking:
            self._clicking.cancel()
        await until(lambda: len(self.acknowledged) == len(self.sent), job["wait_s"])
        return {"rows": list(self.sent.values()), "acknowledged": self.acknowledged}

    async def _click(self, rate: float, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 (arrivals, not a secret)
        planned_s = now()
        while rate > 0:
            planned_s += dice.expovariate(rate)
            await asyncio.sleep(max(0.0, planned_s - now()))
            for user in self._anyone(dice):
                token = f"c{user.number}-{self._pressed}"
                self._pressed += 1
                self.sent[token] = [token, user.number, planned_s, now(), None]
                user.click(token)

    def _anyone(self, dice: random.Random) -> Iterator[User]:
        """Yield a random user that can click; none if none is found."""
        for _ in range(TRIES if self.users else 0):
            user = dice.choice(self.users)
            if user.attentive and user.served_s:
                yield user
                return

    def _attentive(self) -> list[User]:
        return [user for user in self.users if user.attentive]

    async def say(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send a message to all users, through a connection of no user."""
        place, said_s = self.users[0].place, now()
        reader, writer = await asyncio.open_connection(place.host, place.port, local_addr=place.local)
        head = f"POST /say?{job['text']} HTTP/1.1\r\n{place.head}Content-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        status = (await reader.readline()).split()[1:2]
        writer.close()
        return {"said_s": said_s, "done_s": now(), "status": int(status[0]) if status else None}

    async def listen(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait until all users that read have the message, or for `wait_s`."""
        there = len(self._attentive())
        await until(lambda: len(self.heard_s.get(job["text"], {})) >= there, job["wait_s"])
        return {"rows": [list(row) for row in self.heard_s.pop(job["text"], {}).items()]}

    async def vanish(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make users vanish without closing their connections."""
        there = self._attentive()[: job["users"]]
        for user in there:
            user.vanish()
        return {"addresses": [user.address() for user in there]}

    async def stall(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make users stop reading."""
        there = self._attentive()[: job["users"]]
        for user in there:
            user.stall()
        return {"addresses": [user.address() for user in there]}

    async def partings(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait until all users have noticed the loss of their connection, or for `wait_s`."""
        await until(lambda: not self._attentive(), job["wait_s"])
        return {"rows": [[user.number, user.lost_s] for user in self.users if user.lost_s]}

    async def leave(self, job: dict[str, Any]) -> dict[str, Any]:
        """Disconnect the users from number `first` on, when their clicks are answered, or after LEAVE_S."""
        for user in self.users:
            user.absent = user.absent or user.number >= job["first"]
        clicks = [click for click in self.sent.values() if click[1] >= job["first"]]
        await until(lambda: all(click[4] is not None for click in clicks), LEAVE_S)
        for user in self.users:
            if user.number >= job["first"]:
                user.leave()
        self.users = [user for user in self.users if user.number < job["first"]]
        return {}

    async def half_open(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send SYNs, and never answer the SYN-ACKs."""
        place = self.users[0].place
        for _ in range(job["connections"]):
            half = socket.socket()
            half.settimeout(0)
            crowd_users.drop_everything(half)
            if place.local:
                half.bind(place.local)
            half.connect_ex((place.host, place.port))
            self.half.append(half)
            await asyncio.sleep(0)  # with 10,000 ports in use, the next takes milliseconds, and users click meanwhile
        return {"connections": len(self.half)}

    async def close_half(self, _: dict[str, Any]) -> dict[str, Any]:
        """Close the half-open connections."""
        for half in self.half:
            half.close()
        self.half.clear()
        return {}


async def until(done: Callable[[], bool], for_s: float, every_s: float = 0.02) -> None:
    """Wait until `done`, or for `for_s`; it is about thousands of events at once."""
    deadline = now() + for_s
    while now() < deadline and not done():  # noqa: ASYNC110 (an asyncio.Event for each would cost more than polling)
        await asyncio.sleep(every_s)
