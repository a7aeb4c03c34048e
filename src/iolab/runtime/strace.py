"""Checks whether programs can be traced on this machine; an error says in one line what is missing."""

import re
import shutil
from functools import cache

from iolab.errors import UsageError
from iolab.host.processes import last_lines, run

_REFUSED = re.compile(r"ptrace|PTRACE", re.ASCII)
_NO_CALL = re.compile(r"Function not implemented|ENOSYS|Input/output error")


def check_strace() -> None:
    """Raise UsageError if strace is not installed or not allowed."""
    if shutil.which("strace") is None:
        raise UsageError(
            "strace is not installed: install it (apt install strace, dnf install strace), or use Docker with"
            " RUNTIME=docker; it exists on Linux only"
        )
    said = _tried()
    if said is not None:
        raise UsageError(explain(said) or f"strace does not work on this machine: {said}")


@cache
def _tried() -> str | None:
    tried = run(["strace", "-f", "-o", "/dev/null", "true"], timeout_s=20)
    return None if tried.status == 0 else last_lines(tried.stderr, otherwise="it printed nothing")


def explain(text: str) -> str | None:
    """Return why strace was refused, with its own message and the remedy; None if `text` is about something else."""
    lines = [line.strip() for line in text.splitlines() if "strace" in line and _REFUSED.search(line)]
    if not lines:
        return None
    said = lines[-1]
    if _NO_CALL.search(said):
        remedy = "the image is emulated for another processor: build and run it without --platform"
    else:
        remedy = (
            "give the container the capability SYS_PTRACE (cap_add in docker-compose.yml), or ask its administrator"
        )
    return f"strace was refused ({said}): {remedy}"
