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
from iolab.runtime.compose import Compose, Engine, find_engine
from iolab.runtime.local import locust_worker

WORKER, IMAGE_OF = "locust-worker", "locust"
CONNECT_LIMIT_S, POLL_S = 5.0, 0.2


def join(lab: Lab, host: str, port: int, count: int, wanted: Wanted) -> Iterator[str]:
    """Run `count` workers for the master at `host`:`port` until it stops them; yield messages about what happens.

    All workers are stopped at the end, whatever happens. Raises UsageError if there is no master, LoadFailed if a
    worker fails.
    """
    engine = _engine(wanted, host, here=_reached(host, port).is_loopback)
    targets = standing.targets(lab, lambda model: f"{host}:{model.port.host}")
    place = {"MASTER": host, "MASTER_PORT": str(port), "TARGETS": targets}
    with _containers(lab, engine, count, place) if engine else _local(lab, count, place) as left:
        kind = "in containers" if engine else "local processes"
        yield f"Load workers, {kind}: {count}. They work for {host}:{port}; Ctrl-C stops them."
        while left():
            time.sleep(POLL_S)
    yield "The master has stopped the load workers."


def _reached(host: str, port: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of a listening master; raises UsageError if nothing listens there."""
    try:
        with socket.create_connection((host, port), CONNECT_LIMIT_S) as connection:
            return ipaddress.ip_address(connection.getpeername()[0])
    except OSError as error:
        why = error.strerror or "no answer"
        raise UsageError(
            f"MASTER={host}: nothing listens on port {port} ({why}): start make up BIND={host}, or make queue JOIN=1"
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
            f"MASTER={host}: in a container, this is the container itself: give the machine's address, or RUNTIME=local"
        )
    return engine


@contextmanager
def _local(lab: Lab, count: int, place: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """Start local workers; yield a function that returns how many still run and raises LoadFailed if one has failed."""
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
    """Do the same in containers of service `locust-worker`."""
    variables = {**standing.variables(lab, engine, 1), **place, "LOADGEN_CPUSET": ""}
    compose = Compose(lab.root, f"{lab.project}-worker", variables)
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
