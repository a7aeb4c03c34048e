"""What a test process may call its own: a number that it alone has while it lives, and names and ports made of it.

The number is a locked file. A process that was killed gives its lock back, and the next one that takes the number
removes what carries its names: nobody else can have made it. Nothing here is a fixed name, so runs of the suite can
stand beside each other.
"""

import fcntl
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SLOTS = 16
FIRST_PORT, PORTS_OF_A_SLOT = 10_000, 1_300  # below the ports that Linux gives to outgoing connections (32,768 on)
VARIABLE = "IOLAB_TEST_PROCESS"  # every child of a test process has it in its environment


@dataclass(frozen=True)
class Slot:
    """A number that this process alone has; `lock` keeps it until the process ends."""

    number: int
    token: str
    lock: int

    @property
    def name(self) -> str:
        """A prefix for Compose projects, containers and images."""
        return f"iolabtest{self.token}n{self.number:02d}"

    @property
    def short(self) -> str:
        """A prefix for network namespaces and interfaces, whose names have 15 characters at most."""
        return f"io{self.token}{self.number:x}"

    def give_back(self) -> None:
        """Let others take the number."""
        os.close(self.lock)

    def ports(self) -> Iterator[int]:
        """Yield the ports of this slot, one after the other, without end."""
        begin = FIRST_PORT + self.number * PORTS_OF_A_SLOT
        return itertools.cycle(range(begin, begin + PORTS_OF_A_SLOT))


def take(folder: Path | None = None) -> Slot:
    """Lock the first free number; raises RuntimeError where 16 processes have them all."""
    place = folder or Path(tempfile.gettempdir()) / f"iolab-tests-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    token = _token(place)
    for number in range(SLOTS):
        lock = os.open(place / str(number), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return Slot(number, token, lock)
    raise RuntimeError(f"{SLOTS} test processes run already: wait for one to end (see {place})")


def _token(place: Path) -> str:
    """Return what tells this folder's slots from those of another container on the same engine."""
    path, own = place / "token", place / f"token-{os.getpid()}"
    if not path.exists():
        own.write_text(secrets.token_hex(2))
        with suppress(FileExistsError):
            os.link(own, path)  # whole, or not at all: others read it at the same time
        own.unlink()
    return path.read_text()


def children_left(slot: Slot) -> list[psutil.Process]:
    """Return the processes that an earlier owner of this slot has started and left behind."""
    found, me = [], psutil.Process()
    mine = {me.pid, *(parent.pid for parent in me.parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in mine and process.environ().get(VARIABLE) == slot.name:
                found.append(process)
    return found


def remove_leftovers(slot: Slot) -> None:
    """Remove what an earlier owner of this slot, which was killed, has left: processes, hosts, containers, networks."""
    for process in children_left(slot):
        with suppress(psutil.Error):
            process.kill()
    if shutil.which("ip"):
        _remove_hosts(slot)
    if shutil.which("docker"):
        _remove_containers(slot)


def _remove_hosts(slot: Slot) -> None:
    for line in _said("ip", "-o", "link"):
        name = line.split(": ")[1].split("@")[0]
        if name.startswith(slot.short):
            _said("ip", "link", "del", name)
    for line in _said("ip", "netns", "list"):
        name = line.split()[0]
        if name.startswith(slot.short):
            _said("ip", "netns", "del", name)


def _remove_containers(slot: Slot) -> None:
    of_mine = ("--filter", f"name={slot.name}", "--format")
    for name in _said("docker", "ps", "-a", *of_mine, "{{.Names}}"):
        _said("docker", "rm", "-f", "-v", name)
    for name in _said("docker", "network", "ls", *of_mine, "{{.Name}}"):
        _said("docker", "network", "rm", name)
    for name in _said("docker", "image", "ls", "--filter", f"reference={slot.name}*", "--format", "{{.Repository}}"):
        _said("docker", "image", "rm", "-f", name)


def _said(*command: str) -> list[str]:
    """Return the lines that a command prints; what fails here is not there."""
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    return []


_mine: dict[int, Slot] = {}
_ports: dict[int, Iterator[int]] = {}


def mine() -> Slot:
    """Return this process's slot; the first call takes it, and removes what an earlier owner has left."""
    pid = os.getpid()
    if pid not in _mine:
        _mine[pid] = take()
        _ports[pid] = _mine[pid].ports()
        remove_leftovers(_mine[pid])
        os.environ[VARIABLE] = _mine[pid].name
    return _mine[pid]


def hear_interrupts() -> None:
    """Give SIGINT and SIGQUIT their default handlers, which children inherit; a shell ignores them in background."""
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def environment() -> dict[str, str]:
    """Return the environment of a program that is to know nothing of ours but the path, and whose it is."""
    return {"PATH": os.environ["PATH"], VARIABLE: mine().name}


def free_ports(count: int) -> list[int]:
    """Return ports of this process's slot at which nothing listens."""
    mine()
    found: list[int] = []
    for port in itertools.islice(_ports[os.getpid()], PORTS_OF_A_SLOT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"{count} ports of this test process are wanted, and {len(found)} are free")
