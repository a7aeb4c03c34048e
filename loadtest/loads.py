"""A closed loop that Locust generates in this process.

A row is [start_s, latency_s, status]; status 0 is a request without an answer. Times count from the start of the load,
by this process's monotonic clock: no wall clock enters them. Rows are made from Locust's request event, because its
statistics round to whole milliseconds, and are sent while the load runs, so that they are kept if this process is lost.
"""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import gevent
import gevent.event
import netstat
from locust import FastHttpUser, task
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

TELL_EVERY_S = 0.1  # so short that sending the rows takes only a fraction of a millisecond

Rows = list[Sequence[float]]
Tell = Callable[[Rows], None]


class ClosedLoopUser(FastHttpUser):
    """Sends a request, waits for the response, sends the next, `share` times."""

    share = 0
    finished = 0
    everyone_done: gevent.event.Event
    max_retries = 0
    path = "/"

    @task
    def ask(self) -> None:
        for _ in range(self.share):
            self.client.get(self.path, name="/", allow_redirects=False)
        ClosedLoopUser.finished += 1
        if ClosedLoopUser.finished == self.environment.runner.target_user_count:
            self.everyone_done.set()
        raise StopUser


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


def play(*, url: str, users: int, requests: int, answer_limit_s: float, timeout_s: float, tell: Tell) -> dict[str, Any]:
    """Send `requests` requests with `users` users; `requests` is a multiple of `users`.

    Return CPU seconds, the share of the time that this process computed, whether time was over before the end, and
    TCP's counters (netstat.py).
    """
    ClosedLoopUser.share, ClosedLoopUser.finished = requests // users, 0
    parts = urlsplit(url)
    ClosedLoopUser.path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    ClosedLoopUser.everyone_done = done = gevent.event.Event()
    ClosedLoopUser.network_timeout = ClosedLoopUser.connection_timeout = answer_limit_s
    before, counted, begin = cpu_s(), netstat.counters(), time.perf_counter()
    with telling(tell) as rows:

        def note(response_time: float, response: Any, **_: Any) -> None:
            latency_s = response_time / 1000
            rows.append((time.perf_counter() - latency_s - begin, latency_s, getattr(response, "status_code", 0) or 0))

        events = Events()  # type: ignore[no-untyped-call]
        events.request.add_listener(note)  # type: ignore[no-untyped-call]
        # A trailing slash in the host makes every request raise while Locust reports none at all.
        host = f"{parts.scheme}://{parts.netloc}"
        environment = Environment(user_classes=[ClosedLoopUser], host=host, events=events)
        runner = environment.create_local_runner()
        try:
            runner.start(users, spawn_rate=users)
            in_time = done.wait(timeout_s)
        finally:
            runner.quit()
    used_s, span_s = cpu_s() - before, time.perf_counter() - begin
    facts = {"cpu_s": used_s, "busiest_share": used_s / span_s, "timed_out": not in_time}
    return {**facts, **netstat.since(counted)}
