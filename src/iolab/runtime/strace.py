"""Checks whether programs can be traced on this machine; an error says in one line what is missing."""

import re
import shutil
from functools import cache

from iolab.errors import UsageError
from iolab.host import machine
from iolab.host.machine import YAMA, Machine
from iolab.host.processes import last_lines, run

# As services/streamlit/traced.sh: all threads and processes, with times, durations, and what descriptors are.
OPTIONS = ("-f", "--seccomp-bpf", "-ttt", "-T", "-yy", "-s", "256")
# What the story of any server needs. strace refuses a name that its processor does not have, unless ? is before it.
CALLS = (
    "execve,clone,?clone3,?fork,?vfork,"
    "socket,socketpair,bind,listen,?accept,accept4,shutdown,close,dup,?dup2,dup3,fcntl,"
    "?epoll_create,epoll_create1,epoll_ctl,?epoll_wait,epoll_pwait,?epoll_pwait2,?poll,ppoll,?select,pselect6,"
    "?io_uring_setup,?io_uring_enter,?io_uring_register,"
    "read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg,?recvmmsg,?sendmmsg,?sendfile,?open,openat,?openat2"
)
TRY_LIMIT_S = 20.0
_REFUSED = re.compile(r"ptrace|PTRACE", re.ASCII)
_NO_CALL = re.compile(r"Function not implemented|ENOSYS|Input/output error")
DOCKER = "Docker (RUNTIME=docker)"
EMULATED = "the image is emulated for another processor: build and run it without --platform"
IMAGE_S = "give the container the capability SYS_PTRACE (cap_add in docker-compose.yml), or ask its administrator"


def check_strace(instead: str = DOCKER) -> None:
    """Raise UsageError if strace is not installed or not allowed; `instead` is what works where it cannot be."""
    if why := refusal(machine.read(), instead):
        raise UsageError(why)


def refusal(place: Machine, instead: str = DOCKER) -> str:
    """Try strace, and return why it cannot trace here, with the remedy; "" if it can."""
    if shutil.which("strace") is None:
        return missing(place, instead)
    said = _tried()
    if said is None:
        return ""
    return explain(said, remedy(place, instead)) or f"strace does not work on this machine: {said}"


@cache
def _tried() -> str | None:
    tried = run(["strace", "-f", "-o", "/dev/null", "true"], timeout_s=TRY_LIMIT_S)
    return None if tried.status == 0 else last_lines(tried.stderr, otherwise="it printed nothing")


def missing(place: Machine, instead: str = DOCKER) -> str:
    """Return what to do where there is no strace."""
    if place.system != "Linux":
        return f"strace exists on Linux only: use {instead}, or a codespace (docs/codespaces.md)"
    return "strace is not installed: install it (sudo apt install strace, or with dnf on Fedora)"


def remedy(place: Machine, instead: str = DOCKER) -> str:
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
    return f"a seccomp profile or a sandbox forbids it: use another shell, or {instead}"


def explain(text: str, otherwise: str = IMAGE_S) -> str | None:
    """Return why strace was refused, with its own message and the remedy; None if `text` is about something else.

    `otherwise` is the remedy where the kernel has ptrace: by default, that of the lab's images.
    """
    lines = [line.strip() for line in text.splitlines() if "strace" in line and _REFUSED.search(line)]
    if not lines:
        return None
    said = lines[-1]
    return f"strace was refused ({said}): {EMULATED if _NO_CALL.search(said) else otherwise}"
