"""What a test may need beyond Python and make, whether it is here, and what to do where it is not.

`@pytest.mark.needs("strace")` skips a test where there is none, in one line for all such tests. `IOLAB_REQUIRE=all`, or
a list such as `docker,strace`, makes that a failure: the gate sets it. The name of a model stands for what its server
needs as a local process.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from iolab.errors import EngineMissing
from iolab.host import limits
from iolab.host.programs import lacking
from iolab.lab import Lab
from iolab.runtime.compose import find_engine
from iolab.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str | None:
    """Return the path of Debian's Chromium, or of whichever there is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _engine() -> str | None:
    try:
        find_engine()
    except EngineMissing as missing:
        return str(missing)
    return None


def _compose() -> str | None:
    """It reads files without an engine."""
    found = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    return None if found and found.returncode == 0 else "Docker Compose is not installed"


def _swarm() -> str | None:
    if os.environ.get("IOLAB_SWARM") != "1":
        return "IOLAB_SWARM=1 allows to make a swarm of this engine for a minute"
    state = ["docker", "info", "--format", "{{.Swarm.LocalNodeState}}"]
    found = subprocess.run(state, capture_output=True, text=True, check=False).stdout.strip()
    return None if found == "inactive" else "the engine is in a swarm already, which is left alone"


def _bridge() -> str | None:
    shown = subprocess.run(["ip", "link", "show", "docker0"], capture_output=True, check=False)
    return None if shown.returncode == 0 else "the engine runs in a virtual machine: this one has no docker0"


def _engine_here() -> str | None:
    return (
        None if limits.read().engine_files else "the engine is not a process of this machine: its limits are not known"
    )


def _mounts() -> bool:
    if not shutil.which("unshare"):
        return False
    mounting = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(mounting, capture_output=True, check=False).returncode == 0


def _program(name: str, package: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"{name} is not installed (Debian: apt install {package})"


def _server(service: Service) -> Callable[[], str | None]:
    return lambda: lacking(service) or None


def _when(is_so: bool, otherwise: str) -> Callable[[], str | None]:
    return lambda: None if is_so else otherwise


CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

# Each returns why what is needed is not here; None where it is.
NEEDS: Mapping[str, Callable[[], str | None]] = {
    **{model.name: _server(model.service) for model in Lab.read_defaults(Path(__file__).parents[1]).family},
    "docker": _engine,
    "engine here": _engine_here,
    "compose": _compose,
    "swarm": _swarm,
    "bridge": _bridge,
    "strace": _program("strace", "strace"),
    "hey": _program("hey", "hey"),
    "ss": _program("ss", "iproute2"),
    "browser": lambda: None if browser() else "there is no Chromium (Debian: apt install chromium)",
    "hosts": lambda: (
        None if ROOT and shutil.which("ip") else "hosts are network namespaces: only root makes them, by ip"
    ),
    "mounts": lambda: (
        None if ROOT and _mounts() else "only root mounts a small disk, in a namespace of its own (unshare)"
    ),
    "linux": _when(sys.platform == "linux", "only Linux has /proc"),
    "cores": _when(len(CORES) > 1, "this machine has one core"),
    "affinity": _when(hasattr(os, "sched_setaffinity"), "this platform cannot keep a process on a core"),
}


@functools.cache
def missing(name: str) -> str | None:
    """Return why what a test needs is not here; None where it is."""
    return NEEDS[name]()


def required(name: str) -> bool:
    """Say whether a test that cannot have it fails."""
    wanted = os.environ.get("IOLAB_REQUIRE", "").split(",")
    return "all" in wanted or name in wanted
