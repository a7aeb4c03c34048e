"""Reads a container's use of resources from the files of its control group, v1 or v2: exactly, and at once.

The Engine's API answers about once a second (measured with Engine 20.10: 4 ms for the first request, 1 s for each
later one), too slow for a trial of 0.3 s. So the files are read directly if the engine runs on this host, and
otherwise by a shell in the container that runs as long as the server.
"""

import os
import select
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from iolab.host import proc as kernel
from iolab.host import processes
from iolab.host.proc import GROUPS, PROC
from iolab.runtime import Denials, Snapshot

FILES = (  # relative to /sys/fs/cgroup; a machine has those of v1 or those of v2
    "cpu.stat",
    "memory.stat",
    "pids.current",
    "cpu/cpu.stat",
    "cpuacct/cpuacct.usage",
    "memory/memory.stat",
    "pids/pids.current",
)
EVENTS = ("pids.events", "memory.events", "pids/pids.events", "memory/memory.oom_control")
NETSTAT = "net/netstat"
END = "== end"
ANSWER_LIMIT_S = 10.0
# Builtins only: starting `cat` would cost more of the server's CPU, and count among its tasks.
SCRIPT = f"""
while read -r wanted; do
  case $wanted in
    group) set -- {" ".join(f"{GROUPS}/{name}" for name in FILES)};;
    events) set -- {" ".join(f"{GROUPS}/{name}" for name in EVENTS)};;
    *) set -- {PROC}/{NETSTAT};;
  esac
  for f; do
    if [ -r "$f" ]; then echo "== ${{f##*/}}"; while IFS= read -r line; do echo "$line"; done <"$f"; fi
  done
  echo '{END}'
done
"""


class Watch(Protocol):
    """Something that can read a container's files; `tasks` of the container are not the server's.

    `every_s` is how often it may be read while the server is under load.
    """

    tasks: int
    every_s: float

    def group(self) -> Mapping[str, str]:
        """Return the control group's files, by name without folders; raises OSError when the container has ended."""

    def events(self) -> Mapping[str, str]:
        """Return the files that count what the group was denied; raises OSError when the container has ended."""

    def pids(self) -> Sequence[int]:
        """Return the pids of the server's processes on this host; an empty list if this host cannot see them.

        Raises OSError when the container has ended.
        """

    def netstat(self) -> str:
        """Return /proc/net/netstat of its network namespace; raises OSError when the container has ended."""

    def close(self) -> None:
        """Stop watching."""


class HostWatch:
    """Reads the files on this host, which costs the server nothing."""

    tasks = 1  # docker-init
    every_s = 0.1

    def __init__(self, files: Mapping[str, Path], netstat: Path, init: int | None = None) -> None:
        self._files, self._netstat, self._init = files, netstat, init

    @classmethod
    def find(cls, container_id: str, pid: int, proc: Path = PROC, mount: Path = GROUPS) -> "HostWatch | None":
        """Return a watch if `pid` is the container's first process on this host and its files can be read."""
        groups = kernel.groups(pid, proc)
        if not any(container_id in path for path in groups.values()):
            return None  # the engine runs elsewhere, say in a virtual machine, and the pid is another process here
        files = {}
        for name in (*FILES, *EVENTS, "cgroup.procs", "pids/cgroup.procs"):
            controller, _, file = name.rpartition("/")
            path = mount / controller / groups.get(controller, "/nowhere").lstrip("/") / file
            if path.is_file():
                files[file] = path
        return cls(files, proc / str(pid) / NETSTAT, pid) if "cpu.stat" in files else None

    def group(self) -> Mapping[str, str]:
        """Read them."""
        return self._read(FILES)

    def events(self) -> Mapping[str, str]:
        """Read them."""
        return self._read(EVENTS)

    def pids(self) -> Sequence[int]:
        """Read them; the container's first process is docker-init."""
        found = self._read(("cgroup.procs",)).get("cgroup.procs", "")
        return [int(pid) for pid in found.split() if int(pid) != self._init]

    def netstat(self) -> str:
        """Read it."""
        return kernel.read(self._netstat)

    def close(self) -> None:
        """Do nothing: nothing was started."""

    def _read(self, names: Sequence[str]) -> dict[str, str]:
        wanted = {name.rpartition("/")[2] for name in names}
        return {name: kernel.read(path) for name, path in self._files.items() if name in wanted}


class ExecWatch:
    """Reads the files from inside the container, through a long-running shell.

    A reading takes about a millisecond of the container's CPU, so there is one a second.
    """

    tasks = 2  # docker-init and the shell
    every_s = 1.0

    def __init__(self, container_id: str) -> None:
        self._shell = processes.start(
            ["docker", "exec", "-i", container_id, "sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._asking = threading.Lock()  # the meter reads from a thread of its own

    def group(self) -> Mapping[str, str]:
        """Ask the shell for them."""
        return _texts(self._ask(b"group\n"))

    def events(self) -> Mapping[str, str]:
        """Ask the shell for them."""
        return _texts(self._ask(b"events\n"))

    def pids(self) -> Sequence[int]:
        """Return an empty list: this host cannot see them."""
        return ()

    def netstat(self) -> str:
        """Ask the shell for it."""
        return self._ask(b"net\n")

    def close(self) -> None:
        """Stop the shell: it ends with its input."""
        processes.stop(self._shell)

    def _ask(self, request: bytes) -> str:
        with self._asking:
            if not (self._shell.stdin and self._shell.stdout):
                raise OSError("the shell in the container has no pipes")
            self._shell.stdin.write(request)
            answer = b""
            while not answer.endswith(f"{END}\n".encode()):
                ready, _, _ = select.select([self._shell.stdout], [], [], ANSWER_LIMIT_S)
                part = os.read(self._shell.stdout.fileno(), 65536) if ready else b""
                if not part:
                    raise OSError("the shell in the container does not answer")
                answer += part
        return answer.decode("ascii", errors="replace").removesuffix(f"{END}\n")


def snapshot(texts: Mapping[str, str], tasks_of_others: int) -> Snapshot:
    """Return what the files say.

    Memory is anonymous memory and mapped files, as in RSS; the page cache, which the group's usage includes, is left
    out.
    """
    cpu, memory = kernel.pairs(texts.get("cpu.stat", "")), kernel.pairs(texts.get("memory.stat", ""))
    if "usage_usec" in cpu:
        used_s, throttled_s = cpu["usage_usec"] / 1e6, _scaled(cpu.get("throttled_usec"), 1e6)
        rss = memory["anon"] + memory["file_mapped"] if "anon" in memory else None
    elif "cpuacct.usage" in texts:
        used_s, throttled_s = int(texts["cpuacct.usage"]) / 1e9, _scaled(cpu.get("throttled_time"), 1e9)
        rss = memory["total_rss"] + memory["total_mapped_file"] if "total_rss" in memory else None
    else:
        return Snapshot()
    tasks = texts.get("pids.current")
    return Snapshot(used_s, throttled_s, int(tasks) - tasks_of_others if tasks else None, rss)


def denials(texts: Mapping[str, str]) -> Denials:
    """Return what the files of EVENTS say."""
    kills = {**kernel.pairs(texts.get("memory.oom_control", "")), **kernel.pairs(texts.get("memory.events", ""))}
    return Denials(tasks=kernel.pairs(texts.get("pids.events", "")).get("max"), kills=kills.get("oom_kill"))


def _texts(answer: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    name = ""
    for line in answer.splitlines(keepends=True):
        if line.startswith("== "):
            name = line[3:].strip()
            texts[name] = ""
        else:
            texts[name] += line
    return texts


def _scaled(value: int | None, parts: float) -> float | None:
    return None if value is None else value / parts
