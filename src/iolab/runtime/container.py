"""A server's container: its resources, its log, and how to freeze and kill it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from iolab.errors import ServerFailed
from iolab.lab import Model
from iolab.runtime import Denials, ListenCounters, Snapshot, cgroup

LAST_LINES = 50
KILL_LIMIT_S = 20


# Errors of an engine that refuses a request, or has stopped.
ENGINE_TROUBLE = (DockerException, RequestException)


class DockerServer:
    """A server's container, measured without using its CPU if that is possible."""

    def __init__(self, model: Model, container: Container, host: str | None = None) -> None:
        self._container = container
        self.check_alive()  # this also reads the attributes that only a running container has
        settings = container.attrs["NetworkSettings"]
        bindings = settings["Ports"].get(f"{model.port.container}/tcp")
        addresses = [network["IPAddress"] for network in settings["Networks"].values()]
        if not (bindings and addresses):
            raise ServerFailed(f"the container of {model.name} has no port {model.port.container}")
        self.address = (host or "127.0.0.1", int(bindings[0]["HostPort"]))
        # An address, not a name: with server A, every request would ask Docker's DNS, with the others only the first.
        # Other machines can use neither; they use the published port.
        self.url = f"http://{host}:{self.address[1]}" if host else f"http://{addresses[0]}:{model.port.container}"
        identity, pid = str(container.id), container.attrs["State"]["Pid"]
        self._watch: cgroup.Watch = cgroup.HostWatch.find(identity, pid) or cgroup.ExecWatch(identity)
        self.sample_every_s = self._watch.every_s

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    def check_alive(self) -> None:
        """Raise ServerFailed, with the last line of its output, if the container has ended."""
        with failing("the server's container is gone"):
            self._container.reload()
            if self._container.status == "running":
                return
            state = self._container.attrs["State"]
            logs = self._container.logs(tail=1)
        said = logs.decode(errors="replace").strip() if isinstance(logs, bytes) else ""
        why = " (out of memory)" if state.get("OOMKilled") else ""
        raise ServerFailed(f"the server ended with status {state.get('ExitCode')}{why}{': ' if said else ''}{said}")

    def snapshot(self) -> Snapshot:
        """Read the container's control group; an ended container has none."""
        try:
            return cgroup.snapshot(self._watch.group(), self._watch.tasks)
        except OSError:
            return Snapshot()

    def freeze(self) -> None:
        """Stop all processes of the container, by its control group's freezer."""
        with failing("the server's container cannot be stopped"):
            self._container.pause()

    def thaw(self) -> None:
        """Let them run again; a container that has been removed is ignored."""
        with suppress(*ENGINE_TROUBLE):
            self._container.unpause()

    def kill(self) -> None:
        """Kill the container's first process, and so all of them."""
        with failing("the server's container cannot be killed"):
            self._container.kill()
            self._container.wait(timeout=KILL_LIMIT_S)

    def log(self) -> str:
        """Return the container's log, which exists as long as the container."""
        return self._logs("all")

    def listen_counters(self) -> ListenCounters:
        """Read the counters of the container's own network namespace."""
        try:
            return ListenCounters.parse(self._watch.netstat())
        except OSError:
            return ListenCounters()

    def pids(self) -> Sequence[int]:
        """Read them from the container's control group."""
        try:
            return self._watch.pids()
        except OSError:
            return ()

    def denials(self) -> Denials:
        """Read them from the container's control group; an ended container has none."""
        try:
            return cgroup.denials(self._watch.events())
        except OSError:
            return Denials()

    def last_output(self) -> str:
        """Return the end of the container's log."""
        return self._logs(LAST_LINES)

    def _logs(self, lines: int | Literal["all"]) -> str:
        try:
            logs = self._container.logs(tail=lines)
        except ENGINE_TROUBLE:
            return ""
        return logs.decode(errors="replace") if isinstance(logs, bytes) else ""


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Raise ServerFailed, with `what` and the engine's message in one line, if the engine refuses."""
    try:
        yield
    except (*ENGINE_TROUBLE, ValueError) as error:
        raise ServerFailed(f"{what}: {' '.join(str(error).split())}") from error
