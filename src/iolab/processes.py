"""Starting and stopping programs: everything that is started here is stopped here, by its own pid."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from iolab.signals import undivided

GRACE_S = 3.0


@dataclass(frozen=True)
class Finished:
    """How a program ended and what it said."""

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
    """Run a program to its end; with `log`, both its outputs go there as they come.

    Raises FileNotFoundError and subprocess.TimeoutExpired; whatever is raised, the program has ended by then.
    """
    sink = log if log is not None else subprocess.PIPE
    process = start(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except BaseException:
        stop(process)
        raise
    return Finished(
        process.returncode, (stdout or b"").decode(errors="replace"), (stderr or b"").decode(errors="replace")
    )


def start(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program, with Popen's `options`, in a session of its own: Ctrl-C reaches the lab, which then stops it."""
    with undivided():
        return subprocess.Popen(argv, start_new_session=True, **options)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it if it does not within GRACE_S."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def affinity(cores: Sequence[int]) -> Iterator[bool]:
    """Let what is started inside run on `cores` only, from its first instruction on; says whether that is possible.

    A child inherits the cores of the thread that starts it; setting them afterwards would miss threads.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


class Background:
    """Calls a function again and again in a thread, until it is stopped."""

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
