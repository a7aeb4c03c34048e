"""Locust as an open loop: people who come whether or not the server keeps up. https://locust.io"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from iolab.errors import LoadFailed
from iolab.loadgen.driver import Driver
from iolab.results.records import OpenSample

START_LIMIT_S = 30.0


@dataclass(frozen=True)
class Arrivals:
    """A plan: who comes when. With `moments` (seconds from the begin) the others only say what they are."""

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
    """What came of a plan, and the load generator's own CPU seconds; `stopped` says why it ended before its end.

    `workers` Locust workers made it, 0 where the driver made it itself; `lost` says of each that did not see the end
    what is known.
    """

    samples: Sequence[OpenSample]
    cpu_s: float | None
    stopped: str = ""
    workers: int = 0
    lost: tuple[str, ...] = ()


class OpenLoop:
    """Runs plans by Locust, and closed loops to calibrate with; both tell what the server tells.

    The driver makes them itself, or leads Locust workers that come to its `port`.
    """

    driver_script = "locust_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.port: int | None = driver.answer(START_LIMIT_S)["port"]

    def gather(self, count: int, timeout_s: float) -> int:
        """Wait until so many workers are there, or for so long; return how many there are."""
        return int(self._driver.ask({"gather": count}, timeout_s)["workers"])

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        """Let everybody come; who has no answer when the last one's time is over has none.

        What was told stays, whatever happens to who told it.
        """
        timeout_s = plan.duration_s + answer_limit_s + START_LIMIT_S
        job = {"url": url, "arrivals": asdict(plan), "answer_limit_s": answer_limit_s}
        rows: list[list[float]] = []
        try:
            done = self._driver.ask(job, timeout_s, rows)
        except LoadFailed as error:
            return OpenLoad(_samples(rows), None, str(error))
        lost = tuple(done.get("lost", ()))
        stopped = f"Locust was stopped after {timeout_s:g} s" if done["timed_out"] else "; ".join(lost)
        if done.get("workers") == 0:
            stopped = "no load worker is left"
        return OpenLoad(_samples(rows), done["cpu_s"], stopped, done.get("workers", 0), lost)

    def closed(self, url: str, users: int, requests: int, answer_limit_s: float) -> list[Turn]:
        """Run a closed loop of `users` users; raises LoadFailed where who was to make it is lost."""
        return self.closed_with_cost(url, users, requests, answer_limit_s)[0]

    def closed_with_cost(self, url: str, users: int, requests: int, answer_limit_s: float) -> tuple[list[Turn], float]:
        """Run it, and return the load generator's CPU seconds, too."""
        job = {"url": url, "users": users, "requests": requests, "answer_limit_s": answer_limit_s}
        rows: list[list[float]] = []
        done = self._driver.ask(job, requests * answer_limit_s, rows)
        if done.get("lost") or done.get("workers") == 0:
            raise LoadFailed("; ".join(done["lost"]) or "no load worker is left")
        return [Turn(row[0], row[1], int(row[2]), _told(row[3])) for row in sorted(rows)], float(done["cpu_s"])


def _samples(rows: Sequence[list[float]]) -> list[OpenSample]:
    """Return them in the order of the plan."""
    return [
        OpenSample(planned, sent, done, int(status), _told(service), int(worker[0]) if worker else 0)
        for planned, sent, done, status, service, *worker in sorted(rows)
    ]


def _told(service_s: float) -> float | None:
    return None if service_s < 0 else float(service_s)
