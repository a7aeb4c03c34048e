"""Locust: a closed loop of greenlets in Python. https://locust.io"""

from collections.abc import Sequence
from typing import Any, Literal

from iolab.errors import LoadFailed
from iolab.loadgen import Job, Load
from iolab.loadgen.driver import Driver, counters, rows
from iolab.results.samples import Sample

START_LIMIT_S = 30.0


class Locust:
    """Runs loads in one Locust process: starting one for each would take a second a trial."""

    name: Literal["hey", "locust"] = "locust"
    driver_script = "locust_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        driver.answer(START_LIMIT_S)  # it answers when its imports are done, so that no trial waits for them

    def run(self, job: Job) -> Load:
        """Run one load in it."""
        size = {"users": job.users, "requests": job.requests, "answer_limit_s": job.answer_limit_s}
        told: list[dict[str, Any]] = []
        try:
            done = self._driver.ask({"url": job.url, **size}, job.timeout_s, told)
        except LoadFailed as error:
            return Load(_samples(rows(told)), None, str(error))
        seen = _samples(rows(told))
        if len(seen) > job.requests:
            raise LoadFailed(f"Locust sent {len(seen)} requests where {job.requests} were asked for")
        used = {"busiest_share": done["busiest_share"], **counters(done)}
        if done["timed_out"]:
            return Load(seen, done["cpu_s"], f"Locust was stopped after {job.timeout_s:g} s", **used)
        unanswered = [Sample(None, None, 0)] * (job.requests - len(seen))
        return Load([*seen, *unanswered], done["cpu_s"], **used)


def _samples(rows: Sequence[list[float]]) -> list[Sample]:
    """Return them in the order in which they were sent, counted from the first."""
    first = min((row[0] for row in rows), default=0.0)
    return [Sample(start - first, latency, int(status)) for start, latency, status in sorted(rows)]
