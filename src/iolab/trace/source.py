"""Opens a log: a file, a .gz, standard input."""

import gzip
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

from iolab.errors import UsageError
from iolab.trace.lines import Lines

GZIP_MAGIC = b"\x1f\x8b"


class _Unpacked:
    """A .gz that returns all it can: read() of one that was cut short raises, and what it had unpacked is lost."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self.read = file.read1


@contextmanager
def open_log(path: Path) -> Iterator[Lines]:
    """Yield the lines of a log, packed or not; `-` is standard input. A log that grows is read up to its present size.

    Raises UsageError where there is no such file or it may not be read.
    """
    if str(path) == "-":
        given = sys.stdin.buffer
        packed = isinstance(given, BufferedReader) and given.peek(2)[:2] == GZIP_MAGIC
        yield Lines(_Unpacked(gzip.GzipFile(fileobj=given)) if packed else given)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            magic = file.peek(2)[:2] if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        except FileNotFoundError:
            raise UsageError(
                f"no such log: {path}; start the app under strace with `make up`, or use `make trace CLICK=1`"
            ) from None
        except IsADirectoryError:
            raise UsageError(f"{path} is a folder: give the log in it, such as log_streamlit.txt") from None
        except PermissionError:
            raise UsageError(
                f"{path} may not be read by this user: make yourself its owner (sudo chown {os.getuid()} {path})"
            ) from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        size = os.fstat(file.fileno()).st_size
        if magic == GZIP_MAGIC:
            yield Lines(_Unpacked(stack.enter_context(gzip.GzipFile(fileobj=file))))
        else:
            yield Lines(file, limit_bytes=size if magic else None)
