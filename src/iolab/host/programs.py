"""Programs on PATH: a name alone does not say that it is the program."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence

LIMIT_S = 5.0
USAGE = "Usage: hey [options...] <url>"


def local_command(command: Sequence[str]) -> list[str]:
    """Return a container's command as a local one: with this interpreter."""
    program, *arguments = command
    return [sys.executable if program == "python3" else program, *arguments]


def hey() -> tuple[str, bool]:
    """Return the path of `hey`, "" if there is none, and whether it is https://github.com/rakyll/hey, by its usage."""
    path = shutil.which("hey") or ""
    return path, bool(path) and _shows_the_usage(path)


@functools.cache
def _shows_the_usage(path: str) -> bool:
    try:
        said = subprocess.run([path, "-h"], capture_output=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return USAGE.encode() in said.stdout + said.stderr
