"""Servers in containers: a Compose project of its own beside `make up`, on no fixed ports."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from iolab.cpus import CpuPlan
from iolab.errors import ServerFailed, UsageError
from iolab.lab import Lab, Model
from iolab.runtime import ListenCounters, Snapshot, cgroup
from iolab.runtime.compose import Compose, Engine, project
from iolab.runtime.netstat import listen_counters
from iolab.runtime.probe import wait_until_ready

LOADGEN = "loadgen"


class DockerServer:
    """A server's container, watched without costing it anything, where that is possible."""

    def __init__(self, model: Model, container: Container) -> None:
        self._container = container
        (binding, *_) = container.ports[f"{model.port.container}/tcp"] or [{}]
        self.address = ("127.0.0.1", int(binding["HostPort"]))
        self.url = f"http://{model.name}:{model.port.container}"
        identity, pid = str(container.id), container.attrs["State"]["Pid"]
        self._watch: cgroup.Watch = cgroup.HostWatch.find(identity, pid) or cgroup.ExecWatch(identity)

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    def check_alive(self) -> None:
        """Raise ServerFailed with the last line the server wrote where its container has ended."""
        try:
            self._container.reload()
            if self._container.status == "running":
                return
            state = self._container.attrs["State"]
            logs = self._container.logs(tail=1)
        except DockerException as error:
            raise ServerFailed(f"the server's container is gone: {error}") from error
        said = logs.decode(errors="replace").strip() if isinstance(logs, bytes) else ""
        why = " (out of memory)" if state.get("OOMKilled") else ""
        raise ServerFailed(f"the server ended with status {state.get('ExitCode')}{why}{': ' if said else ''}{said}")

    def snapshot(self) -> Snapshot:
        """Read the container's control group; an ended container has none."""
        try:
            return cgroup.snapshot(self._watch.read(), self._watch.tasks)
        except OSError:
            return Snapshot()

    def listen_counters(self) -> ListenCounters | None:
        """Read the counters of the container's own network namespace."""
        try:
            return listen_counters(self._watch.read().get("netstat", ""))
        except OSError:
            return None


class DockerRuntime:
    """Runs servers and load drivers in the containers of a Compose project."""

    name: Literal["docker", "local"] = "docker"
    pinned = True

    def __init__(self, lab: Lab, engine: Engine, variables: Mapping[str, str]) -> None:
        self._lab, self._engine = lab, engine
        self._stack = ExitStack()
        self._variables = variables
        self._compose = Compose(lab.root, project("-bench"), variables)

    def build(self, models: Sequence[Model]) -> None:
        """Bring the images up to date; raises EngineMissing where that cannot be done here."""
        self._compose.build(
            [*(model.name for model in models), LOADGEN], self._lab.root / "results" / "docker-build.log"
        )

    def __enter__(self) -> "DockerRuntime":
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="iolab-")))
        override = folder / "bench.yml"
        override.write_text(_override(self._lab), encoding="utf-8")
        self._compose = Compose(self._lab.root, project("-bench"), self._variables, override)
        self._client = docker.DockerClient(base_url=self._engine.endpoint or None, timeout=60)
        self._stack.callback(self._client.close)
        self._remove_all()  # what a bench that was killed has left
        self._stack.callback(self._remove_all)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @contextmanager
    def serve(self, model: Model, plan: CpuPlan) -> Iterator[DockerServer]:
        """Start the model's container with the plan's CPU quota and cpuset."""
        container = self._up(model.name, plan)
        try:
            with closing(DockerServer(model, container)) as server:
                wait_until_ready(server.address, server.check_alive)
                yield server
        finally:
            container.remove(force=True, v=True)

    @contextmanager
    def driver(self, script: str, plan: CpuPlan) -> Iterator[Sequence[str]]:
        """Start a container of the load image on the Compose network; the command runs a driver in it."""
        container = self._up(LOADGEN, plan)
        try:
            yield ("docker", "exec", "-i", str(container.id), "python3", script)
        finally:
            container.remove(force=True, v=True)

    def facts(self) -> Mapping[str, str]:
        """Return the versions of engine and Compose, and the version of its control groups."""
        return {"engine": self._engine.version, "compose": self._engine.compose, "cgroup": self._engine.cgroup}

    def _up(self, service: str, plan: CpuPlan) -> Container:
        self._compose.variables |= {
            "CPUS": f"{plan.cpus:g}",
            "SERVER_CPUSET": ",".join(map(str, plan.server)),
            "LOADGEN_CPUSET": ",".join(map(str, plan.loadgen)),
        }
        try:
            self._compose("--profile", "*", "up", "-d", "--no-deps", "--no-build", service)
        except UsageError as error:
            raise ServerFailed(f"{service}: {error}") from error
        (container,) = self._containers(f"com.docker.compose.service={service}")
        return container

    def _containers(self, *labels: str) -> list[Container]:
        return self._client.containers.list(
            all=True, filters={"label": [f"com.docker.compose.project={self._compose.project}", *labels]}
        )

    def _remove_all(self) -> None:
        for container in self._containers():
            container.remove(force=True, v=True)
        for network in self._client.networks.list(
            filters={"label": f"com.docker.compose.project={self._compose.project}"}
        ):
            network.remove()


def _override(lab: Lab) -> str:
    """Return what a bench changes in the compose file.

    Ports are any free ones, so that `make up` can run beside it; there are no healthchecks, whose CPU time would be
    measured as the server's.
    """
    blocks = [
        f"  {model.name}:\n"
        f'    ports: !override ["127.0.0.1::{model.port.container}"]\n'
        f"    healthcheck: !override {{ disable: true }}\n"
        for model in lab.models
    ]
    return "services:\n" + "".join(blocks)
