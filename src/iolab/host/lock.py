"""One benchmark at a time on a machine: two would disturb each other."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import psutil

from iolab.errors import UsageError

POLL_S = 0.5


@dataclass(frozen=True)
class Holder:
    """What holds the lock: the experiment's name, since when (of the epoch), and how long it takes in theory."""

    pid: int
    what: str
    since_s: float
    expected_s: float | None


@contextmanager
def only_bench(
    what: str = "", expected_s: float | None = None, *, wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the machine's benchmark lock; raises UsageError that says what holds it if another process does.

    With `wait`, it is told so, and the lock is waited for. The kernel releases the lock when its holder ends, however
    that happens.
    """
    with _opened(_path()) as file:
        told = False
        while not _locked(file):
            told_of = _told(file)
            if not wait:
                raise UsageError(
                    f"another benchmark is running ({told_of}): wait until it ends with WAIT=1, or stop it"
                )
            if not told:
                wait(f"Waiting until another benchmark ends ({told_of})")
            told = True
            time.sleep(POLL_S)
        if file.writable():
            with suppress(OSError):  # of a full disk: the lock is held, only what holds it is not known
                os.ftruncate(file.fileno(), 0)
                told_as = json.dumps(asdict(Holder(os.getpid(), what, time.time(), expected_s)))
                os.pwrite(file.fileno(), told_as.encode(), 0)
        try:
            yield
        finally:
            if file.writable():
                with suppress(OSError):
                    os.ftruncate(file.fileno(), 0)  # this process may live on: it does not hold the lock any more


def holder() -> Holder | None:
    """Return what holds the lock, as the lock file says; None if nothing does, or if that is not known.

    It does not try the lock, which could keep a benchmark from getting it.
    """
    try:
        with os.fdopen(os.open(_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "r") as file:
            found = Holder(**json.loads(file.read(10_000)))
        alive = psutil.Process(found.pid).create_time() <= found.since_s
    except (OSError, ValueError, TypeError, OverflowError, psutil.Error):
        return None
    return found if alive else None


def _path() -> Path:
    return Path(tempfile.gettempdir()) / "iolab-bench.lock"


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> TextIO:
    """Open the lock file, which any user may have created: a read-only file can be locked, too."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        return os.fdopen(descriptor, "r+")
    except PermissionError:
        try:
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "r")
        except OSError as error:
            raise UsageError(f"the lock file {path} cannot be opened ({error.strerror}): remove it") from error
    except OSError as error:
        raise UsageError(f"the lock file {path} cannot be opened ({error.strerror}): remove it") from error


def _told(file: TextIO) -> str:
    """Return what the lock file says of its holder, which it may have written a moment ago or in another version."""
    try:
        file.seek(0)
        found = Holder(**json.loads(file.read()))
        if not psutil.pid_exists(found.pid):
            return "of another user"
        passed_s = max(0.0, time.time() - found.since_s)
        parts = [*filter(None, [str(found.what)]), f"pid {found.pid}", f"for {passed_s:.0f} s"]
        if found.expected_s is not None:
            parts.append(f"about {max(0.0, found.expected_s - passed_s):.0f} s more")
    except (ValueError, TypeError, OverflowError):
        return "of another user"
    return ", ".join(parts)
