"""Locust: a closed loop of greenlets in Python. https://locust.io"""

from typing import Literal

from iolab.errors import LoadFailed
from iolab.loadgen import Load
from iolab.loadgen.driver import Driver
from iolab.records import Sample

START_LIMIT_S = 30.0


class Locust:
    """Runs loads in one Locust process: starting one for each would take a second a trial."""

    name: Literal["hey", "locust"] = "locust"
    driver_script = "locust_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        driver.answer(START_LIMIT_S)  # it says when its imports are done, so that no trial waits for them

    def run(self, url: str, *, users: int, requests: int, timeout_s: float) -> Load:
        """Run one load in it."""
        done = self._driver.ask({"url": url, "users": users, "requests": requests}, timeout_s)
        if done["timed_out"]:
            raise LoadFailed(f"Locust was stopped after {timeout_s:.0f} s")
        seen = [Sample(start, latency, status) for start, latency, status in done["rows"]]
        if len(seen) > requests:
            raise LoadFailed(f"Locust sent {len(seen)} requests where {requests} were asked for")
        unanswered = [Sample(None, None, 0)] * (requests - len(seen))
        return Load(samples=[*seen, *unanswered], cpu_s=done["cpu_s"])
