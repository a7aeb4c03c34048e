"""Facts about the machine and the versions in use, without names of users or hosts."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import iolab
from iolab.host import proc, python
from iolab.host.python import Python
from iolab.lab import Model
from iolab.results.run_info import GIL_OF_SERVERS


def facts(
    models: Sequence[Model], runtime: str, runtime_facts: Mapping[str, Any], servers: Mapping[str, Python]
) -> dict[str, Any]:
    """Return the facts about this machine, in the order in which a report shows them.

    `servers` is the Python of each service, as far as it is known.
    """
    mine = python.here()
    found: dict[str, Any] = {
        "iolab": iolab.__version__,
        "cpu": proc.fields(proc.text(proc.PROC / "cpuinfo")).get("model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": proc.text(proc.SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "python of the lab": mine.version,
        "GIL of the lab": mine.gil,
        "python of the servers": {name: each.version for name, each in servers.items()},
        GIL_OF_SERVERS: {name: each.gil for name, each in servers.items()},
        **runtime_facts,
        "packages": _packages(models, installed=runtime == "local"),
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _packages(models: Sequence[Model], *, installed: bool) -> dict[str, str]:
    """Return the servers' libraries: as installed here for local processes, as pinned for images."""
    pinned: dict[str, str] = {}
    for model in models:
        script = (model.service.folder or Path()).joinpath(*model.service.command[-1:])
        wanted = script.parent.glob("requirements*.in")
        for line in "\n".join(each.read_text(encoding="utf-8") for each in wanted).splitlines():
            if match := re.match(r"([\w.-]+)==([\w.]+)", line):
                pinned[match[1]] = _installed(match[1]) if installed else match[2]
    return pinned


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
