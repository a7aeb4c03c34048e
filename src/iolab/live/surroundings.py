"""What doctor says about the kind of machine: codespace, WSL, processor, and whether strace may trace here."""

import shlex
from pathlib import Path

from iolab.host.machine import Machine, on_windows_disk

Row = tuple[bool | None, str, str]


def rows(place: Machine, folder: Path, refused: str) -> list[Row]:
    """Return a row for each thing that is particular here; `refused` is why strace cannot trace, "" if it can."""
    return [*_codespace(place), *_wsl(place, folder), *_processor(place), _ptrace(refused)]


def _codespace(place: Machine) -> list[Row]:
    if not place.codespace:
        return []
    name = place.variables.get("CODESPACE_NAME", "")
    return [(True, "Codespaces", f"{name}: the PORTS tab has the pages; stop the codespace when you are done")]


def _wsl(place: Machine, folder: Path) -> list[Row]:
    if place.wsl is None or place.container:  # Docker on Windows runs containers on the kernel of WSL
        return []
    if place.wsl == 1:
        fix = "convert it in PowerShell: wsl --set-version NAME 2 (wsl --list shows NAME)"
        return [(False, "WSL1", f"it has no Linux kernel, so neither epoll nor strace is the real one: {fix}")]
    if on_windows_disk(folder):
        fix = f"copy it into the Linux file system: cp -r {shlex.quote(str(folder))} ~/"
        return [(False, "WSL2", f"this folder is on the disk of Windows ({folder}), which is slow: {fix}")]
    return [(True, "WSL2", "this folder is in the Linux file system")]


def _processor(place: Machine) -> list[Row]:
    if not place.arm64:
        return []
    return [(True, "processor", "arm64: it has no epoll_wait system call, so traces show epoll_pwait")]


def _ptrace(refused: str) -> Row:
    return (False, "strace", refused) if refused else (True, "strace", "it can trace here (tried)")
