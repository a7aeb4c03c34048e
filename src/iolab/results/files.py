"""Reads and writes files of folders that any user may have made: never through a link, never without a bound."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iolab.errors import UsageError

WATCHED, PROGRESS = ".watched", ".progress.json"  # in the folder of a run that a page follows
UNFINISHED = ".writing-"  # and the number of its process: the name of a file until it is whole
MOST_BYTES = 128 << 20  # of a file that is read as a whole; ten thousand trials take a tenth of it


def read(path: Path) -> bytes:
    """Return the content of a file; raises FileNotFoundError, and UsageError for a link, a pipe, or a huge file."""
    check_regular(path)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MiB: it is no file of a run")
    return content


def check_regular(path: Path) -> None:
    """Raise UsageError for what is no plain file, such as a link, which could lead anywhere, or a pipe, which waits."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is {_what(found.st_mode)}, not a file: take the run from a copy, or measure again")
    if found.st_size > MOST_BYTES:
        raise UsageError(f"{path} has {found.st_size >> 20} MiB, more than {MOST_BYTES >> 20}: it is no file of a run")


def check_folder(path: Path) -> None:
    """Raise UsageError where a folder that is written to is a link, or no folder."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is {_what(found.st_mode)}, not a folder: remove it, or write to another folder")


def _what(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "a pipe or a device"


def write(path: Path, content: bytes) -> None:
    """Write a new file, completely or not at all; it replaces one of that name, also a link, but not its target."""
    check_folder(path.parent)
    with _naming(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{UNFINISHED}{os.getpid()}-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def sweep(folder: Path) -> None:
    """Remove the files that a process was writing when it was killed; those of a running process stay."""
    with suppress(OSError):
        for path in folder.glob(f"{UNFINISHED}*-*"):
            number = path.name.removeprefix(UNFINISHED).partition("-")[0]
            if number.isdecimal() and not _runs(int(number)):
                path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of the system: that of a full disk has no name, others name the unfinished file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def append(path: Path, content: bytes) -> None:
    """Append to a file, which is created if it is not there; the content is on disk when this returns."""
    if path.is_symlink() or path.exists():
        check_regular(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _naming(path), os.fdopen(os.open(path, flags, 0o644), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
