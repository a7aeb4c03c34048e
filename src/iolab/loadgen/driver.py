"""Talks to a load driver, a long-running process: a JSON line in, a JSON line out."""

import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from iolab.errors import LoadFailed
from iolab.host import processes

EXTRA_S = 10.0  # beyond the driver's own time limit


def counters(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return TCP's counters of a load, as loadtest/netstat.py names them; None where a driver does not tell."""
    return {name: answer.get(name) for name in ("syn_retransmits", "timeouts")}


def rows(told: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the rows of messages of a driver that sends rows as lists."""
    return [row for message in told for row in message["rows"]]


class Driver:
    """The other end of loadtest/*_driver.py."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process, self._output = process, output
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._jobs = 0
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, job: Mapping[str, Any], timeout_s: float, told: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Send one job and return its answer; raises LoadFailed if there is no answer.

        Messages with rows that the driver sends meanwhile are added to `told`: they are there even if there is no
        answer.
        """
        self._jobs += 1
        line = json.dumps({**job, "timeout_s": timeout_s, "job": self._jobs}).encode() + b"\n"
        try:
            assert self._process.stdin  # noqa: S101 (it was started with a pipe)
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise LoadFailed(f"the load driver has ended: {self._last_output()}") from error
        deadline = time.monotonic() + timeout_s + EXTRA_S
        while True:
            answer = self.answer(deadline - time.monotonic(), timeout_s + EXTRA_S)
            if answer.get("job") != self._jobs:  # a late answer to an earlier job: data of another trial
                raise LoadFailed("the load driver answered another job")
            if not answer.get("more"):
                return answer
            if told is not None:
                told.append(answer)

    def answer(self, timeout_s: float, of_s: float | None = None) -> dict[str, Any]:
        """Wait up to `timeout_s` for one answer line; an error names the whole time limit, `of_s`."""
        try:
            line = self._answers.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise LoadFailed(f"the load driver did not answer within {of_s or timeout_s:g} s") from None
        if not line:
            self._answers.put(b"")  # for the next call: there will be no answer, either
            raise LoadFailed(f"the load driver has ended: {self._last_output()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101 (it was started with a pipe)
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(b"")

    def _last_output(self) -> str:
        self._output.seek(0)
        return processes.last_lines(self._output.read().decode(errors="replace"), otherwise="it printed nothing")


@contextmanager
def start(command: Sequence[str]) -> Iterator[Driver]:
    """Start a driver; at the end its standard input is closed, which stops what it runs, and then the driver itself."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as output,
        processes.running(command, stdin=pipe, stdout=pipe, stderr=output) as process,
    ):
        try:
            yield Driver(process, output)
        finally:
            with suppress(BrokenPipeError):  # it has ended, with a job still in the pipe
                if process.stdin:
                    process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
