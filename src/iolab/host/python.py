"""Which Python computes: its full version with its build, and whether its interpreter lock (GIL) is on."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from iolab.host.processes import run

# Typed into an interpreter, of this machine or of an image: Python before 3.13 always has the lock.
ASK = "import json, sys; print(json.dumps([sys.version, getattr(sys, '_is_gil_enabled', lambda: True)()]))"
LIMIT_S = 20.0


class Python(NamedTuple):
    """`version` is sys.version in one line, `gil` whether the interpreter lock is on."""

    version: str
    gil: bool


def here() -> Python:
    """Return the Python that runs the lab."""
    return told(json.dumps([sys.version, getattr(sys, "_is_gil_enabled", lambda: True)()])) or Python(sys.version, True)


def of_servers() -> Python | None:
    """Return the Python that local servers are started with, as they are: without the variables of Python."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        return told(run([sys.executable, "-c", ASK], env=environment, timeout_s=LIMIT_S).stdout)
    except (OSError, subprocess.TimeoutExpired):
        return None


def told(answer: str) -> Python | None:
    """Return what an interpreter has answered to ASK; None if that is something else."""
    try:
        version, gil = json.loads(answer)
    except (ValueError, TypeError):
        return None
    return Python(" ".join(str(version).split()), gil) if isinstance(gil, bool) else None
