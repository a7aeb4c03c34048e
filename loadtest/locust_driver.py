"""Runs a closed loop with Locust, one load at a time, for whoever holds the other end of the pipes.

A line in, a line out, both JSON. In: {"job": 1, "url": "http://127.0.0.1:8080", "users": 16, "requests": 208,
"answer_limit_s": 20, "timeout_s": 60}. Out: {"job": 1, "rows": [[start_s, latency_s, status], ...], "cpu_s": 0.1,
"timed_out": false}; status 0 is a request without an answer. Rows come from Locust's request event: its own statistics
round to whole milliseconds.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 (gevent patches first, or not at all)
import resource  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gevent.event  # noqa: E402
from locust import FastHttpUser, events, task  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.exception import StopUser  # noqa: E402


class ClosedLoopUser(FastHttpUser):
    """Asks, waits for the answer, asks again, `share` times."""

    share = 0
    finished = 0
    everyone_done: gevent.event.Event
    max_retries = 0

    @task
    def ask(self) -> None:
        for _ in range(self.share):
            self.client.get("/")
        ClosedLoopUser.finished += 1
        if ClosedLoopUser.finished == self.environment.runner.target_user_count:
            self.everyone_done.set()
        raise StopUser


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(url: str, users: int, requests: int, answer_limit_s: float, timeout_s: float) -> dict[str, Any]:
    """Let `users` users send `requests` requests between them; `requests` is a multiple of `users`."""
    rows: list[tuple[float, float, int]] = []

    def note(start_time: float, response_time: float, response: Any, exception: Any, **_: Any) -> None:
        status = getattr(response, "status_code", 0) or 0
        rows.append((start_time, response_time / 1000, status))

    ClosedLoopUser.share, ClosedLoopUser.finished = requests // users, 0
    ClosedLoopUser.everyone_done = gevent.event.Event()
    ClosedLoopUser.network_timeout = ClosedLoopUser.connection_timeout = answer_limit_s
    before = cpu_s()
    # A trailing slash in the host makes every request raise while Locust reports none at all.
    environment = Environment(user_classes=[ClosedLoopUser], host=url.rstrip("/"), events=events)
    events.request.add_listener(note)  # type: ignore[no-untyped-call]
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    in_time = ClosedLoopUser.everyone_done.wait(timeout_s)
    runner.quit()
    events.request.remove_listener(note)  # type: ignore[no-untyped-call]
    first = min((start for start, _, _ in rows), default=0.0)
    return {
        "rows": [(start - first, latency, status) for start, latency, status in sorted(rows)],
        "cpu_s": cpu_s() - before,
        "timed_out": not in_time,
    }


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        number = job.pop("job")
        print(json.dumps({"job": number, **run(**job)}), flush=True)


if __name__ == "__main__":
    main()
