"""The client for planned arrivals, which sends requests whether or not the server keeps up."""

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, get_args

from iolab.errors import LoadFailed
from iolab.loadgen.driver import Driver
from iolab.results.records import ClientUsage
from iolab.results.samples import Failure, OpenSample

START_LIMIT_S = 30.0
FAILURES: Final[Sequence[Failure]] = get_args(Failure)


@dataclass(frozen=True)
class Arrivals:
    """A plan of arrivals. If `moments` (seconds from the start) are given, the other fields only describe them."""

    process: str
    rate_rps: float
    duration_s: float
    seed: int
    moments: tuple[float, ...] | None = None


class Turn(NamedTuple):
    """One request of a closed loop: when it was sent, how long it took, and what the server says it took to serve."""

    start_s: float
    latency_s: float
    status: int
    service_s: float | None


@dataclass(frozen=True)
class OpenLoad:
    """The result of a plan, and the load generator's own CPU seconds; `stopped` says why it ended early.

    `workers` Locust workers sent it (0: this machine's processes alone); `lost` has a sentence about each that was
    lost. `busiest_share` is the share of a core's time that its busiest process used. `read_late_s` has, for each
    answer, the longest that it can have waited until the client read it; `resent` counts requests that were sent again
    because the server had closed an idle connection, `waited` arrivals that waited for a connection because
    `most_open` were open.
    """

    samples: Sequence[OpenSample]
    cpu_s: float | None
    stopped: str = ""
    workers: int = 0
    lost: tuple[str, ...] = ()
    busiest_share: float | None = None
    read_late_s: Sequence[float] = ()
    resent: int = 0
    waited: int = 0
    most_open: int = 0

    @property
    def loop_late_p99_ms(self) -> float | None:
        """The 99th percentile of that; None without answers."""
        late = sorted(self.read_late_s)
        return late[math.ceil(0.99 * len(late)) - 1] * 1000 if late else None

    @property
    def usage(self) -> ClientUsage:
        """What it took of the load generator; None is what is not known because that was lost."""
        known = self.cpu_s is not None
        return ClientUsage(
            cpu_s=self.cpu_s,
            busiest_share=self.busiest_share,
            loop_late_p99_ms=self.loop_late_p99_ms,
            resent=self.resent if known else None,
            waited=self.waited if known else None,
            most_open=self.most_open if known else None,
        )


class OpenLoop:
    """Plays plans, and closed loops to calibrate with; both return the service times that servers report."""

    driver_script = "arrivals_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._ready = driver.answer(START_LIMIT_S)

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        """Send all requests of a plan; a request without an answer at the end counts as unanswered.

        Rows that were received are kept, whatever happens to the driver or a worker.
        """
        timeout_s = plan.duration_s + answer_limit_s + START_LIMIT_S
        job = {"url": url, "arrivals": asdict(plan), "answer_limit_s": answer_limit_s}
        told: list[dict[str, Any]] = []
        try:
            done = self._driver.ask(job, timeout_s, told)
        except LoadFailed as error:
            return OpenLoad(samples(told), None, str(error))
        return _load(told, done, _why(done, timeout_s))

    def closed(self, url: str, users: int, requests: int, answer_limit_s: float) -> list[Turn]:
        """Run a closed loop of `users` users; raises LoadFailed if the client or the workers are lost."""
        load = self.closed_load(url, users, requests, answer_limit_s)
        turns = [Turn(each.sent_s, each.done_s - each.sent_s, each.status, each.service_s) for each in load.samples]
        return sorted(turns, key=lambda turn: turn.start_s)

    def closed_load(self, url: str, users: int, requests: int, answer_limit_s: float) -> OpenLoad:
        """Run the same, and return what `run` returns: of the same client, only that users wait for their answers."""
        job = {"url": url, "users": users, "requests": requests, "answer_limit_s": answer_limit_s}
        told: list[dict[str, Any]] = []
        timeout_s = math.ceil(requests / users) * answer_limit_s + START_LIMIT_S
        done = self._driver.ask(job, timeout_s, told)
        if done["timed_out"] or done.get("lost") or done.get("workers") == 0:
            raise LoadFailed(_why(done, timeout_s))
        return _load(told, done)


class LedWorkers(OpenLoop):
    """The same by Locust workers, each of which runs the client: the driver leads them, and they join at its `port`."""

    driver_script = "locust_driver.py"

    @property
    def port(self) -> int:
        """The port at which workers join."""
        return int(self._ready["port"])

    def gather(self, count: int, timeout_s: float) -> int:
        """Wait until `count` workers have joined, or for `timeout_s`; return how many have joined."""
        return int(self._driver.ask({"gather": count}, timeout_s)["workers"])


def _load(told: Sequence[Mapping[str, Any]], done: Mapping[str, Any], stopped: str = "") -> OpenLoad:
    """Return the result of a load whose driver has `told` rows, and has ended with `done`."""
    rows = [row for _, row in _rows(told)]
    return OpenLoad(
        samples(told),
        done["cpu_s"],
        stopped,
        done.get("workers", 0),
        tuple(done.get("lost", ())),
        done["busiest_share"],
        read_late_s=[row.read_late_s for row in rows if row.read_late_s >= 0],
        resent=sum(row.resent > 0 for row in rows),
        waited=done["waited"],
        most_open=done["most_open"],
    )


class Told(NamedTuple):
    """The numbers of a row, as loadtest/arrivals_rows.py names them."""

    planned_s: float
    sent_s: float
    first_s: float
    done_s: float
    status: float
    service_s: float
    error: float
    resent: float
    read_late_s: float
    process: float


def _rows(told: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Told]]:
    """Yield the number of the worker that sent a row, and the row."""
    for message in told:
        for numbers in struct.iter_unpack(f"{len(Told._fields)}d", base64.b64decode(message["rows"])):
            yield message.get("worker", 0), Told(*numbers)


def _why(done: Mapping[str, Any], timeout_s: float) -> str:
    """Return why a load ended early, "" if it did not."""
    if done.get("workers") == 0:
        return "no load worker is left"
    return f"the load was stopped after {timeout_s:g} s" if done["timed_out"] else "; ".join(done.get("lost", ()))


def samples(told: Sequence[Mapping[str, Any]]) -> list[OpenSample]:
    """Return the rows of a driver's messages as samples, in the order of the plan."""
    found = [
        OpenSample(
            planned_s=row.planned_s,
            sent_s=row.sent_s,
            done_s=row.done_s,
            status=int(row.status),
            service_s=_known(row.service_s),
            worker=worker,
            first_s=_known(row.first_s),
            failure=FAILURES[int(row.error)],
            served_by=None if row.process < 0 else int(row.process),
        )
        for worker, row in _rows(told)
    ]
    return sorted(found, key=lambda sample: (sample.planned_s, sample.sent_s))


def _known(seconds: float) -> float | None:
    return None if seconds < 0 else float(seconds)
