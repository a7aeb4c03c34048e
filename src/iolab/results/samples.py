"""Rows of load generators: one request each; of closed loops, open loops and boards."""

from typing import Literal, NamedTuple

from iolab.results.rows import backwards

Failure = Literal[
    "", "refused", "reset", "timeout", "closed early", "bad response", "too large", "no connection", "not sent"
]  # why a request got no answer, in the order of loadtest/arrivals_rows.py


class Sample(NamedTuple):
    """One request: when it was sent, counted from the start of the load, how long it took, and the HTTP status.

    Status 0 is a request without an answer; its times are None if the load generator does not report them.
    """

    start_s: float | None
    latency_s: float | None
    status: int

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(0.0, self.latency_s)


class OpenSample(NamedTuple):
    """One request of an open loop, in seconds from the start of the plan; `service_s` is the service
    time that the server reports, without the wait for a worker.

    Status 0 is a request without an answer, and `failure` says why. `first_s` is when the first byte of the answer was
    read. `worker` is the Locust worker that sent it; times are from its own clock, counted from its own start.
    `served_by` is which of the server's processes served it, if the server says so.
    """

    planned_s: float
    sent_s: float
    done_s: float
    status: int
    service_s: float | None
    worker: int = 0
    first_s: float | None = None
    failure: Failure = ""
    served_by: int | None = None

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(self.sent_s, self.first_s, self.done_s) or backwards(0.0, self.service_s)


class Pair(NamedTuple):
    """One request at a board, a pair of moves: in measured seconds from the start of the first board.

    `service_s` is the service time that the server reports: the opponent's thinking, the wait for the master, and the
    master's move.
    """

    board: int
    move: int
    start_s: float
    end_s: float
    service_s: float
    status: int

    def mistake(self) -> str:
        """Return what cannot have been measured."""
        return backwards(self.start_s, self.end_s)
