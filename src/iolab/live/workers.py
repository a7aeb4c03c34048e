"""Load workers for the master on another machine: `iolab worker`."""

import ipaddress
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO

from iolab.errors import EngineMissing, LoadFailed, UsageError
from iolab.host import processes
from iolab.lab import Lab
from iolab.live import standing
from iolab.runtime.choice import Wanted
from iolab.runtime.compose import Compose, Engine, find_engine, last_line, project
from iolab.runtime.local import locust_worker

WORKER, IMAGE_OF = "locust-worker", "locust"
CONNECT_LIMIT_S, POLL_S = 5.0, 0.2


def join(lab: Lab, host: str, port: int, count: int, wanted: Wanted) -> Iterator[str]:
    """Let `count` workers work for the master at `host`:`port` until it sends them home; yield what happens, in words.

    None is left at the end, whatever happens. Raises UsageError where there is no master, LoadFailed where a worker
    fails.
    """
    engine = _engine(wanted, host, here=_reached(host, port).is_loopback)
    targets = standing.targets(lab, lambda model: f"{host}:{model.port.host}")
    place = {"MASTER": host, "MASTER_PORT": str(port), "TARGETS": targets}
    with _containers(lab, engine, count, place) if engine else _local(lab, count, place) as left:
        kind = "in containers" if engine else "local processes"
        yield f"Load workers, {kind}: {count}. They work for {host}:{port}; Ctrl-C sends them home."
        while left():
            time.sleep(POLL_S)
    yield "The master has sent the load workers home."


def _reached(host: str, port: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address at which something listens; raises UsageError where nothing does."""
    try:
        with socket.create_connection((host, port), CONNECT_LIMIT_S) as connection:
            return ipaddress.ip_address(connection.getpeername()[0])
    except OSError as error:
        why = error.strerror or "no answer"
        raise UsageError(
            f"MASTER={host}: nothing to join on port {port} ({why}): start make up BIND={host}, or make queue JOIN=1"
            f" BIND={host}, on that machine first"
        ) from error


def _engine(wanted: Wanted, host: str, *, here: bool) -> Engine | None:
    if wanted == "local":
        return None
    try:
        engine = find_engine()
    except EngineMissing:
        if wanted == "docker":
            raise
        return None
    if here:
        raise UsageError(
            f"MASTER={host} is the container, in a container: give the machine's address, or RUNTIME=local"
        )
    return engine


@contextmanager
def _local(lab: Lab, count: int, place: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """Start them as processes; what is yielded says how many still work, and raises LoadFailed for one that failed."""
    with ExitStack() as all_of_them:
        started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        for _ in range(count):
            words = all_of_them.enter_context(tempfile.TemporaryFile())
            process = processes.start(
                locust_worker(lab.root, place["MASTER"], int(place["MASTER_PORT"])),
                env={**os.environ, **place},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )
            all_of_them.callback(processes.stop, process)
            started.append((process, words))

        def left() -> int:
            for process, words in started:
                if process.poll():
                    words.seek(0)
                    said = last_line(words.read().decode(errors="replace"))
                    raise LoadFailed(f"a load worker ended with status {process.returncode}: {said}")
            return sum(process.poll() is None for process, _ in started)

        yield left


@contextmanager
def _containers(lab: Lab, engine: Engine, count: int, place: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """The same, in containers of the service for it."""
    variables = {**standing.variables(lab, engine, 1), **place, "LOADGEN_CPUSET": ""}
    compose = Compose(lab.root, project("-worker"), variables)
    compose.build([IMAGE_OF])

    def left() -> int:
        listed = compose("ps", "-a", "--format", "json").stdout.splitlines()
        containers = [json.loads(line) for line in listed]
        for container in containers:
            if container["State"] == "exited" and container["ExitCode"]:
                said = last_line(compose("logs", "--no-log-prefix", "--tail", "5", WORKER).stdout)
                raise LoadFailed(f"a load worker ended with status {container['ExitCode']}: {said}")
        return sum(container["State"] == "running" for container in containers)

    try:
        compose("up", "-d", "--no-deps", "--no-build", "--scale", f"{WORKER}={count}", WORKER)
        yield left
    finally:
        compose("down", "--remove-orphans", "--timeout", "5", check=False)
