"""Talks to a load driver: a process that stays, a JSON line in, a JSON line out."""

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

PATIENCE_S = 10.0  # beyond the time that the driver itself allows


def counters(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return TCP's counters of a load, as loadtest/netstat.py names them; None where a driver does not tell."""
    return {name: answer.get(name) for name in ("syn_retransmits", "timeouts")}


class Driver:
    """The other end of loadtest/*_driver.py."""

    def __init__(self, process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
        self._process, self._words = process, words
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._jobs = 0
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, job: Mapping[str, Any], timeout_s: float, rows: list[Any] | None = None) -> dict[str, Any]:
        """Send one job and return its answer; raises LoadFailed where none comes.

        Rows that the driver tells meanwhile are added to `rows`: they are there even if no answer comes.
        """
        self._jobs += 1
        line = json.dumps({**job, "timeout_s": timeout_s, "job": self._jobs}).encode() + b"\n"
        try:
            assert self._process.stdin  # noqa: S101 (it was started with a pipe)
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise LoadFailed(f"the load driver has ended: {self._last_words()}") from error
        deadline = time.monotonic() + timeout_s + PATIENCE_S
        while True:
            answer = self.answer(deadline - time.monotonic(), timeout_s + PATIENCE_S)
            if answer.get("job") != self._jobs:  # late, to a question before: data of another trial
                raise LoadFailed("the load driver gave the answer to another job")
            if not answer.get("more"):
                return answer
            if rows is not None:
                rows += answer["rows"]

    def answer(self, timeout_s: float, of_s: float | None = None) -> dict[str, Any]:
        """Wait for one answer line, for what is left of `of_s` seconds."""
        try:
            line = self._answers.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise LoadFailed(f"the load driver gave no answer within {of_s or timeout_s:g} s") from None
        if not line:
            self._answers.put(b"")  # nor will there be another one
            raise LoadFailed(f"the load driver has ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101 (it was started with a pipe)
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(b"")

    def _last_words(self) -> str:
        self._words.seek(0)
        return processes.last_lines(self._words.read().decode(errors="replace"), otherwise="without a word")


@contextmanager
def start(command: Sequence[str]) -> Iterator[Driver]:
    """Start a driver; at the end its standard input is closed, which stops what it runs, and then the driver itself."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as words,
        processes.running(command, stdin=pipe, stdout=pipe, stderr=words) as process,
    ):
        try:
            yield Driver(process, words)
        finally:
            with suppress(BrokenPipeError):  # it has ended, with words of ours still in the pipe
                if process.stdin:
                    process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
