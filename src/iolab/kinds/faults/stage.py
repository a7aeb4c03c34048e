"""A server with a crowd on it, to which a fault can happen: what can be done to them, and what is to be seen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from iolab.chat.entries import Entry, entries, first_s
from iolab.chat.servers import ChatServer
from iolab.chat.settings import ChatUsers
from iolab.errors import ServerFailed
from iolab.host import proc
from iolab.kinds.faults.records import Heard, Parting
from iolab.kinds.faults.settings import Faults
from iolab.loadgen.users import UserProcesses
from iolab.runtime import Server, probe

ANSWER_S = 30.0  # for a driver's answer, beyond what it is told to wait

Rows = list[Entry] | list[Heard] | list[Parting]


@dataclass
class Stage:
    """A server with a crowd on it; `rows` are what the last fault leaves beside its figures."""

    server: Server
    people: UserProcesses
    chat: ChatServer
    crowd: ChatUsers
    faults: Faults
    restart: Callable[[], Server]
    told: int = 0
    rows: Rows = field(default_factory=list)

    @property
    def place(self) -> tuple[str, int]:
        """Where the server is, for its users."""
        url = urlsplit(self.server.url)
        return url.hostname or "", url.port or 0

    def tell(self, chars: int) -> list[Heard]:
        """Send a message of so many characters to all users, and return when each of them has it."""
        self.told += 1
        name = str(self.told)
        text = f"{name}.".ljust(chars, "x")
        said = self.people.first("say", ANSWER_S, text=text)
        if said["status"] != 204:
            raise ServerFailed(f"the server answers {said['status'] or 'nothing'} to a message to everyone")
        wait_s = self.crowd.patience_s
        answers = self.people.all("listen", wait_s + ANSWER_S, text=name, wait_s=wait_s)
        return [
            Heard(self.told, user, heard_s - said["said_s"]) for answer in answers for user, heard_s in answer["rows"]
        ]

    def trouble(self, what: str, users: int) -> list[proc.Address]:
        """Let so many vanish, or stop reading; return where they are connected from."""
        jobs = [{"users": share} for share in self.people.split(users)]
        answers = self.people.ask(what, jobs, ANSWER_S)
        return [(host, port) for answer in answers for host, port in answer["addresses"]]

    def stated_s(self) -> float:
        """Return within which time the server promises to notice that a user has vanished."""
        return self.crowd.stated_s(self.chat.transport)

    def come_back(self) -> tuple[list[list[Any]], int]:
        """Let all users without a connection come again at once; return rows as of coming, and how often they tried."""
        host, port = self.place
        patience_s = self.faults.back_patience_s
        job = {"host": host, "port": port, "rate": 0, "patience_s": patience_s}
        answers = self.people.all("come_back", patience_s + ANSWER_S, **job)
        return [row for answer in answers for row in answer["rows"]], sum(answer["tries"] for answer in answers)

    def newcomers(self) -> list[Entry]:
        """Let users come, and go again when all are served or their patience has ended; return a row of each."""
        faults, crowd = self.faults, self.crowd
        rows = self.people.come(
            self.place, self.chat.transport, faults.newcomer_rps, crowd.patience_s, faults.newcomers
        )
        self.people.all("leave", ANSWER_S, first=sum(self.people.shares))
        return entries(rows, first_s(rows))

    def own_users(self) -> int | None:
        """Return how many users the server itself has: threads where each has one, else what it tells of itself."""
        if self.chat.thread_each:
            return proc.total(self.server.pids(), "Threads")
        users = probe.told(self.server.address, "users")
        return None if users is None else int(users)
