"""Load workers for the master on another machine: `iolab worker`."""

import ipaddress
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from iolab.errors import EngineMissing, LoadFailed, UsageError
from iolab.host import processes
from iolab.lab import Lab
from iolab.live import standing
from iolab.runtime.choice import Wanted
from iolab.runtime.compose import Compose, Engine, find_engine, project
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
    command = locust_worker(lab.root, place["MASTER"], int(place["MASTER_PORT"]))
    environment = {**os.environ, **place}
    with ExitStack() as stack:
        words = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        running = [
            stack.enter_context(processes.running(command, env=environment, stdout=file, stderr=file)) for file in words
        ]

        def left() -> int:
            for process, file in zip(running, words, strict=True):
                if process.poll():
                    file.seek(0)
                    said = processes.last_lines(file.read().decode(errors="replace"), otherwise="nothing")
                    raise LoadFailed(f"a load worker ended with status {process.returncode}: {said}")
            return sum(process.poll() is None for process in running)

        yield left


@contextmanager
def _containers(lab: Lab, engine: Engine, count: int, place: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """The same, in containers of the service for it."""
    variables = {**standing.variables(lab, engine, 1), **place, "LOADGEN_CPUSET": ""}
    compose = Compose(lab.root, project("-worker"), variables)
    compose.build([IMAGE_OF])

    def left() -> int:
        containers = compose.containers()
        for container in containers:
            if container["State"] == "exited" and container["ExitCode"]:
                said = processes.last_lines(compose.logs(WORKER, 5), otherwise="nothing")
                raise LoadFailed(f"a load worker ended with status {container['ExitCode']}: {said}")
        return sum(container["State"] == "running" for container in containers)

    try:
        compose("up", "-d", "--no-deps", "--no-build", "--scale", f"{WORKER}={count}", WORKER)
        yield left
    finally:
        with suppress(UsageError):
            compose.down()
