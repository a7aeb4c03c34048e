"""The users of a chat server, a row each: when each connected and was served, and its outcome."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from iolab.results.rows import backwards

Transport = Literal["websocket", "poll"]
TRANSPORTS: Mapping[Transport, str] = {"websocket": "WebSocket", "poll": "long poll"}  # as reports name them
Form = Literal["usual", "lean", "compressed"]
FORMS: Mapping[Form, str] = {  # a model's chat server in another form: what is different
    "usual": "",
    "lean": "without a library",
    "compressed": "with permessage-deflate",
}
Outcome = Literal["held", "late", "waiting", "refused", "lost"]


class Entry(NamedTuple):
    """One user: when it started to connect, was connected (TCP), and was served.

    Times are in seconds from the start of the first user; None: never. A user is served when the server itself has
    answered, not the kernel, which holds the accept queue.

    `outcome` is "held" (served within PATIENCE_S, and connected to the end), "late" (served after that), "waiting"
    (connected, without an answer), "refused" (no connection), or "lost" (was held, and then lost its connection).
    """

    user: int
    start_s: float
    connected_s: float | None
    served_s: float | None
    outcome: Outcome

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(self.start_s, self.connected_s, self.served_s)


def entries(rows: Sequence[Sequence[Any]], begin_s: float) -> list[Entry]:
    """Return a driver's rows as entries, by user; times count from `begin_s`."""
    made = (
        Entry(int(user), start - begin_s, since(begin_s, connected), since(begin_s, served), outcome)
        for user, start, connected, served, outcome in rows
    )
    return sorted(made, key=lambda entry: entry.user)


def first_s(rows: Sequence[Sequence[Any]]) -> float:
    """Return when the first user of a driver's rows started to connect."""
    return min((row[1] for row in rows), default=0.0)


def since(begin_s: float, time_s: float | None) -> float | None:
    """Return a time as seconds from `begin_s`; None stays None."""
    return None if time_s is None else time_s - begin_s
