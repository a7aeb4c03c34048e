"""One benchmark at a time on a machine: two would disturb each other."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import psutil

from iolab.errors import UsageError


@contextmanager
def only_bench() -> Iterator[None]:
    """Hold the machine's benchmark lock; raises UsageError with the holder's pid if another process has it.

    The kernel releases the lock when its holder ends, however that happens.
    """
    with _opened(Path(tempfile.gettempdir()) / "iolab-bench.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another benchmark is running ({_holder(file)}): wait until it ends, or stop it"
            ) from None
        if file.writable():
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield


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


def _holder(file: TextIO) -> str:
    text = file.read().strip()
    return f"pid {text}" if text.isdigit() and psutil.pid_exists(int(text)) else "of another user"
