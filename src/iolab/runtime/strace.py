"""Checks whether programs can be traced on this machine; an error says in one line what is missing."""

import re
import shutil
from functools import cache

from iolab.errors import UsageError
from iolab.host import machine
from iolab.host.machine import YAMA, Machine
from iolab.host.processes import last_lines, run

TRY_LIMIT_S = 20.0
_REFUSED = re.compile(r"ptrace|PTRACE", re.ASCII)
_NO_CALL = re.compile(r"Function not implemented|ENOSYS|Input/output error")
EMULATED = "the image is emulated for another processor: build and run it without --platform"
IMAGE_S = "give the container the capability SYS_PTRACE (cap_add in docker-compose.yml), or ask its administrator"


def check_strace() -> None:
    """Raise UsageError if strace is not installed or not allowed."""
    if why := refusal(machine.read()):
        raise UsageError(why)


def refusal(place: Machine) -> str:
    """Try strace, and return why it cannot trace here, with the remedy; "" if it can."""
    if shutil.which("strace") is None:
        return missing(place)
    said = _tried()
    if said is None:
        return ""
    return explain(said, remedy(place)) or f"strace does not work on this machine: {said}"


@cache
def _tried() -> str | None:
    tried = run(["strace", "-f", "-o", "/dev/null", "true"], timeout_s=TRY_LIMIT_S)
    return None if tried.status == 0 else last_lines(tried.stderr, otherwise="it printed nothing")


def missing(place: Machine) -> str:
    """Return what to do where there is no strace."""
    if place.system != "Linux":
        return "strace exists on Linux only: use Docker (RUNTIME=docker), or a codespace (docs/codespaces.md)"
    return "strace is not installed: install it (sudo apt install strace, or with dnf on Fedora)"


def remedy(place: Machine) -> str:
    """Return what to do where the kernel refuses ptrace (man 2 ptrace)."""
    scope = place.ptrace_scope or 0
    if scope >= 3:
        return f"{YAMA} is {scope} until the machine restarts: set it to 1 in /etc/sysctl.d, and restart"
    if place.codespace:
        return "rebuild the container of this codespace (Command Palette: Codespaces: Rebuild Container)"
    if place.container:
        return "start the container with --cap-add SYS_PTRACE --security-opt seccomp=unconfined"
    if scope == 2:
        return f"{YAMA} is 2: sudo sysctl {YAMA}=1"
    if place.wsl == 1:
        return "WSL 1 has no ptrace of its own: convert it in PowerShell (wsl --set-version NAME 2)"
    return "a seccomp profile or a sandbox forbids it: use another shell, or Docker (RUNTIME=docker)"


def explain(text: str, otherwise: str = IMAGE_S) -> str | None:
    """Return why strace was refused, with its own message and the remedy; None if `text` is about something else.

    `otherwise` is the remedy where the kernel has ptrace: by default, that of the lab's images.
    """
    lines = [line.strip() for line in text.splitlines() if "strace" in line and _REFUSED.search(line)]
    if not lines:
        return None
    said = lines[-1]
    return f"strace was refused ({said}): {EMULATED if _NO_CALL.search(said) else otherwise}"
