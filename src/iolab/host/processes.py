"""Starts and stops programs: everything that this module starts, it stops by its own pid."""

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from iolab.host import leftovers
from iolab.host.cores import affinity
from iolab.host.guardian import GUARDIAN
from iolab.host.signals import delayed

GRACE_S = 3.0


@dataclass(frozen=True)
class Finished:
    """A program's exit status and its output."""

    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    log: IO[bytes] | None = None,
) -> Finished:
    """Run a program to its end; with `log`, both its outputs are written there.

    Raises FileNotFoundError and subprocess.TimeoutExpired; after any exception, the program has ended.
    """
    sink = log if log is not None else subprocess.PIPE
    process = start(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except BaseException:
        stop(process)
        raise
    GUARDIAN.tell(f"-group {process.pid}")
    return Finished(
        process.returncode, (stdout or b"").decode(errors="replace"), (stderr or b"").decode(errors="replace")
    )


def start(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program, with Popen's `options`, in a session of its own: Ctrl-C reaches the lab, which then stops it."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with delayed():
            environment = {**(options.pop("env", None) or os.environ), leftovers.OWNER: leftovers.owner()}
            process = subprocess.Popen(argv, start_new_session=True, env=environment, **options)
            GUARDIAN.tell(f"+group {process.pid}")
    except BaseException:
        if process:
            stop(process)  # after an interruption, no other code knows its pid
        raise
    return process


@contextmanager
def running(
    argv: Sequence[str], *, cores: Sequence[int] | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program during the block, by default without input, and stop it at the end.

    If `cores` are given, it runs only on these.
    """
    with affinity(cores) if cores else nullcontext():
        process = start(argv, **{"stdin": subprocess.DEVNULL, **options})
    try:
        yield process
    finally:
        stop(process)


def last_lines(said: str, count: int = 1, otherwise: str = "") -> str:
    """Return the last lines of a program's output that are not blank, in one line and without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return " / ".join(lines[-count:]) or otherwise


def stop(process: subprocess.Popen[bytes]) -> None:
    """Tell a program and its child processes to end, and kill them if they do not end within GRACE_S.

    They are a session of their own. `docker` runs `docker compose` as a child and does not pass signals on to it.
    """
    if process.poll() is None:
        _signal_all(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        _signal_all(process, signal.SIGKILL)
        process.wait()
    GUARDIAN.tell(f"-group {process.pid}")
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its child processes, and wait until it has ended."""
    _signal_all(process, signal.SIGKILL)
    process.wait()
    GUARDIAN.tell(f"-group {process.pid}")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder, which is removed at the end, also if the lab is killed."""
    with tempfile.TemporaryDirectory(prefix=leftovers.FOLDER) as name, leftovers.locked(Path(name)):
        GUARDIAN.tell(f"+folder {name}")
        yield Path(name)
    GUARDIAN.tell(f"-folder {name}")


def _signal_all(process: subprocess.Popen[bytes], signum: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for a group of zombies
        os.killpg(process.pid, signum)


class Background:
    """Calls a function repeatedly in a thread, until it is stopped."""

    def __init__(self, call: Callable[[], None], every_s: float) -> None:
        self._call, self._every_s = call, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._call()
