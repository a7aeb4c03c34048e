"""Starts processes of the client (`arrivals_client.py`), and plays a job in one of them or in several together."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

CLIENT: Final = Path(__file__).with_name("arrivals_client.py")
LEAD_S: Final = 0.3  # from when a plan is worked out to its start

Tell = Callable[[str], None]


class ClientFailed(Exception):
    """The client ended, or cannot play the job."""


class Client:
    """One process of the client."""

    def __init__(self, core: int | None = None) -> None:
        where = [] if core is None else [str(core)]
        self._process = subprocess.Popen(
            [sys.executable, str(CLIENT), *where], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def prepare(self, job: dict[str, Any]) -> None:
        """Send it a job, and wait until it is ready to begin; raises ClientFailed."""
        self._say(job)
        self._hear()

    def play(self, begin: float, tell: Tell) -> dict[str, Any]:
        """Let it begin at that time of the monotonic clock; hand on its rows, and return the facts at the end."""
        self._say({"begin": begin})
        while "rows" in (message := self._hear()):
            tell(message["rows"])
        return message

    def alone(self, job: dict[str, Any], tell: Tell) -> dict[str, Any]:
        """Play a job in this process alone; raises ClientFailed."""
        self.prepare(job)
        return together([self.play(time.monotonic() + LEAD_S, tell)])

    def stop(self) -> None:
        """End it: it ends with its input, also in the middle of a plan."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                if pipe:
                    pipe.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin  # noqa: S101 (it was started with a pipe)
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ClientFailed(self._ended()) from error

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout  # noqa: S101 (it was started with a pipe)
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise ClientFailed(self._ended())
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise ClientFailed(message["error"])
        return message

    def _ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        return f"the client ended with status {self._process.returncode}"


def together(ended: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the facts of several processes, or of several workers, as those of one load.

    `busiest_share` is the share of one core's time that the busiest process used; None if no process told it.
    """
    shares = [
        each["cpu_s"] / each["span_s"] if each.get("span_s") else each.get("busiest_share")
        for each in ended
        if "cpu_s" in each
    ]
    known = [share for share in shares if share is not None]
    return {
        "cpu_s": sum(each.get("cpu_s", 0.0) for each in ended),
        "busiest_share": max(known, default=None),
        "timed_out": any(each.get("timed_out") for each in ended),
        "waited": sum(each.get("waited", 0) for each in ended),
        "most_open": sum(each.get("most_open", 0) for each in ended),
    }
