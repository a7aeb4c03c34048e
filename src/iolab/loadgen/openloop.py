"""Locust as an open loop: people who come whether or not the server keeps up. https://locust.io"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from iolab.loadgen.driver import Driver
from iolab.records import OpenSample

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
    """What came of a plan, and the load generator's own CPU seconds; `stopped` says why it ended before its end."""

    samples: Sequence[OpenSample]
    cpu_s: float
    stopped: str = ""


class OpenLoop:
    """Runs plans in one Locust process, and closed loops to calibrate with; both tell what the server tells."""

    driver_script = "locust_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        driver.answer(START_LIMIT_S)

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        """Let everybody come; who has no answer when the last one's time is over has none."""
        timeout_s = plan.duration_s + answer_limit_s + START_LIMIT_S
        job = {"url": url, "arrivals": asdict(plan), "answer_limit_s": answer_limit_s}
        done = self._driver.ask(job, timeout_s)
        stopped = f"Locust was stopped after {timeout_s:g} s" if done["timed_out"] else ""
        return OpenLoad([OpenSample._make([*row[:4], _told(row[4])]) for row in done["rows"]], done["cpu_s"], stopped)

    def closed(self, url: str, users: int, requests: int, answer_limit_s: float) -> list[Turn]:
        """Run a closed loop of `users` users."""
        job = {"url": url, "users": users, "requests": requests, "answer_limit_s": answer_limit_s}
        done = self._driver.ask(job, requests * answer_limit_s)
        return [Turn._make([*row[:3], _told(row[3])]) for row in done["rows"]]


def _told(service_s: Any) -> float | None:
    return None if service_s < 0 else float(service_s)
