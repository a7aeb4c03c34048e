"""The promises as far as a server that already runs shows them: nothing of it is started, set, stopped or read."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, ConfigDict

from iolab import address
from iolab.address import Address
from iolab.contract import requests, suite, together
from iolab.contract.broken import Broken
from iolab.contract.promise import Kept
from iolab.contract.server import Served
from iolab.contract.talk import LIMIT_S, Answer, Talk, ask
from iolab.errors import UsageError
from iolab.experiment import Target
from iolab.lab import Model, running_model

ANSWER_LIMIT_S = 20.0  # of a server whose wait is not known
HEALTH = "GET /healthz is answered 200"  # while others wait, too, is not known: their wait cannot be set
SHORT_S = 0.01  # of a wait: a request takes some milliseconds, too


class Seen(BaseModel):
    """What is known of one promise: kept or not, or, if `kept` is None, `why` that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    promise: Kept | None
    name: str
    says: str
    why: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether it is kept; None: not known."""
        return None if self.promise is None else self.promise.kept


@dataclass(frozen=True)
class RunningServer:
    """A server that already runs; a request of it may wait for `wait_s`, as far as that is known."""

    model: Model
    place: Address
    wait_s: float

    def connect(self) -> Talk:
        """Return a new connection; raises Broken if the server does not accept it."""
        try:
            return Talk(self.place.port, LIMIT_S + self.wait_s, self.place.host)
        except OSError as error:
            raise Broken("a connection", "a server that accepts it", error.strerror or "no answer") from None

    def ask(self, path: str = "/", *head: str, wait_s: float = 0.0) -> Answer:
        """Send a GET on a connection of its own; it may wait for `wait_s`, and / for as long as a benchmark waits."""
        patience_s = max(wait_s, ANSWER_LIMIT_S) if path == "/" else wait_s
        return ask(self.place.port, path, *head, wait_s=patience_s, host=self.place.host)

    def ended(self) -> str:
        """Return "": it is not known."""
        return ""

    def seen(self, what: str) -> str:
        """Return what a client has seen."""
        return what


@dataclass(frozen=True)
class Running:
    """Gives each promise the same server, as it is."""

    model: Model
    place: Address
    wait_s: float

    @contextmanager
    def start(self, **variables: str) -> Iterator[Served]:
        """Return the server; variables cannot be set."""
        del variables
        yield RunningServer(self.model, self.place, self.wait_s)


def check(target: Target) -> Iterator[Seen]:
    """Check the promises that can be seen from outside, and yield what is known of each.

    Raises UsageError, before the first, if the server must not be asked, or cannot be reached.
    """
    url = target.url or ""
    address.check_allowed(url, remote=target.allow_remote)
    place = address.parsed(url)
    if place.path != "/":
        raise UsageError(f"URL={url}: the contract is about / and /healthz: give http://{place.place}, without a path")
    launcher = Running(running_model(place.place, target.workers), place, (target.wait_ms or 0.0) / 1000)
    try:
        socket.create_connection((place.host, place.port), LIMIT_S).close()
    except OSError as error:
        raise UsageError(f"URL={url}: no connection ({error.strerror or 'no answer'}): start the server") from None
    for promise in suite.PROMISES:
        if why := unknown(promise.name, target):
            yield Seen(promise=None, name=promise.name, says=promise.says, why=why)
            continue
        holds = partial(FROM_OUTSIDE[promise.name], launcher)
        found = suite.result(promise, suite.broken_by(promise, holds))
        # Hints are about the code of services/yours.
        says = HEALTH if promise.name == "health" else promise.says
        yield Seen(promise=found.model_copy(update={"says": says, "hint": ""}), name=promise.name, says=says)


def unknown(name: str, target: Target) -> str:
    """Return why it cannot be known whether a promise is kept; "" if it can."""
    if name not in FROM_OUTSIDE:
        return "it needs access to the server's process"
    if name == "wait" and target.wait_ms is None:
        return "it needs the server's wait: give WAIT_MS"
    if name == "together" and None in (target.workers, target.wait_ms):
        return "it needs the server's workers and wait: give WORKERS and WAIT_MS"
    if name == "idle" and target.workers is None:
        return "it needs the number of the server's workers: give WORKERS"
    if name == "together" and (target.wait_ms or 0.0) < SHORT_S * 1000:
        return f"a wait below {SHORT_S * 1000:g} ms is too short to tell it from the rest of a request"
    return ""


def _health(launcher: Running) -> None:
    """Status 200; whether other requests wait meanwhile is not in the lab's hands."""
    with launcher.start() as server:
        answer = server.ask("/healthz")
        if answer.status != 200:
            raise Broken("GET /healthz", "status 200", server.seen(answer.seen))


def _waits(launcher: Running) -> None:
    """Status 200 after the wait that its user says."""
    wait_s = launcher.wait_s
    with launcher.start() as server:
        answer = server.ask("/", wait_s=wait_s)
        wanted = f"{wait_s * 1000:g} ms"
        if answer.status != 200:
            raise Broken("GET /", f"status 200 after {wanted}", server.seen(answer.seen))
        if not 0.93 * wait_s <= answer.took_s < 1.5 * wait_s + LIMIT_S / 4:
            raise Broken("GET /", f"an answer after {wanted}", f"an answer after {answer.took_s * 1000:.0f} ms")


FROM_OUTSIDE: Mapping[str, Callable[[Running], None]] = {
    "health": _health,
    "wait": _waits,
    "together": lambda launcher: together.wait_together(launcher, launcher.wait_s),
    "pieces": requests.takes_a_request_in_pieces,
    "paths": requests.knows_its_paths,
    "head": requests.head_has_no_body,
    "body": requests.refuses_a_body,
    "leaving": together.survives_clients_that_leave,
    "garbage": requests.refuses_garbage,
    "idle": together.serves_beside_idle_connections,
    "keep-alive": requests.keeps_alive,
    "pipelining": requests.pipelines,
}
