"""Starts programs to observe them: waits until a program listens, without connecting to it."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from iolab.errors import UsageError
from iolab.host import leftovers, ports, proc
from iolab.host.processes import last_lines, running
from iolab.runtime.strace import explain

POLL_S = 0.1
LAST_LINES = 3


@contextmanager
def listening(
    name: str, command: Sequence[str], folder: Path | None, variables: Mapping[str, str], *, port: int, limit_s: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a local program; yield it when it listens on `port`, and stop it at the end.

    Raises UsageError if the port is in use, and, with its last output, if it ends before that or takes too long.
    """
    leftovers.end()
    ports.check_free("127.0.0.1", port, name)
    with (
        tempfile.TemporaryFile() as output,
        running(command, cwd=folder, env=variables, stdout=output, stderr=output) as process,
    ):
        wait(name, lambda: proc.listens(proc.tables(), port), lambda: ended(process, output), limit_s)
        yield process


def wait(
    name: str,
    ready: Callable[[], bool],
    why_ended: Callable[[], str | None],
    limit_s: float,
    instead: Callable[[], str] = str,
) -> None:
    """Return when it is ready; raises UsageError if it has ended, or is not ready within `limit_s`.

    `instead` says what it did instead, for the message.
    """
    deadline = time.monotonic() + limit_s
    while not ready():
        if why := why_ended():
            raise UsageError(explain(why) or f"{name} did not start: {why}")
        if time.monotonic() > deadline:
            raise UsageError(f"{name} did not listen within {limit_s:g} s{instead()}")
        time.sleep(POLL_S)


def ended(process: subprocess.Popen[bytes], output: IO[bytes], lines: int = LAST_LINES) -> str | None:
    """Return a program's exit status and the last lines of its output; None if it is running."""
    status = process.poll()
    if status is None:
        return None
    return f"exit status {status}; its last output: {last_lines(text_of(output), lines, 'none')}"


def text_of(output: IO[bytes]) -> str:
    """Return all that a program has written to this file; where it writes next is not changed."""
    file = output.fileno()
    return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")
