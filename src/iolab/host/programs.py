"""Programs on PATH: a name alone does not say that it is the program."""

import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from iolab.errors import UsageError
from iolab.service import Service

PYTHON = "python3"
PACKAGE = "iolab.package"  # label; of Python, that is not in the lab's own environment
GO = "iolab.go"  # label; the file that its program is compiled from
COMPILED = Path(sys.prefix) / "share" / "iolab"  # compiled programs, each with its source's digest in its name
COMPILE_LIMIT_S = 300.0  # the first time, the compiler makes its standard library, too
LIMIT_S = 5.0
USAGE = "Usage: hey [options...] <url>"


def local_command(command: Sequence[str]) -> list[str]:
    """Return a container's command as a local one: with this interpreter."""
    program, *arguments = command
    return [sys.executable if is_python(command) else program, *arguments]


def source(service: Service) -> Path:
    """Return the file that a student reads: the program, or what it is compiled from."""
    return (service.folder or Path()) / service.labels.get(GO, service.command[-1])


def own_command(service: Service) -> list[str]:
    """Return a service's command as a local one; a program that is compiled is compiled first, once for each source.

    Raises UsageError if it cannot be compiled.
    """
    if GO not in service.labels:
        return local_command(service.command)
    text = source(service)
    try:
        program = COMPILED / f"{text.stem}-{hashlib.sha256(text.read_bytes()).hexdigest()[:12]}"
        if not program.exists():
            _compile(text, program)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{text.name} cannot be compiled: {error}: use Docker (RUNTIME=docker)") from error
    return [str(program), *service.command[1:]]


def _compile(text: Path, program: Path) -> None:
    """Compile a file of Go, without the C library, as its image does."""
    program.parent.mkdir(parents=True, exist_ok=True)
    partial = program.with_name(f"{program.name}.{os.getpid()}.part")
    try:
        done = subprocess.run(
            ["go", "build", "-trimpath", "-o", str(partial), text.name],
            cwd=text.parent, env={**os.environ, "CGO_ENABLED": "0"}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=COMPILE_LIMIT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise UsageError(f"{text.name} cannot be compiled: {' '.join(done.stderr.split())[:300]}")
        partial.replace(program)
    finally:
        partial.unlink(missing_ok=True)


def is_python(command: Sequence[str]) -> bool:
    """Return whether a container's command starts a program of Python."""
    return command[0] == PYTHON


def lacking(service: Service) -> str:
    """Return what a local run of a service lacks, and what to do: a program, or a package of Python; else ""."""
    program, package = local_command(service.command)[0], service.labels.get(PACKAGE)
    if GO in service.labels:
        return "" if shutil.which("go") else "needs the program go: install it (Debian: golang-go), or use Docker"
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
