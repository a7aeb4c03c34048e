"""Locust as an open-loop client: it sends planned requests whether or not the server keeps up. https://locust.io"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from iolab.errors import LoadFailed
from iolab.loadgen.driver import Driver
from iolab.results.samples import OpenSample

START_LIMIT_S = 30.0


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

    `workers` Locust workers sent it (0: the driver itself); `lost` has a sentence about each that was lost.
    """

    samples: Sequence[OpenSample]
    cpu_s: float | None
    stopped: str = ""
    workers: int = 0
    lost: tuple[str, ...] = ()


class OpenLoop:
    """Runs plans by Locust, and closed loops to calibrate with; both return the service times that servers report.

    The driver sends the requests itself, or leads Locust workers that connect to its `port`.
    """

    driver_script = "locust_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.port: int | None = driver.answer(START_LIMIT_S)["port"]

    def gather(self, count: int, timeout_s: float) -> int:
        """Wait until `count` workers have joined, or for `timeout_s`; return how many have joined."""
        return int(self._driver.ask({"gather": count}, timeout_s)["workers"])

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        """Send all requests of a plan; a request without an answer at the end counts as unanswered.

        Rows that were received are kept, whatever happens to the driver or a worker.
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
        """Run a closed loop of `users` users; raises LoadFailed if the workers are lost."""
        return self.closed_with_cost(url, users, requests, answer_limit_s)[0]

    def closed_with_cost(self, url: str, users: int, requests: int, answer_limit_s: float) -> tuple[list[Turn], float]:
        """Run it, and return the load generator's CPU seconds, too."""
        job = {"url": url, "users": users, "requests": requests, "answer_limit_s": answer_limit_s}
        rows: list[list[float]] = []
        done = self._driver.ask(job, requests * answer_limit_s, rows)
        if done.get("lost") or done.get("workers") == 0:
            raise LoadFailed("; ".join(done["lost"]) or "no load worker is left")
        return [Turn(row[0], row[1], int(row[2]), _service_s(row[3])) for row in sorted(rows)], float(done["cpu_s"])


def _samples(rows: Sequence[list[float]]) -> list[OpenSample]:
    """Return rows as samples, in the order of the plan."""
    return [
        OpenSample(planned, sent, done, int(status), _service_s(service), int(worker[0]) if worker else 0)
        for planned, sent, done, status, service, *worker in sorted(rows)
    ]


def _service_s(service_s: float) -> float | None:
    return None if service_s < 0 else float(service_s)
