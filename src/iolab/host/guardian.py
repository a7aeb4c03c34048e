"""Ends what the lab has started if the lab itself is killed, which then can stop nothing.

A small process reads from a pipe which process groups run, and which temporary folders exist. The pipe ends when the
lab does, however that happens: what is still on the list is ended and removed. It needs only the standard library,
because it is started as a script.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

GRACE_S = 3.0
POLL_S = 0.05


class Guardian:
    """The end of the pipe in the lab; the process is started with the first word that it must know."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._listed: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, what: str) -> None:
        """Send a line: + or - and `group NUMBER` or `folder PATH`. Without the process, the lab goes on unguarded."""
        with self._lock, suppress(OSError):
            self._listed.add(what[1:]) if what.startswith("+") else self._listed.discard(what[1:])
            if self._process is None or self._process.poll() is not None:
                if not self._listed:
                    return
                self._start()
                what = "\n".join(f"+{each}" for each in self._listed)
            pipe = self._process and self._process.stdin
            if pipe:
                pipe.write(os.fsencode(what) + b"\n")
                pipe.flush()

    def _start(self) -> None:
        command = [sys.executable, "-ISs", __file__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        atexit.register(self.end, self._process)

    @staticmethod
    def end(process: "subprocess.Popen[bytes]") -> None:
        """Let a process end: nothing is on its list any more, or it is ended now."""
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(3 * GRACE_S)


GUARDIAN = Guardian()


def main() -> None:
    """Read the list until the pipe ends, then end and remove what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listed: set[bytes] = set()
    for line in sys.stdin.buffer:
        what = line[1:].strip()
        listed.add(what) if line.startswith(b"+") else listed.discard(what)
    groups = {int(what.split()[1]) for what in listed if what.startswith(b"group ")}
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = {group for group in groups if _signalled(group, number)}
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(_signalled(group, 0) for group in groups):
            time.sleep(POLL_S)
    for what in listed:
        if what.startswith(b"folder "):
            shutil.rmtree(what.removeprefix(b"folder "), ignore_errors=True)


def _signalled(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
