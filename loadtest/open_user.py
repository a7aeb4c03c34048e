"""The open loop of Locust's page: a user plays a stream of arrivals in a process of the client for planned arrivals."""

import os
import time
from typing import Any

from arrivals_process import LEAD_S, Client, ClientFailed
from arrivals_rows import ERRORS, unpacked
from locust import User, task
from locust.exception import StopUser

ANSWER_LIMIT_S = 60.0
ENDLESS_S = 1e9


class NoAnswer(Exception):
    """A request without an answer 200; Locust's page shows the text."""


class OpenUser(User):
    """Requests at the times of a plan, whether or not earlier ones have been answered.

    The streams of all users, on all workers, add up. Response times count from the planned times, so they include the
    time before a slow server accepts a request; Locust's page and statistics show these times.
    """

    abstract = True

    @task
    def arrive(self) -> None:
        """Send requests until this user is stopped."""
        wanted = self.environment.parsed_options
        arrivals = {
            "process": wanted.arrivals,
            "rate_rps": wanted.rate,
            "duration_s": None,
            "seed": os.urandom(8).hex(),
        }
        job = {"url": self.host, "arrivals": arrivals, "answer_limit_s": ANSWER_LIMIT_S, "timeout_s": ENDLESS_S}
        client = Client()
        try:
            client.prepare(job)
            client.play(time.monotonic() + LEAD_S, self._note)
        except ClientFailed as error:
            self._fire(0.0, NoAnswer(str(error)))
        finally:
            client.stop()
        raise StopUser

    def _note(self, rows: str) -> None:
        """Give rows to Locust's statistics."""
        for row in unpacked(rows):
            status = int(row.status)
            why = ERRORS[int(row.error)] or f"status {status}"
            self._fire(row.done_s - row.planned_s, None if status == 200 else NoAnswer(why))

    def _fire(self, response_s: float, failed: NoAnswer | None) -> None:
        event: dict[str, Any] = {"request_type": "GET", "name": type(self).__name__, "response_length": 0}
        self.environment.events.request.fire(
            **event, response_time=response_s * 1000, exception=failed, context={}, response=None
        )
