"""Loads that Locust generates in this process: a closed loop, or one stream of an open loop.

A row of a closed loop is [start_s, latency_s, status, service_s], one of an open loop [planned_s, sent_s, done_s,
status, service_s]; status 0 is a request without an answer, service_s the value of the server's Server-Timing header,
-1 without one. Times count from the start of the load, by this process's monotonic clock: no wall clock, here or on
other machines, enters them. Rows are made from Locust's request event, because its statistics round to whole
milliseconds, and are sent while the load runs, so that they are kept if this process is lost.
"""

import gc
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gevent
import gevent.event
import netstat
from locust import FastHttpUser, User, task
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser
from openloop import LEAD_S, OpenLoopUser, Plan, served_s

TELL_EVERY_S = 0.1  # so short that sending the rows takes only a fraction of a millisecond

Rows = list[Sequence[float]]
Tell = Callable[[Rows], None]


class ClosedLoopUser(FastHttpUser):
    """Sends a request, waits for the response, sends the next, `share` times."""

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
    """All arrivals of one stream of a plan."""

    planned: Sequence[float]
    begins_at: float
    everyone_done: gevent.event.Event

    def begins(self) -> float:
        return self.begins_at

    def moments(self) -> Sequence[float]:
        return self.planned

    def on_stop(self) -> None:
        self.everyone_done.set()


@contextmanager
def telling(tell: Tell) -> Iterator[Rows]:
    """Send the rows that are appended, every TELL_EVERY_S, and the rest at the end."""
    rows: Rows = []

    def tell_them() -> None:
        if rows:
            now = rows[:]
            rows.clear()
            tell(now)

    def go_on() -> None:
        while True:
            gevent.sleep(TELL_EVERY_S)
            tell_them()

    teller = gevent.spawn(go_on)
    try:
        yield rows
    finally:
        teller.kill()
        tell_them()


def cpu_s() -> float:
    """Return the CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def load(
    user: type[User], url: str, users: int, *, timeout_s: float, done: gevent.event.Event, note: Callable[..., None]
) -> dict[str, Any]:
    """Run `users` of that class until `done`.

    Return CPU seconds, whether time was over before, and TCP's counters (netstat.py).
    """
    before, counted = cpu_s(), netstat.counters()
    events = Events()  # type: ignore[no-untyped-call]
    events.request.add_listener(note)  # type: ignore[no-untyped-call]
    # A trailing slash in the host makes every request raise while Locust reports none at all.
    environment = Environment(user_classes=[user], host=url.rstrip("/"), events=events)
    runner = environment.create_local_runner()
    try:
        runner.start(users, spawn_rate=users)
        in_time = done.wait(timeout_s)
    finally:
        runner.quit()
    return {"cpu_s": cpu_s() - before, "timed_out": not in_time, **netstat.since(counted)}


def closed(
    *, url: str, users: int, requests: int, answer_limit_s: float, timeout_s: float, tell: Tell
) -> dict[str, Any]:
    """Send `requests` requests with `users` users; `requests` is a multiple of `users`."""
    ClosedLoopUser.share, ClosedLoopUser.finished = requests // users, 0
    ClosedLoopUser.everyone_done = gevent.event.Event()
    ClosedLoopUser.network_timeout = ClosedLoopUser.connection_timeout = answer_limit_s
    begin = time.perf_counter()
    with telling(tell) as rows:

        def note(response_time: float, response: Any, **_: Any) -> None:
            latency_s = response_time / 1000
            status = getattr(response, "status_code", 0) or 0
            told = served_s(response.headers) if status == 200 else -1.0
            rows.append((time.perf_counter() - latency_s - begin, latency_s, status, told))

        return load(ClosedLoopUser, url, users, timeout_s=timeout_s, done=ClosedLoopUser.everyone_done, note=note)


def opened(
    *,
    url: str,
    arrivals: dict[str, Any],
    answer_limit_s: float,
    timeout_s: float,
    tell: Tell,
    stream: int = 0,
    streams: int = 1,
) -> dict[str, Any]:
    """Send the requests of one of a plan's streams."""
    Stream.begins_at = time.perf_counter() + LEAD_S
    Stream.planned, Stream.everyone_done = Plan(**arrivals).stream(stream, streams), gevent.event.Event()
    Stream.network_timeout = Stream.connection_timeout = answer_limit_s
    gc.collect()
    gc.disable()  # a collection would make arrivals late; a plan of a minute leaves little garbage
    try:
        with telling(tell) as rows:

            def note(context: dict[str, float], response: Any, **_: Any) -> None:
                status = getattr(response, "status_code", 0) or 0
                told = served_s(response.headers) if status == 200 else -1.0
                rows.append((context["planned_s"], context["sent_s"], context["done_s"], status, told))

            return load(Stream, url, 1, timeout_s=timeout_s, done=Stream.everyone_done, note=note)
    finally:
        gc.enable()


def play(job: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Play a job, a closed loop or a stream of an open loop; return the values that are sent after its rows."""
    return opened(**job, tell=tell) if "arrivals" in job else closed(**job, tell=tell)
