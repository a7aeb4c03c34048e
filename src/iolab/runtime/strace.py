"""May programs be traced here? Says what is missing in one line."""

import re
import shutil
from functools import cache

from iolab.errors import UsageError
from iolab.host.processes import last_lines, run

_REFUSED = re.compile(r"ptrace|PTRACE", re.ASCII)
_NO_CALL = re.compile(r"Function not implemented|ENOSYS|Input/output error")


def check_strace() -> None:
    """Raise UsageError where strace is not installed, or may not trace."""
    if shutil.which("strace") is None:
        raise UsageError(
            "strace is not installed: install it (apt install strace, dnf install strace), or use Docker with"
            " RUNTIME=docker; it exists on Linux only"
        )
    said = _tried()
    if said is not None:
        raise UsageError(explain(said) or f"strace does not work here: {said}")


@cache
def _tried() -> str | None:
    tried = run(["strace", "-f", "-o", "/dev/null", "true"], timeout_s=20)
    return None if tried.status == 0 else last_lines(tried.stderr, otherwise="it says nothing")


def explain(text: str) -> str | None:
    """Return why strace was refused, in its own words, and the remedy; None where `text` is about something else."""
    lines = [line.strip() for line in text.splitlines() if "strace" in line and _REFUSED.search(line)]
    if not lines:
        return None
    said = lines[-1]
    if _NO_CALL.search(said):
        remedy = "the image is emulated for another processor: build and run it for this machine's own (no --platform)"
    else:
        remedy = "give the container the capability SYS_PTRACE (docker-compose.yml has it: cap_add), or ask who runs it"
    return f"strace was refused ({said}): {remedy}"
