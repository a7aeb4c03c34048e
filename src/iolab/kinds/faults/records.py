"""The shapes of what a run of faults writes: a line a fault, a row a click, and a row a user that a message reached."""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from iolab.chat.entries import Transport
from iolab.results.records import Record, TrialRecord

Fault = Literal["baseline", "broadcast", "slow", "vanished", "half_open", "killed", "herd"]
KIND_OF_ROWS: Mapping[Fault, str] = {
    "broadcast": "heard",
    "slow": "heard",
    "half_open": "users",
    "killed": "partings",
    "herd": "users",
}  # of the faults that have any


class Pressed(NamedTuple):
    """One click, in seconds from the fault's begin: `token` is what its answer repeats; answered None: never."""

    token: str
    user: int
    planned_s: float
    sent_s: float
    answered_s: float | None


class Heard(NamedTuple):
    """One user that has a message to all, `after_s` from when it was sent to the server."""

    message: int
    user: int
    after_s: float


class Parting(NamedTuple):
    """One user that knows that the connection is gone, `after_s` from when the server was killed."""

    user: int
    after_s: float


class Clicks(Record):
    """What users felt meanwhile: seconds from the planned click to its answer; None where too few clicks can tell.

    A click that was never answered counts as longer than any other, so that a percentile may be infinite.

    `lost` are answers that users saw and that are not in the rows on disk, `unrecorded` those on disk that the server
    had not written down before it answered: both must be 0. None: not known.
    """

    sent: int = 0
    answered: int = 0
    p50_s: float | None = None
    p99_s: float | None = None
    slowest_s: float | None = None
    lost: int | None = None
    unrecorded: int | None = None


class Baseline(Record):
    """Nothing happens: what the faults are to be compared with."""

    fault: Literal["baseline"] = "baseline"


class Broadcast(Record):
    """A message to everyone, several times: seconds until the first, the median and the last user has it.

    They are medians over the messages; `slowest_s` is the last user of the slowest message, `reached` the fewest users
    that one of them reached.
    """

    fault: Literal["broadcast"] = "broadcast"
    messages: int
    reached: int
    first_s: float | None
    median_s: float | None
    last_s: float | None
    slowest_s: float | None


class SlowReaders(Record):
    """Users that stop reading, and messages of so many characters until the server has cut them off.

    `last_s` is how long the last of the others waits for such a message, `before_s` how long that took when all
    read: medians over messages. Growth is of the server's memory and of all TCP buffers of the machine, at its peak.
    """

    fault: Literal["slow"] = "slow"
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

    `freed_s` is when the server itself has none of them any more; `stated_s` is what it promises.
    """

    fault: Literal["vanished"] = "vanished"
    vanished: int
    stated_s: float
    first_s: float | None
    noticed_s: float | None
    freed_s: float | None
    left: int | None


class HalfOpen(Record):
    """Connection attempts that never answer the server's SYN-ACK, and users that come meanwhile.

    `kept` is how many of them the server's kernel had at most; `cookies` how often it answered without keeping one (SYN
    cookies). Times are from coming to being served.
    """

    fault: Literal["half_open"] = "half_open"
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
    """The server is killed (SIGKILL): seconds until the first, the median and the last user knows."""

    fault: Literal["killed"] = "killed"
    know: int
    first_s: float | None
    median_s: float | None
    last_s: float | None


class Herd(Record):
    """The server was started again, and all come back at once: seconds from then until the median and last is served.

    `start_s` is how long it took to start. `refused` are tries that got no connection, and came again.
    """

    fault: Literal["herd"] = "herd"
    start_s: float
    came: int
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
    """One line of trials.jsonl of faults: one fault of a chat server with a crowd on it.

    `asked` users were asked for, and `came` of them came at first (`capped` says why not all, in a sentence). `users`
    were connected at the fault's begin, `back` after it, when those that it had cut off had come again. `rows` are
    "clicks" (Pressed) and, of some faults, "heard" (Heard), "partings" (Parting) or "users" (Entry).
    """

    model: str
    title: str
    service: str
    transport: Transport
    asked: int
    came: int
    capped: str = ""
    cpus: float
    fault: Fault
    users: int
    back: int | None = None
    reason: str | None = None
    figures: Figures | None = None
    clicks: Clicks = Clicks()

    @model_validator(mode="after")
    def _of_its_fault(self) -> Self:
        if self.figures and self.figures.fault != self.fault:
            raise ValueError(f"fault is {self.fault}, and its figures are of {self.figures.fault}")
        return self

    @property
    def acknowledged_clicks_safe(self) -> bool:
        """Whether it could be measured, and no click that was acknowledged is lost."""
        unproved = self.clicks.answered > 0 and self.clicks.unrecorded is None
        return self.valid and not unproved and not self.clicks.lost and not self.clicks.unrecorded
