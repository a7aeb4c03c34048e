"""Servers as local processes: the same files, the same environment from docker-compose.yml, without an engine."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from iolab.errors import ServerFailed, UsageError
from iolab.host import leftovers, limits, ports, proc, python
from iolab.host.cores import CpuPlan, affinity, can_pin
from iolab.host.processes import kill, last_lines, running, temporary_folder
from iolab.host.programs import lacking, local_command, own_command
from iolab.host.python import Python
from iolab.lab import Lab, Model, connections_of
from iolab.results.run_info import RuntimeName
from iolab.runtime import NULL_SERVER, Denials, ListenCounters, Master, ServerCommand, Snapshot
from iolab.runtime.probe import wait_until_ready

HOST = "127.0.0.1"
LAST_OUTPUT_BYTES = 8192  # of a log: a server that cannot accept may write megabytes a second of the same lines


def locust_worker(root: Path, host: str, port: int) -> list[str]:
    """Return the command of a Locust worker, as docker-compose.yml has it for its container."""
    locustfile = str(root / "loadtest" / "locustfile.py")
    place = ("--master-host", host, "--master-port", str(port))
    return [sys.executable, "-m", "locust", "-f", locustfile, "--worker", *place]


class LocalServer:
    """A server process and those that it starts; its listen counters are those of the whole host."""

    def __init__(self, host: str, model: Model, process: subprocess.Popen[bytes], output: Path) -> None:
        self.address = (host, model.port.host)
        self.url = f"http://{host}:{model.port.host}"
        self.sample_every_s = 0.1
        self._process, self._output = process, output
        self._status = psutil.Process(process.pid)
        self._family: Sequence[psutil.Process] = ()

    def check_alive(self) -> None:
        """Raise ServerFailed, with the last line of its output, if the server has ended."""
        status = self._process.poll()
        if status is not None:
            said = last_lines(self.log())
            raise ServerFailed(f"the server ended with status {status}{': ' if said else ''}{said}")

    def snapshot(self) -> Snapshot:
        """Read the counters of all its processes; a server that has ended has none.

        Its children are those that `pids` found last (`Meter` calls it): to find them takes 5 to 20 ms, because all
        processes of the machine are read, and there are ten snapshots a second. RSS counts shared memory once for each
        process.
        """
        if not self._family:
            self.pids()
        usages = [usage for usage in map(_usage, self._family) if usage]
        if not usages:
            return Snapshot()
        cpu_s, threads, rss_bytes = map(sum, zip(*usages, strict=True))
        return Snapshot(cpu_s=cpu_s, threads=int(threads), rss_bytes=int(rss_bytes))

    def pids(self) -> Sequence[int]:
        """Find the process and all its descendants."""
        try:
            self._family = (self._status, *self._status.children(recursive=True))
        except psutil.Error:
            self._family = ()
        return [one.pid for one in self._family]

    def denials(self) -> Denials:
        """Return nothing: its control group is that of the process that started it."""
        return Denials()

    def last_output(self) -> str:
        """Return the end of its log."""
        with self._output.open("rb") as log:
            log.seek(max(0, self._output.stat().st_size - LAST_OUTPUT_BYTES))
            return log.read(LAST_OUTPUT_BYTES).decode(errors="replace")

    def freeze(self) -> None:
        """Stop the processes (SIGSTOP)."""
        self.pids()
        for one in self._family:
            with suppress(psutil.Error):
                one.suspend()

    def thaw(self) -> None:
        """Let them run again (SIGCONT)."""
        for one in self._family:
            with suppress(psutil.Error):
                one.resume()

    def kill(self) -> None:
        """Kill the processes; they are a session of their own."""
        kill(self._process)

    def log(self) -> str:
        """Return its log."""
        return self._output.read_text(errors="replace")

    def listen_counters(self) -> ListenCounters:
        """Read the host's counters."""
        return ListenCounters.parse(proc.text(proc.PROC / "net/netstat"))


def _usage(process: psutil.Process) -> tuple[float, int, int] | None:
    """Return CPU seconds, with those of children that ended, threads, and RSS in bytes; None if it has ended."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            cpu_s = times.user + times.system + times.children_user + times.children_system
            return cpu_s, process.num_threads(), process.memory_info().rss
    except psutil.Error:
        return None


class LocalRuntime:
    """Runs servers and load drivers as processes on this machine's cores."""

    name: RuntimeName = "local"
    starts_are_cheap: bool = True

    def __init__(self, lab: Lab, host: str | None = None) -> None:
        self._lab, self._host = lab, host or HOST  # that servers listen at
        self._stack = ExitStack()
        self.pinned = can_pin()

    def __enter__(self) -> "LocalRuntime":
        self._logs = self._stack.enter_context(temporary_folder())
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def check(self, models: Sequence[Model]) -> None:
        """End what killed runs have left; raises UsageError if a model lacks a program, or its port is in use."""
        ports.check_shared([model.service for model in models])
        leftovers.end()
        for model in models:
            if lacks := lacking(model.service):
                raise UsageError(f"server {model.letter} ({model.name}) {lacks}")
            ports.check_free(self._host, model.port.host, f"server {model.letter} ({model.name})")

    @contextmanager
    def serve(
        self,
        model: Model,
        plan: CpuPlan,
        variables: Mapping[str, str] | None = None,
        command: ServerCommand | None = None,
    ) -> Iterator[LocalServer]:
        """Start the server's own command, or `command`, in its own folder, with this interpreter.

        A server whose requests wait in the downstream service has one of its own.
        """
        service = model.service
        own = service.environment_with(variables or {}) | (dict(command.variables) if command else {})
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment = {**theirs, **own, "HOST": self._host, "PORT": str(model.port.host)}
        argv = local_command(command.command) if command else own_command(service)
        output = self._logs / f"{model.name}.log"
        with ExitStack() as stack:
            if command is None and connections_of(own):
                port = stack.enter_context(self._downstream(plan))
                environment |= {"DOWNSTREAM_HOST": HOST, "DOWNSTREAM_PORT": str(port)}
            # Truncated: the last output must not be that of an earlier server.
            log = stack.enter_context(output.open("wb"))
            files: dict[str, Any] = {"cwd": service.folder, "env": environment, "stdout": log, "stderr": log}
            process = stack.enter_context(running(argv, cores=plan.server, **files))
            server = LocalServer(self._host, model, process, output)
            wait_until_ready(server.address, server.check_alive)
            yield server

    @contextmanager
    def _downstream(self, plan: CpuPlan) -> Iterator[int]:
        """Start the downstream service on the load generator's cores and any free port, which it prints."""
        service = self._lab.downstream
        environment = {**os.environ, **service.environment, "HOST": HOST, "PORT": "0"}
        files: dict[str, Any] = {"cwd": service.folder, "env": environment, "stdout": subprocess.PIPE}
        with running(local_command(service.command), cores=plan.loadgen, stderr=subprocess.DEVNULL, **files) as process:
            assert process.stdout  # noqa: S101 (it was started with a pipe)
            said = process.stdout.readline().rpartition(b" ")[2].strip()
            if not said.isdigit():
                raise ServerFailed("the downstream service did not start")
            yield int(said)

    @contextmanager
    def driver(
        self, script: str, plan: CpuPlan, master: Master | None = None, number: int = 0
    ) -> Iterator[Sequence[str]]:
        """Return the command; what is started inside the block runs on the load generator's cores."""
        del number  # all have this machine's addresses
        listens = (master.host, str(master.port)) if master and master.host else (HOST, "0")
        with affinity(plan.loadgen):
            yield (sys.executable, str(self._lab.root / "loadtest" / script), *(listens if master else ()))

    @contextmanager
    def load_workers(self, count: int, plan: CpuPlan, master: Master) -> Iterator[None]:
        """Start them as processes."""
        command = locust_worker(self._lab.root, master.host or HOST, master.port)
        with ExitStack() as stack:
            for number in range(count):
                log = stack.enter_context((self._logs / f"load-worker-{number}.log").open("ab"))
                stack.enter_context(running(command, cores=plan.loadgen, stdout=log, stderr=log))
            yield

    @contextmanager
    def null_server(self, plan: CpuPlan) -> Iterator[str]:
        """Start it on any free port, which it prints."""
        command = (sys.executable, str(self._lab.root / "loadtest" / NULL_SERVER))
        with running(command, cores=plan.server, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout  # noqa: S101 (it was started with a pipe)
            port = process.stdout.readline().strip()
            if not port:
                raise ServerFailed("the null server did not start")
            yield f"http://{HOST}:{int(port)}"

    def pythons(self, models: Sequence[Model]) -> Mapping[str, Python]:
        """Return this interpreter for all of them: it starts them."""
        found = python.of_servers()
        return {model.name: found for model in models} if found else {}

    def facts(self) -> Mapping[str, Any]:
        """Return the network settings of this machine, where servers and load generator run."""
        return {proc.SETTINGS: proc.network_settings(), limits.OPEN_FILES: limits.open_files()}
