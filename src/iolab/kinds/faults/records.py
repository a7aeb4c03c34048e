"""The records of a faults run: a line for each fault, and rows for clicks, users and received messages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from iolab.chat.entries import Transport
from iolab.results.records import Record, TrialRecord
from iolab.results.rows import backwards

Fault = Literal["baseline", "broadcast", "slow", "vanished", "half_open", "killed", "herd"]
KIND_OF_ROWS: Mapping[Fault, str] = {
    "broadcast": "deliveries",
    "slow": "deliveries",
    "half_open": "users",
    "killed": "disconnections",
    "herd": "users",
}  # of the faults that have any


class ClickRow(NamedTuple):
    """One click, in seconds from the start of the fault; its answer repeats `token`. Answered None: never."""

    token: str
    user: int
    planned_s: float
    sent_s: float
    answered_s: float | None

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(self.sent_s, self.answered_s)


class Delivery(NamedTuple):
    """One user received a message to all, `after_s` after it was sent to the server."""

    message: int
    user: int
    after_s: float

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(0.0, self.after_s)


class Disconnection(NamedTuple):
    """One user detected that its connection was closed, `after_s` after the server was killed."""

    user: int
    after_s: float


class Clicks(Record):
    """Clicks during a fault: seconds from the planned moment to the answer; None with too few clicks.

    A click that was never answered counts as longer than any other, so a percentile can be infinite.

    `lost` are answers that users received and that are not in the rows on disk, `unrecorded` acknowledged clicks that
    are not in the server's log: both must be 0. None: not known.
    """

    parts = MappingProxyType({"answered": "sent", "lost": "sent", "unrecorded": "sent"})
    sent: int = 0
    answered: int = 0
    p50_s: float | None = None
    p99_s: float | None = None
    slowest_s: float | None = None
    lost: int | None = None
    unrecorded: int | None = None


class Baseline(Record):
    """No fault, for comparison."""

    fault: Literal["baseline"] = "baseline"


class Broadcast(Record):
    """A message to all users, several times: seconds until the first, the median and the last user has it.

    These are medians over the messages; `slowest_s` is the last user of the slowest message, `reached` the smallest
    number of users that received a message.
    """

    fault: Literal["broadcast"] = "broadcast"
    parts = MappingProxyType({"reached": "users"})
    messages: int
    reached: int
    first_s: float | None
    median_s: float | None
    last_s: float | None
    slowest_s: float | None


class SlowReaders(Record):
    """Users that stop reading, and messages of `chars` characters until the server has disconnected them.

    `last_s` is when the last of the other users has such a message, `before_s` the same while all users read: medians
    over messages. Growth is of the server's memory and of all TCP buffers of the machine, at its peak.
    """

    fault: Literal["slow"] = "slow"
    parts = MappingProxyType({"stuck": "users", "cut": "stuck", "others_lost": "users"})
    stuck: int
    chars: int
    messages: int
    cut: int | None
    cut_s: float | None
    before_s: float | None
    last_s: float | None
    slowest_s: float | None
    others_lost: int
    rss_growth_bytes: int | None
    sockets_growth_bytes: int | None


class Vanished(Record):
    """Users that vanish without closing their connections: seconds until the server's kernel has closed the first and
    the last of these.

    `freed_s` is when the server itself has removed all of them; `stated_s` is its promised time limit.
    """

    fault: Literal["vanished"] = "vanished"
    parts = MappingProxyType({"vanished": "users", "left": "vanished"})
    vanished: int
    stated_s: float
    first_s: float | None
    noticed_s: float | None
    freed_s: float | None
    left: int | None


class HalfOpen(Record):
    """Connection attempts that never answer the server's SYN-ACK, and users that connect meanwhile.

    `kept` is how many of them the server's kernel had at most; `cookies` how often it answered without keeping one (SYN
    cookies). Times are from the start of connecting to being served.
    """

    fault: Literal["half_open"] = "half_open"
    parts = MappingProxyType({"kept": "sent", "served": "newcomers", "served_before": "newcomers"})
    sent: int
    kept: int | None
    cookies: int | None
    drops: int | None
    newcomers: int
    served_before: int
    before_median_s: float | None
    before_last_s: float | None
    served: int
    median_s: float | None
    last_s: float | None


class Killed(Record):
    """The server is killed (SIGKILL): seconds until the first, the median and the last user detects it."""

    fault: Literal["killed"] = "killed"
    parts = MappingProxyType({"detected": "users"})
    detected: int
    first_s: float | None
    median_s: float | None
    last_s: float | None


class Herd(Record):
    """The server is started again, and all users reconnect at once: seconds until the median and the last is served.

    `start_s` is how long the server took to start. `refused` are tries without a connection, which were repeated.
    """

    fault: Literal["herd"] = "herd"
    parts = MappingProxyType({"served": "reconnecting", "reconnecting": "asked"})
    start_s: float
    reconnecting: int
    served: int
    median_s: float | None
    last_s: float | None
    tries: int
    refused: int
    overflows: int | None
    drops: int | None


Figures = Annotated[
    Baseline | Broadcast | SlowReaders | Vanished | HalfOpen | Killed | Herd, Field(discriminator="fault")
]


class FaultRecord(TrialRecord):
    """One line of trials.jsonl of a faults run: one fault of a chat server with many connected users.

    `asked` users were wanted, and `allowed` of them connected at first (`capped` says why not all). `users` were
    connected at the start of the fault, `back` after it, when disconnected users had reconnected. `rows` are "clicks"
    (ClickRow) and, for some faults, "deliveries" (Delivery), "disconnections" (Disconnection) or "users" (Entry).
    """

    parts = MappingProxyType({"allowed": "asked", "users": "allowed", "back": "allowed"})
    model: str
    title: str
    service: str
    transport: Transport
    asked: int
    allowed: int
    capped: str = ""
    cpus: float
    fault: Fault
    users: int
    back: int | None = None
    reason: str | None = None
    figures: Figures | None = None
    clicks: Clicks = Clicks()

    @model_validator(mode="after")
    def _figures_of_its_fault(self) -> Self:
        if self.figures and self.figures.fault != self.fault:
            raise ValueError(f"fault is {self.fault}, and its figures are of {self.figures.fault}")
        return self

    @property
    def acknowledged_clicks_safe(self) -> bool:
        """Whether it could be measured, and no acknowledged click is lost."""
        unproved = self.clicks.answered > 0 and self.clicks.unrecorded is None
        return self.valid and not unproved and not self.clicks.lost and not self.clicks.unrecorded
