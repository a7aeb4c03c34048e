"""One benchmark at a time on a machine: two would measure each other."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iolab.errors import UsageError


@contextmanager
def only_bench() -> Iterator[None]:
    """Hold the machine's benchmark lock; raises UsageError with the holder's pid where another has it.

    The kernel gives the lock back when its holder ends, however that happens.
    """
    path = Path(tempfile.gettempdir()) / f"iolab-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise UsageError(f"another benchmark is running (pid {holder}): wait for its end, or stop it") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
