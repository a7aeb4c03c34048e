"""Programs on PATH: a name alone does not say that it is the program."""

import functools
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence

from iolab.service import Service

PYTHON = "python3"
PACKAGE = "iolab.package"  # label; of Python, that is not in the lab's own environment
LIMIT_S = 5.0
USAGE = "Usage: hey [options...] <url>"


def local_command(command: Sequence[str]) -> list[str]:
    """Return a container's command as a local one: with this interpreter."""
    program, *arguments = command
    return [sys.executable if is_python(command) else program, *arguments]


def is_python(command: Sequence[str]) -> bool:
    """Return whether a container's command starts a program of Python."""
    return command[0] == PYTHON


def lacking(service: Service) -> str:
    """Return what a local run of a service lacks, and what to do: a program, or a package of Python; else ""."""
    program, package = local_command(service.command)[0], service.labels.get(PACKAGE)
    if not shutil.which(program):
        return f"needs the program {program}: install it, or use Docker"
    if package and service.folder and importlib.util.find_spec(package) is None:
        (pinned,) = service.folder.glob("requirements*.txt")
        file = pinned.relative_to(service.folder.parents[1])
        return f"needs the package {package}: .venv/bin/pip install --require-hashes -r {file}, or use Docker"
    return ""


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
