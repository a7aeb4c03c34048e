"""Runs loads with Locust, one at a time, for who holds the other end of the pipes: a closed loop, or an open one.

A line in, a line out, both JSON. In, a closed loop: {"job": 1, "url": "http://127.0.0.1:8080", "users": 16,
"requests": 208, "answer_limit_s": 20, "timeout_s": 60}; an open one has, instead of users and requests, "arrivals":
{"process": "poisson", "rate_rps": 40, "duration_s": 30, "seed": 1}, or with "moments" a list of seconds.
Out: {"job": 1, "rows": [...], "cpu_s": 0.1, "timed_out": false}; a row is [start_s, latency_s, status, service_s] of a
closed loop, [planned_s, sent_s, done_s, status, service_s] of an open one; status 0 is a request without an answer,
service_s what the server's Server-Timing header tells, -1 where it tells nothing. Rows come from Locust's request
event: its own statistics round to whole milliseconds.
"""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402 (gevent patches first, or not at all)
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

import gevent.event  # noqa: E402
from locust import FastHttpUser, User, events, task  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.exception import StopUser  # noqa: E402
from openloop import OpenLoopUser, Plan, Row, served_s  # noqa: E402


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


class Stream(OpenLoopUser):
    """Everybody of a plan, in this process."""

    plan: Plan
    rows: list[Row]
    everyone_done: gevent.event.Event

    def moments(self) -> Sequence[float]:
        return self.plan.stream()

    def note(self, row: Row) -> None:
        self.rows.append(row)

    def on_stop(self) -> None:
        self.everyone_done.set()


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def load(user: type[User], url: str, users: int, timeout_s: float, done: gevent.event.Event) -> dict[str, Any]:
    """Let `users` of that class go on until `done`; return CPU seconds, and whether time was over before."""
    before = cpu_s()
    # A trailing slash in the host makes every request raise while Locust reports none at all.
    environment = Environment(user_classes=[user], host=url.rstrip("/"), events=events)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    in_time = done.wait(timeout_s)
    runner.quit()
    return {"cpu_s": cpu_s() - before, "timed_out": not in_time}


def closed(url: str, users: int, requests: int, answer_limit_s: float, timeout_s: float) -> dict[str, Any]:
    """Let `users` users send `requests` requests between them; `requests` is a multiple of `users`."""
    rows: list[tuple[float, float, int, float]] = []

    def note(start_time: float, response_time: float, response: Any, **_: Any) -> None:
        status = getattr(response, "status_code", 0) or 0
        told = served_s(response.headers) if status == 200 else -1.0
        rows.append((start_time, response_time / 1000, status, told))

    ClosedLoopUser.share, ClosedLoopUser.finished = requests // users, 0
    ClosedLoopUser.everyone_done = gevent.event.Event()
    ClosedLoopUser.network_timeout = ClosedLoopUser.connection_timeout = answer_limit_s
    events.request.add_listener(note)  # type: ignore[no-untyped-call]
    facts = load(ClosedLoopUser, url, users, timeout_s, ClosedLoopUser.everyone_done)
    events.request.remove_listener(note)  # type: ignore[no-untyped-call]
    first = min((row[0] for row in rows), default=0.0)
    return {"rows": [(start - first, *rest) for start, *rest in sorted(rows)], **facts}


def opened(url: str, arrivals: dict[str, Any], answer_limit_s: float, timeout_s: float) -> dict[str, Any]:
    """Let all of a plan come; rows are in the order of the plan."""
    Stream.plan, Stream.rows, Stream.everyone_done = Plan(**arrivals), [], gevent.event.Event()
    Stream.network_timeout = Stream.connection_timeout = answer_limit_s
    gc.collect()
    gc.disable()  # a collection would make arrivals late; a plan of a minute leaves little behind
    try:
        facts = load(Stream, url, 1, timeout_s, Stream.everyone_done)
    finally:
        gc.enable()
    return {"rows": sorted(Stream.rows), **facts}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        number = job.pop("job")
        answer = opened(**job) if "arrivals" in job else closed(**job)
        print(json.dumps({"job": number, **answer}), flush=True)


if __name__ == "__main__":
    main()
