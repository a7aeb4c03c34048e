"""Holds some thousand users of a chat server, for the process at the other end of the pipes.

A line in, lines out, all JSON; the first line out says that the driver is ready. Jobs, each with "job" and "timeout_s":

    {"connect": {"host": "127.0.0.1", "port": 8082, "transport": "websocket", "users": 5000, "first": 0, "rate": 1000.0,
              "source": "127.0.0.2", "patience_s": 10}}     -> rows [user, arrived_s, connected_s, served_s, outcome]
    {"click": {"for_s": 20, "rate": 50.0, "seed": 1, "wait_s": 10}}    -> rows [user, planned_s, sent_s, answered_s]
    {"begin_clicks": {"rate": 50.0, "seed": 1}}             -> nothing; clicks continue during other jobs
    {"end_clicks": {"wait_s": 10}}                          -> rows as of loadtest/crowd_faults.py, and "begin_s"
    {"count_outcomes": {}}                                     -> how many are "held", "late" and so on
    {"outcomes": {}}                                        -> rows [user, arrived_s, connected_s, served_s, outcome]
    {"reconnect": {"host": "127.0.0.1", "port": 8082, "rate": 0, "patience_s": 30}}
                                                            -> rows as of connect, of users that had been lost; "tries"
    and those of loadtest/crowd_faults.py

Out, at the end, {"job": 1, "cpu_s": 0.1, ...}. All times are of the machine's monotonic clock, in seconds. A null is
for an event that did not happen.
"""

import asyncio
import contextlib
import gc
import json
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import open_files
from crowd_faults import Troubled, now, until
from crowd_transports import KINDS
from crowd_users import Place, User

TICK_S = 0.002
CHUNK = 5000  # rows in a line


class Crowd(Troubled):
    """The users of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.clicks: dict[str, list[float | None]] = {}
        self.patience_s = 10.0

    def heard(self, user: User, text: str, at_s: float) -> None:
        """Record an answer, or a broadcast message."""
        if text in self.clicks:
            self.clicks[text][3] = at_s
        else:
            super().heard(user, text, at_s)

    async def connect(self, job: dict[str, Any]) -> dict[str, Any]:
        """Connect users at `rate` a second, and wait until all are served, or for `patience_s` after the last."""
        place = Place(job["host"], job["port"], job["source"], self.heard)
        self.patience_s = job["patience_s"]
        kind = KINDS[job["transport"]]
        numbers = range(job["first"], job["first"] + job["users"])
        new = await self._arrive([lambda n=n: kind(place, n) for n in numbers], job["rate"])
        self.users += new
        await until(lambda: all(user.served_s or user.refused for user in new), self.patience_s)
        return {"rows": [self._entry(user) for user in new]}

    async def reconnect(self, job: dict[str, Any]) -> dict[str, Any]:
        """Connect lost users again, all at once or at `rate` a second; a refused user tries again."""
        self.patience_s = job["patience_s"]
        gone = [user for user in self.users if not user.attentive]
        for user in gone:
            user.leave()  # a user that vanished, or did not read, connects as a new one
            user.place.move(job["host"], job["port"])
        again = [lambda old=old: type(old)(old.place, old.number) for old in gone]
        new = await self._arrive(again, job["rate"])
        staying = set(map(id, gone))
        self.users = [user for user in self.users if id(user) not in staying] + new

        def all_back() -> bool:
            for user in new:
                if user.refused and user.served_s is None:
                    user.refused = False
                    self._begin(user)
            return all(user.served_s for user in new)

        await until(all_back, self.patience_s, every_s=0.1)
        return {"rows": [self._entry(user) for user in new], "tries": sum(user.tries for user in new)}

    async def _arrive(self, makers: Sequence[Any], rate: float) -> list[User]:
        new: list[User] = []
        begin = now()
        while len(new) < len(makers):
            due = int((now() - begin) * rate) + 1 if rate else len(makers)
            for maker in makers[len(new) : due]:
                new.append(maker())
                self._begin(new[-1])
            await asyncio.sleep(TICK_S)
        return new

    def _begin(self, user: User) -> None:
        user.tries += 1
        user.place.begin(user.connect())

    def _entry(self, user: User) -> list[Any]:
        if user.served_s is None:
            outcome = "waiting" if user.connected_s and not user.refused else "refused"
        elif user.lost:
            outcome = "lost"
        else:
            outcome = "held" if user.served_s - user.arrived_s <= self.patience_s else "late"
        return [user.number, user.arrived_s, user.connected_s, user.served_s, outcome]

    async def click(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send clicks, one Poisson stream over all users; each is from a random connected user."""
        there = [user for user in self.users if user.transport]
        dice = random.Random(job["seed"])  # noqa: S311 (arrivals, not a secret)
        begin, plan = now() + 0.05, []
        moment = dice.expovariate(job["rate"]) if job["rate"] > 0 and there else job["for_s"]
        while moment < job["for_s"]:
            plan.append((begin + moment, dice.choice(there)))
            moment += dice.expovariate(job["rate"])
        self.clicks = {}
        cpu_s = time.process_time()
        for number, (planned_s, user) in enumerate(plan):
            await asyncio.sleep(max(0.0, planned_s - now()))
            token = f"c{number}"
            self.clicks[token] = [user.number, planned_s, now(), None]
            user.click(token)
        await asyncio.sleep(max(0.0, begin + job["for_s"] - now()))
        cpu_s = time.process_time() - cpu_s
        await until(lambda: all(click[3] is not None for click in self.clicks.values()), job["wait_s"])
        return {"rows": list(self.clicks.values()), "begin_s": begin, "clicking_cpu_s": cpu_s}

    async def count_outcomes(self, _: dict[str, Any]) -> dict[str, Any]:
        """Count the users by outcome."""
        outcomes = [self._entry(user)[4] for user in self.users]
        return {name: outcomes.count(name) for name in ("held", "late", "waiting", "refused", "lost")}

    async def outcomes(self, _: dict[str, Any]) -> dict[str, Any]:
        """Return the outcome of each user."""
        return {"rows": [self._entry(user) for user in self.users]}


def tell(message: dict[str, Any]) -> None:
    """Write one answer; many rows are written as several lines."""
    rows = message.get("rows", [])
    while len(rows) > CHUNK:
        part, rows = rows[:CHUNK], rows[CHUNK:]
        print(json.dumps({"job": message["job"], "rows": part, "more": True}))
    print(json.dumps({**message, "rows": rows} if "rows" in message else message), flush=True)


async def serve() -> None:
    """Do jobs, one after the other, until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    crowd = Crowd()
    tell({"ready": True})
    while line := await reader.readline():
        job = json.loads(line)
        number = job.pop("job")
        job.pop("timeout_s")
        ((what, wanted),) = job.items()
        done = await getattr(crowd, what)(wanted)
        tell({"job": number, **done, "cpu_s": time.process_time()})


if __name__ == "__main__":
    open_files.raise_limit()
    gc.disable()  # it runs for minutes, and its own pauses would look like the server's
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
