"""What kind of machine this is: a codespace, WSL, a container, its processor."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iolab.host import proc

CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # Docker's, Podman's
YAMA = "kernel.yama.ptrace_scope"  # man 2 ptrace: 0 and 1 allow children, 2 needs CAP_SYS_PTRACE, 3 nothing


@dataclass(frozen=True)
class Machine:
    """`kernel` is the text of /proc/version, `ptrace_scope` Yama's setting, which is None where there is no Yama."""

    variables: Mapping[str, str] = field(default_factory=dict)
    system: str = "Linux"
    kernel: str = ""
    processor: str = "x86_64"
    container: bool = False
    ptrace_scope: int | None = None

    @property
    def codespace(self) -> bool:
        """Whether this is a codespace."""
        return self.variables.get("CODESPACES") == "true"

    @property
    def wsl(self) -> int | None:
        """The version of the Windows Subsystem for Linux; None elsewhere."""
        if "microsoft" not in self.kernel.lower():
            return None
        return 2 if "microsoft" in self.kernel or "WSL2" in self.kernel else 1  # "4.4.0-19041-Microsoft" is version 1

    @property
    def arm64(self) -> bool:
        """Whether the processor is a 64-bit ARM."""
        return self.processor in ("aarch64", "arm64")


def read() -> Machine:
    """Return what this machine is."""
    return Machine(
        variables=os.environ,
        system=platform.system(),
        kernel=proc.text(proc.PROC / "version"),
        processor=platform.machine(),
        container=any(mark.exists() for mark in CONTAINER_MARKS),
        ptrace_scope=proc.number(proc.setting_path(YAMA)),
    )


def on_windows_disk(folder: Path) -> bool:
    """Say whether WSL shows a folder of Windows under this path, such as /mnt/c/Users."""
    return bool(re.match(r"/mnt/[a-z](/|$)", str(folder)))
