"""hey: a closed loop of goroutines. https://github.com/rakyll/hey"""

import csv
import math
from typing import Literal

from iolab.errors import LoadFailed
from iolab.host.processes import last_lines
from iolab.loadgen import Job, Load
from iolab.loadgen.driver import Driver, counters
from iolab.results.samples import Sample

MOST_ROWS = 1_000_000  # hey keeps the results of so many requests, and drops those that follow (requester.go, maxRes)


class Hey:
    """Runs hey and reads its rows; its own summary counts failures as requests served, so it is ignored."""

    name: Literal["hey", "locust"] = "hey"
    driver_script = "hey_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def run(self, job: Job) -> Load:
        """Run hey once; raises LoadFailed, too, where it would drop results."""
        if job.requests > MOST_ROWS:
            raise LoadFailed(
                f"hey keeps the results of {MOST_ROWS:,} requests, and this load has {job.requests:,}: make it shorter"
            )
        size = ("-n", str(job.requests), "-c", str(job.users))
        argv = ["hey", *size, "-t", str(math.ceil(job.answer_limit_s)), "-o", "csv", "-disable-redirects", job.url]
        done = self._driver.ask({"argv": argv}, job.timeout_s)
        if done["timed_out"]:
            sent = read_rows(done["stdout"]) if done["stdout"] else []
            return Load(sent, done["cpu_s"], f"hey was stopped after {job.timeout_s:g} s", **counters(done))
        if done["status"] != 0:
            said = last_lines(done["stderr"] or done["stdout"], otherwise="it printed nothing")
            raise LoadFailed(f"hey ended with status {done['status']}: {said}")
        answered = read_rows(done["stdout"])
        # hey leaves failures out of its rows, and does not say when they were sent.
        unanswered = [Sample(None, None, 0)] * (job.requests - len(answered))
        return Load([*answered, *unanswered], done["cpu_s"], **counters(done))


def read_rows(text: str) -> list[Sample]:
    """Read what `hey -o csv` prints: a row a response, times in seconds, `offset` since hey's start.

    Raises LoadFailed if there is no table, a column is missing, or a value is not a finite number or is negative.
    """
    if not text.startswith("response-time,"):  # hey prints this line even if no request is answered
        raise LoadFailed("hey printed no table: is the hey on PATH that of https://github.com/rakyll/hey?")
    try:
        rows = [
            (float(row["offset"]), float(row["response-time"]), int(row["status-code"]))
            for row in csv.DictReader(text.splitlines())
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise LoadFailed(f"hey printed a row that cannot be read: {error}") from error
    if not all(0 <= number < math.inf for row in rows for number in row):
        raise LoadFailed("hey printed a value that is negative or not finite")
    return sorted(Sample(offset, latency, status) for offset, latency, status in rows)
