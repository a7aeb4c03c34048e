"""Programs that are started to be observed: each is waited for until it listens, without a connection to it."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from iolab.errors import UsageError
from iolab.host import ports, proc
from iolab.host.processes import last_lines, running
from iolab.runtime.strace import explain

POLL_S = 0.1
LAST_LINES = 3


@contextmanager
def listening(
    name: str, command: Sequence[str], folder: Path | None, variables: Mapping[str, str], *, port: int, limit_s: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program here; yield it when it listens on `port`, and stop it at the end.

    Raises UsageError where the port is taken, and, with its last words, where it ends before or takes too long.
    """
    ports.check_free("127.0.0.1", port, name)
    with (
        tempfile.TemporaryFile() as words,
        running(command, cwd=folder, env=variables, stdout=words, stderr=words) as process,
    ):
        wait(name, lambda: proc.listens(proc.tables(), port), lambda: ended(process, words), limit_s)
        yield process


def wait(name: str, ready: Callable[[], bool], why_ended: Callable[[], str | None], limit_s: float) -> None:
    """Return when it is ready; raises UsageError where it has ended, or is not ready within `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not ready():
        if why := why_ended():
            raise UsageError(explain(why) or f"{name} ended at its start with {why}")
        if time.monotonic() > deadline:
            raise UsageError(f"{name} does not listen after {limit_s:g} s")
        time.sleep(POLL_S)


def ended(process: subprocess.Popen[bytes], words: IO[bytes]) -> str | None:
    """Return a program's status and its last words; None where it goes on."""
    status = process.poll()
    if status is None:
        return None
    return f"status {status}; its last words: {last_lines(said(words), LAST_LINES, 'none')}"


def said(words: IO[bytes]) -> str:
    """Return all that a program has written to this file."""
    words.seek(0)
    return words.read().decode(errors="replace")
