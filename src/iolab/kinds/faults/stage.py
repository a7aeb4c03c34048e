"""A server with connected users, to which a fault can happen: what can be done to them, and measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from iolab.chat.entries import Entry, entries, first_s
from iolab.chat.servers import ChatServer
from iolab.chat.settings import ChatUsers
from iolab.errors import ServerFailed
from iolab.host import proc
from iolab.host.activity import difference
from iolab.kinds.faults.records import Delivery, Disconnection
from iolab.kinds.faults.settings import Faults
from iolab.loadgen.users import UserProcesses
from iolab.results.records import ServerUsage
from iolab.runtime import Server, Snapshot, probe

ANSWER_S = 30.0  # for a driver's answer, beyond what it is told to wait

Rows = list[Entry] | list[Delivery] | list[Disconnection]


@dataclass
class Spending:
    """The CPU time and throttled time of the servers during one fault, which may kill one and start another."""

    since: Snapshot | None = None  # of the server that runs now
    cpu_s: float | None = 0.0
    throttled_s: float | None = 0.0

    @classmethod
    def of(cls, server: Server) -> "Spending":
        """Begin to count."""
        return cls(server.snapshot())

    def until_now(self, server: Server) -> None:
        """Add what the running server has used until now; it is not counted further."""
        if self.since is not None:
            before, now, self.since = self.since, server.snapshot(), None
            self.cpu_s = _sum(self.cpu_s, difference(before.cpu_s, now.cpu_s))
            self.throttled_s = _sum(self.throttled_s, difference(before.throttled_s, now.throttled_s))

    def usage(self, server: Server) -> ServerUsage:
        """Return what all servers of the fault have used."""
        self.until_now(server)
        return ServerUsage(cpu_s=self.cpu_s, throttled_s=self.throttled_s)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


@dataclass
class Stage:
    """A server with connected users.

    `rows` are the rows of the last fault. `clicks_since_s` is when the clicks of the fault began, or, if a new
    server was started during it, when that server was ready (seconds of the monotonic clock).
    """

    server: Server
    users: UserProcesses
    chat: ChatServer
    crowd: ChatUsers
    faults: Faults
    restart: Callable[[], Server]
    used: Spending = field(default_factory=Spending)
    messages: int = 0  # sent so far
    rows: Rows = field(default_factory=list)
    clicks_since_s: float = 0.0

    def kill(self) -> None:
        """Kill the server."""
        self.used.until_now(self.server)
        self.server.kill()

    def start_again(self) -> None:
        """Start the server again; a new one has used nothing."""
        self.server = self.restart()
        self.used.since = Snapshot(cpu_s=0.0, throttled_s=0.0)
        self.clicks_since_s = time.monotonic()

    @property
    def place(self) -> tuple[str, int]:
        """The server's host and port, for its users."""
        url = urlsplit(self.server.url)
        return url.hostname or "", url.port or 0

    def send_message(self, chars: int) -> list[Delivery]:
        """Send a message of `chars` characters to all users, and return when each of them has it."""
        self.messages += 1
        name = str(self.messages)
        text = f"{name}.".ljust(chars, "x")
        sent = self.users.first("say", ANSWER_S, text=text)
        if sent["status"] != 204:
            status = f"status {sent['status']}" if sent["status"] else "no answer"
            raise ServerFailed(f"a message to all users got {status} instead of status 204")
        wait_s = self.crowd.patience_s
        answers = self.users.all("listen", wait_s + ANSWER_S, text=name, wait_s=wait_s)
        return [
            Delivery(self.messages, user, received_s - sent["said_s"])
            for answer in answers
            for user, received_s in answer["rows"]
        ]

    def disturb(self, what: str, users: int) -> list[proc.Address]:
        """Make `users` users vanish ("vanish") or stop reading ("stall"); return their addresses."""
        jobs = [{"users": share} for share in self.users.split(users)]
        answers = self.users.ask(what, jobs, ANSWER_S)
        return [(host, port) for answer in answers for host, port in answer["addresses"]]

    def stated_s(self) -> float:
        """Return within which time the server promises to notice that a user has vanished."""
        return self.crowd.stated_s(self.chat.transport)

    def reconnect(self) -> tuple[list[list[Any]], int]:
        """Reconnect all users without a connection at once; return rows as `connect` does, and the number of tries."""
        host, port = self.place
        patience_s = self.faults.back_patience_s
        job = {"host": host, "port": port, "rate": 0, "patience_s": patience_s}
        answers = self.users.all("reconnect", patience_s + ANSWER_S, **job)
        return [row for answer in answers for row in answer["rows"]], sum(answer["tries"] for answer in answers)

    def newcomers(self) -> list[Entry]:
        """Connect new users, disconnect them when all are served or have waited long enough; return a row for each."""
        faults, crowd = self.faults, self.crowd
        rows = self.users.connect(
            self.place, self.chat.transport, faults.newcomer_rps, crowd.patience_s, faults.newcomers
        )
        self.users.all("leave", ANSWER_S, first=sum(self.users.shares))
        return entries(rows, first_s(rows))

    def own_users(self) -> int | None:
        """Return how many users the server itself has: its threads if each user has one, else the number it reports."""
        if self.chat.thread_each:
            return proc.total(self.server.pids(), "Threads")
        users = probe.reported(self.server.address, "users")
        return None if users is None else int(users)
