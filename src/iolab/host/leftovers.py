"""Finds what a killed lab has left: its guardian (guardian.py) ends and removes that, unless it was killed, too.

Each program that the lab starts has an environment variable that identifies the lab's process, and each temporary
folder is locked while the lab runs. So what belongs to a lab that has ended is known, and only that is ended.
"""

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from iolab.host import proc

OWNER = "IOLAB_OWNER"  # of a program: the lab that started it
FOLDER = "iolab-run-"  # names of temporary folders begin with it
YOUNG_S = 30.0  # a new folder may not be locked yet
GRACE_S = 3.0
POLL_S = 0.02
CLOCK_S = 60.0  # the start of a process is told in the time of a clock that may have been set since


def owner() -> str:
    """Return what identifies this process: its namespace, its number, and when it started."""
    return f"{proc.pid_namespace()} {os.getpid()} {psutil.Process().create_time():.0f}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder of this process; the kernel releases it when the process ends, however that happens."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks: the folder is never taken for a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def end() -> int:
    """End the programs that killed labs of this user have left, remove their folders; return how many programs."""
    orphans = [process for process in psutil.process_iter() if _is_orphan(process)]
    running = orphans
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in running:
            with suppress(psutil.Error):  # also if another process has its number now
                process.send_signal(number)
        deadline = time.monotonic() + GRACE_S
        while (running := [each for each in running if _is_alive(each)]) and time.monotonic() < deadline:
            time.sleep(POLL_S)
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        _remove(folder)
    return len(orphans)


def _is_alive(process: psutil.Process) -> bool:
    """Say whether it still runs. One that has ended may stay in the table for as long as its new parent likes."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _is_orphan(process: psutil.Process) -> bool:
    """Say whether a lab of this user has started the process, and has ended."""
    with suppress(psutil.Error, OSError, ValueError):
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        namespace, pid, started = process.environ().get(OWNER, "").rsplit(" ", 2)
        return namespace == proc.pid_namespace() and not _runs(int(pid), float(started))
    return False


def _runs(pid: int, started: float) -> bool:
    try:
        found = psutil.Process(pid)
        return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - started) < CLOCK_S
    except psutil.NoSuchProcess:
        return False


def _remove(folder: Path) -> None:
    """Remove a folder of this user that no lab has locked."""
    with suppress(OSError):
        found = folder.lstat()
        mine = folder.is_dir() and not folder.is_symlink() and found.st_uid == os.getuid()
        if not mine or time.time() - found.st_mtime < YOUNG_S:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
