"""Servers in containers: a Compose project of its own, separate from `make up`, without fixed ports."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from iolab.errors import ServerFailed, UsageError
from iolab.host import limits, proc
from iolab.host.cores import CpuPlan, affinity
from iolab.host.processes import temporary_folder
from iolab.host.python import Python
from iolab.lab import Lab, Model, connections_of
from iolab.results.run_info import RuntimeName
from iolab.runtime import NULL_SERVER, Master, ServerCommand
from iolab.runtime.compose import Compose, Engine
from iolab.runtime.container import ENGINE_TROUBLE, DockerServer, failing
from iolab.runtime.images import image_id, image_pythons, network_settings
from iolab.runtime.override import override
from iolab.runtime.probe import POLL_S, wait_until_ready

LOADGEN, LOAD_WORKER = "loadgen", "locust-worker"
MASTER_PORT = 5557  # in the driver's container
NULL_PORT, START_LIMIT_S = 8000, 10.0
ENDING = ("removing", "dead")  # states of a container that the engine still lists
# A label that Compose gives to the containers that it makes. Images have those of project and service, too, and with
# them every container that another program starts from such an image.
MADE_BY_COMPOSE = "com.docker.compose.config-hash"


class DockerRuntime:
    """Runs servers and load drivers in the containers of a Compose project."""

    name: RuntimeName = "docker"
    starts_are_cheap: bool = False

    def __init__(self, lab: Lab, engine: Engine, variables: Mapping[str, str], host: str | None = None) -> None:
        self._lab, self._engine, self._host = lab, engine, host
        self._stack = ExitStack()
        self._master = ""  # the container of the driver that other load workers connect to
        # make may have put a list of values into the environment, which Compose cannot read.
        self._variables = {**variables, "CPUS": "1", "SERVER_CPUSET": "", "LOADGEN_CPUSET": ""}
        self._compose = Compose(lab.root, f"{lab.project}-bench", self._variables)
        self.pinned = engine.cpusets

    def build(self, models: Sequence[Model], *, downstream: bool = False) -> str | None:
        """Update the images, that of the downstream service, too, if it is needed.

        If that fails, return the reason why older images are used.

        Raises UsageError if Compose cannot read its files, EngineMissing if there are no images.
        """
        self._compose(
            "config", "--quiet"
        )  # the user must correct a mistake in .env: it is no reason to run without Docker
        behind = [self._lab.downstream.name] if downstream else []
        return self._compose.build([*(model.name for model in models), LOADGEN, *behind])

    def __enter__(self) -> "DockerRuntime":
        folder = self._stack.enter_context(temporary_folder())
        self._override = folder / "bench.yml"
        self._write_override()
        self._compose = Compose(self._lab.root, f"{self._lab.project}-bench", self._variables, self._override)
        self._client = docker.DockerClient(base_url=self._engine.endpoint or None, timeout=60)
        self._stack.callback(self._client.close)
        self._remove_all()  # what a killed benchmark left behind
        self._stack.callback(self._remove_all)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @contextmanager
    def serve(
        self,
        model: Model,
        plan: CpuPlan,
        variables: Mapping[str, str] | None = None,
        command: ServerCommand | None = None,
    ) -> Iterator[DockerServer]:
        """Start the model's container with the plan's CPU quota and cpuset.

        A server whose requests wait in the downstream service has one of its own.
        """
        own = {**self._variables, **(variables or {})}
        behind = command is None and connections_of(model.service.environment_with(own))
        with ExitStack() as stack:
            place = stack.enter_context(self._downstream(model, plan)) if behind else {}
            self._write_override(model, command)
            self._compose.variables |= own | place
            try:
                self._in_compose(plan, "up", "-d", "--no-deps", "--no-build", model.name)
                container = self._container("label", f"com.docker.compose.service={model.name}")
                with closing(DockerServer(model, container, self._host)) as server:
                    wait_until_ready(server.address, server.check_alive)
                    yield server
            finally:
                self._remove("label", f"com.docker.compose.service={model.name}")

    @contextmanager
    def _downstream(self, model: Model, plan: CpuPlan) -> Iterator[dict[str, str]]:
        """Start the downstream service of a model's server; return the variables that say where it is."""
        service = self._lab.downstream.name
        name = f"{self._compose.project}-{service}-{model.name}"
        try:
            self._in_compose(plan, "run", "-d", "--no-deps", "--name", name, service)
            # An address, not a name: to look a name up, asyncio starts a thread, and the server would have two.
            ready = f"{service} service, port"
            yield {"DOWNSTREAM_HOST": self._address(name, ready, "the downstream service did not start")}
        finally:
            self._remove("name", name)

    @contextmanager
    def driver(
        self, script: str, plan: CpuPlan, master: Master | None = None, number: int = 0
    ) -> Iterator[Sequence[str]]:
        """Start a container of the load image on the Compose network; the command runs a driver in it.

        Inside the block, this process runs on the load generator's cores, too, so that it does not disturb the servers.
        """
        name = self._driver_name(plan, script) + (f"-{number}" if number else "")
        if master:
            self._master = name
        published = ("-p", f"{master.host}:{master.port}:{MASTER_PORT}") if master and master.host else ()
        listens = ("*", str(MASTER_PORT)) if master else ()
        try:
            self._in_compose(plan, "run", "-d", "--no-deps", "--name", name, *published, LOADGEN)
            with affinity(plan.loadgen):
                yield ("docker", "exec", "-i", name, "python3", script, *listens)
        finally:
            self._remove("name", name)

    @contextmanager
    def load_workers(self, count: int, plan: CpuPlan, master: Master) -> Iterator[None]:
        """Start containers of the service of that name; they reach the driver's container by its name."""
        del master
        self._compose.variables |= {"MASTER": self._master, "MASTER_PORT": str(MASTER_PORT)}
        scaled = ("--scale", f"{LOAD_WORKER}={count}", LOAD_WORKER)
        try:
            if count:
                self._in_compose(plan, "up", "-d", "--no-deps", "--no-build", *scaled)
            yield
        finally:
            self._remove("label", f"com.docker.compose.service={LOAD_WORKER}")

    def _write_override(self, model: Model | None = None, command: ServerCommand | None = None) -> None:
        text = override(self._lab, self._host or "127.0.0.1", {model.name: command} if model and command else {})
        self._override.write_text(text, encoding="utf-8")

    def _driver_name(self, plan: CpuPlan, script: str) -> str:
        """Return the name of a driver's container; drivers of several scripts can stay open beside each other."""
        return "-".join((self._compose.project, LOADGEN, Path(script).stem.replace("_", "-"), *map(str, plan.loadgen)))

    @contextmanager
    def null_server(self, plan: CpuPlan) -> Iterator[str]:
        """Start it in another container of the load image."""
        name = f"{self._compose.project}-null-{'-'.join(map(str, plan.server))}"
        there = replace(plan, loadgen=plan.server)
        port = str(NULL_PORT)
        listen = ("-e", "HOST=0.0.0.0", "-e", f"PORT={port}")
        try:
            self._in_compose(there, "run", "-d", "--no-deps", "--name", name, *listen, LOADGEN, "python3", NULL_SERVER)
            address = self._address(name, port, "the null server did not start")
            yield f"http://{address}:{port}"
        finally:
            self._remove("name", name)

    def _address(self, name: str, ready: str, otherwise: str) -> str:
        """Return the address of the container of that name when its output has the text `ready`.

        Raises ServerFailed at the time limit, with `otherwise`.
        """
        container = self._container("name", name)
        deadline = time.monotonic() + START_LIMIT_S
        with failing(f"{name} is gone"):
            while ready.encode() not in container.logs():
                if time.monotonic() > deadline:
                    raise ServerFailed(otherwise)
                time.sleep(POLL_S)
            container.reload()
            networks = container.attrs["NetworkSettings"]["Networks"].values()
            return str(next(iter(networks))["IPAddress"])

    def pythons(self, models: Sequence[Model]) -> Mapping[str, Python]:
        """Ask the images."""
        return image_pythons({model.name: model.service.image for model in models})

    def facts(self) -> Mapping[str, Any]:
        """Return versions of engine, Compose and control groups, ids of images, and network settings of a container."""
        images = {model.name: model.service.image for model in self._lab.measured}
        known = {image: image_id(image)[:12] for image in set(images.values()) if image}
        ids = {name: known.get(image, "") for name, image in images.items()}
        found = {"engine": self._engine.version, "compose": self._engine.compose, "cgroup": self._engine.cgroup}
        load_image = next(each.image for each in self._lab.services if each.name == LOADGEN)
        return {
            **found,
            "images": ", ".join(f"{name} {identity}" for name, identity in ids.items() if identity),
            proc.SETTINGS: network_settings(load_image),
            limits.OPEN_FILES: self._compose.files,
        }

    def _in_compose(self, plan: CpuPlan, *command: str) -> None:
        self._compose.variables |= plan.variables()
        try:
            self._compose("--profile", "*", *command)
        except UsageError as error:
            raise ServerFailed(f"{command[-1]}: {error}") from error

    def _container(self, kind: str, value: str) -> Container:
        with failing(f"the container with {value} is gone"):
            (container,) = (each for each in self._containers(kind, value) if each.status not in ENDING)
        return container

    def _containers(self, kind: str = "", value: str = "") -> list[Container]:
        labels = [MADE_BY_COMPOSE, f"com.docker.compose.project={self._compose.project}"]
        filters: dict[str, str | list[str] | bool] = {"label": labels}
        if kind == "label":
            labels.append(value)
        elif kind:
            filters[kind] = f"^/?{value}$"
        # An earlier container may still be in the engine's list, and be gone when the engine is asked about it.
        return self._client.containers.list(all=True, filters=filters, ignore_removed=True)

    def _remove(self, kind: str = "", value: str = "") -> None:
        """Remove containers; an engine's error here must not hide an earlier one, so it is ignored."""
        with suppress(*ENGINE_TROUBLE):
            for container in self._containers(kind, value):
                with suppress(*ENGINE_TROUBLE):
                    container.remove(force=True, v=True)

    def _remove_all(self) -> None:
        self._remove()
        with suppress(*ENGINE_TROUBLE):
            label = f"com.docker.compose.project={self._compose.project}"
            for network in self._client.networks.list(filters={"label": label}):
                network.remove()
