"""Plays plans of arrivals and closed loops, one at a time, for the process at the other end of the pipes.

JSON lines. The first line out says that it is ready. In: {"job": 1, ...}, the rest as `arrivals_client.py` has it. Out:
{"job": 1, "rows": "...", "more": true} any number of times, and at the end {"job": 1, "cpu_s": 0.1, ...}.

A process of the client uses one core. A plan is dealt out in turn to so many processes that none has more than
A_PROCESS arrivals a second, if there are cores for them; the plan is the same for any number of cores. All of them
count from the same moment of this machine's monotonic clock. When the input ends, all end.
"""

import json
import math
import os
import queue
import sys
import threading
import time
from typing import Any, Final

import open_files
from arrivals_client import MOST_CONNECTIONS
from arrivals_process import LEAD_S, Client, ClientFailed, together

A_PROCESS: Final = 5_000.0  # arrivals a second: about a quarter of what one process sends in time


def cores() -> list[int | None]:
    """Return the cores that this process may use; None: any."""
    if hasattr(os, "sched_getaffinity"):
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


def processes(job: dict[str, Any], most: int) -> int:
    """Return how many processes play a job; a closed loop is played by one."""
    if "arrivals" not in job:
        return 1
    rate_rps: float = job["arrivals"]["rate_rps"]
    return max(1, min(most, math.ceil(rate_rps / A_PROCESS)))


class Driver:
    """The processes of the client, and the job that they play together."""

    def __init__(self) -> None:
        self._cores = cores()
        self._clients: list[Client] = []
        self._lock = threading.Lock()

    def say(self, message: dict[str, Any]) -> None:
        """Write a line."""
        with self._lock:
            print(json.dumps(message), flush=True)

    def play(self, number: int, job: dict[str, Any]) -> dict[str, Any]:
        """Play a job in as many processes as it needs; the rows of a process that ends are kept."""
        parts = processes(job, len(self._cores))
        clients = self._ready(parts)
        ended: list[dict[str, Any]] = []
        lost: list[str] = []

        def each(client: Client) -> None:
            try:
                ended.append(client.play(begin, lambda rows: self.say({"job": number, "rows": rows, "more": True})))
            except ClientFailed as error:
                lost.append(str(error))

        try:
            for part, client in enumerate(clients):
                share = {"part": part, "parts": parts} if "arrivals" in job else {}
                client.prepare({"connections": MOST_CONNECTIONS // parts, **job, **share})
            begin = time.monotonic() + LEAD_S
            threads = [threading.Thread(target=each, args=(client,), daemon=True) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except ClientFailed as error:
            lost.append(str(error))
            for client in clients:  # some of them may wait for the beginning
                client.stop()
        return {**together(ended), "lost": lost}

    def _ready(self, count: int) -> list[Client]:
        """Return so many clients, each on a core of its own if there are several cores."""
        for client in [client for client in self._clients if not client.runs]:
            client.stop()
            self._clients.remove(client)
        pinned = len(self._cores) > 1 and count > 1
        if pinned != (len(self._clients) > 1) or len(self._clients) < count:
            self.stop()
            self._clients = [Client(self._cores[number] if pinned else None) for number in range(count)]
        return self._clients[:count]

    def stop(self) -> None:
        """End all processes."""
        for client in self._clients:
            client.stop()
        self._clients = []


def read(driver: Driver, jobs: "queue.Queue[str]") -> None:
    """Take jobs; the end of the input also ends the job that is played."""
    for line in sys.stdin:
        jobs.put(line)
    driver.stop()
    jobs.put("")


def main() -> None:
    open_files.raise_limit()
    driver, jobs = Driver(), queue.Queue[str]()
    driver.say({"ready": True})
    threading.Thread(target=read, args=(driver, jobs), daemon=True).start()
    try:
        while line := jobs.get():
            job = json.loads(line)
            number = job.pop("job")
            driver.say({"job": number, **driver.play(number, job)})
    except BrokenPipeError:  # the other end has gone
        pass
    finally:
        driver.stop()


if __name__ == "__main__":
    main()
