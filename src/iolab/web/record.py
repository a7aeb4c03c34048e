"""Which process serves the page of a lab's folder: `make down` ends it, and a second one is refused."""

import hashlib
import json
import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from iolab.results import files

GRACE_S = 25.0  # an experiment that it runs ends first, with its report
POLL_S = 0.1


@dataclass(frozen=True)
class Serving:
    """A process that serves the page: its id, when it began (seconds of the epoch), and the page's address."""

    pid: int
    since_s: float
    url: str


def path(root: Path) -> Path:
    """Return where the record of a lab's folder is."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"iolab-page-{os.getuid()}-{name}.json"


def write(root: Path, url: str) -> None:
    """Record that this process serves the page."""
    own = psutil.Process()
    files.write(path(root), json.dumps(asdict(Serving(own.pid, own.create_time(), url))).encode())


def remove(root: Path) -> None:
    """Remove the record of this process."""
    found = serving(root)
    if found and found.pid == os.getpid():
        path(root).unlink(missing_ok=True)


def serving(root: Path) -> Serving | None:
    """Return the process that serves the page now; None if there is none."""
    try:
        record = path(root)
        if record.lstat().st_uid != os.getuid():
            return None
        found = Serving(**json.loads(files.read(record)))
        return found if abs(psutil.Process(found.pid).create_time() - found.since_s) < 1 else None
    except (OSError, ValueError, TypeError, psutil.Error):
        return None


def end(root: Path) -> bool:
    """End the process that serves the page; return whether there was one."""
    found = serving(root)
    if not found:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(found.pid, number)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and serving(root):
            with suppress(ChildProcessError):
                os.waitpid(found.pid, os.WNOHANG)  # of `make up` itself, if that failed
            time.sleep(POLL_S)
        if not serving(root):
            break
    path(root).unlink(missing_ok=True)
    return True
