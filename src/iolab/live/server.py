"""Runs a server to observe it: as a local process or in a container, under strace or without."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import UsageError
from iolab.host import proc
from iolab.host.processes import GRACE_S, last_lines, run, running, temporary_folder
from iolab.host.programs import own_command
from iolab.lab import Lab, Model
from iolab.live import standing
from iolab.live.app import SERVICE as STRACE_SERVICE
from iolab.live.app import Say
from iolab.live.process import LAST_LINES, ended, listening, text_of, wait
from iolab.runtime.compose import BUILDING, Compose, Engine
from iolab.runtime.strace import check_strace

READY_LIMIT_S = 30.0
STRACE = ("strace", "-f", "-ttt", "-T", "-yy", "-s", "128")
GATE = "/tmp/go"  # noqa: S108 (in the container, a file system of its own)


@dataclass(frozen=True)
class Running:
    """A server that listens: its address, and a function that reads the status of all its threads."""

    address: tuple[str, int]
    statuses: Callable[[], Iterable[str]]


Serve = Callable[[Path | None], AbstractContextManager[Running]]  # with a log, under strace


def here(model: Model) -> Serve:
    """Return a function that runs a server as a local process; raises UsageError if it cannot be traced."""
    check_strace()
    port = model.port.host
    service = model.service
    command = own_command(service)

    name = f"server {model.letter} ({model.name})"

    @contextmanager
    def serve(log: Path | None) -> Iterator[Running]:
        traced = [*STRACE, "-o", str(log.absolute()), *command] if log else command
        variables = {**os.environ, **service.environment, "HOST": "127.0.0.1", "PORT": str(port)}
        with listening(name, traced, service.folder, variables, port=port, limit_s=READY_LIMIT_S) as process:
            yield Running(("127.0.0.1", port), lambda: proc.thread_statuses(process.pid))

    return serve


def in_docker(lab: Lab, model: Model, engine: Engine, say: Say) -> Serve:
    """Return a function that runs a server in a container; builds its image and that of strace; raises UsageError."""
    say(BUILDING)
    variables = standing.variables(lab, engine, 1)
    Compose(lab.root, f"{lab.project}-trace", variables).build([model.name, STRACE_SERVICE])
    image = next(service.image for service in lab.services if service.name == STRACE_SERVICE)

    @contextmanager
    def serve(log: Path | None) -> Iterator[Running]:
        with temporary_folder() as folder:
            override = folder / "trace.yml"
            override.write_text(_override(model), encoding="utf-8")
            compose = Compose(lab.root, f"{lab.project}-trace", variables, override)
            try:
                compose("up", "-d", "--no-deps", "--no-build", model.name)
                container = compose("ps", "-q", model.name).stdout.strip()
                with _strace_beside(compose, container, image, log):
                    _docker("exec", container, "sh", "-c", f"echo > {GATE}")
                    wait(
                        f"server {model.letter} ({model.name})",
                        lambda: _listens_in(container, model.port.container),
                        lambda: _gone(compose, model),
                        READY_LIMIT_S,
                    )
                    host, _, port = (
                        compose("port", model.name, str(model.port.container)).stdout.strip().rpartition(":")
                    )
                    status = ("exec", container, "sh", "-c", f"cat {proc.PROC}/1/task/*/status")
                    yield Running((host, int(port)), lambda: proc.split_statuses(_docker(*status)))
            finally:
                with suppress(UsageError):
                    compose.down()

    return serve


def _override(model: Model) -> str:
    """Return what a traced run changes: the server starts when its gate opens, as process 1, on any free port."""
    gate = f"mkfifo {GATE} && read -r _ < {GATE} && exec {' '.join(model.service.command)}"
    return (
        f"services:\n  {model.name}:\n    init: false\n    command: {json.dumps(['sh', '-c', gate])}\n"
        f'    ports: !override ["127.0.0.1::{model.port.container}"]\n'
        "    healthcheck: !override { disable: true }\n"
    )


@contextmanager
def _strace_beside(compose: Compose, container: str, image: str, log: Path | None) -> Iterator[None]:
    """Run strace in a container that shares the server's processes and network: its own image is not changed."""
    if log is None:
        yield
        return
    name = f"{compose.project}-strace"
    _docker("rm", "-f", name, check=False)
    command = ["docker", "run", "--rm", "--name", name, f"--pid=container:{container}"]
    command += [f"--network=container:{container}", "--user=0:0", "--cap-drop=ALL", "--cap-add=SYS_PTRACE"]
    command += ["--security-opt=no-new-privileges:true", image, *STRACE, "-p", "1", "-o", "/dev/stdout"]
    with (
        log.open("wb") as file,
        tempfile.TemporaryFile() as output,
        running(command, stdout=file, stderr=output) as process,
    ):
        try:
            wait("strace", lambda: "attached" in text_of(output), lambda: ended(process, output), READY_LIMIT_S)
            yield
        finally:
            _docker("kill", "--signal=INT", name, check=False)  # it detaches from the server and writes its last line
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            _docker("rm", "-f", name, check=False)


def _listens_in(container: str, port: int) -> bool:
    return proc.listens(_docker("exec", container, "cat", *proc.TABLES, check=False), port)


def _gone(compose: Compose, model: Model) -> str | None:
    if model.name in compose.running():
        return None
    return f"its container has ended; its last output: {last_lines(compose.logs(model.name, 5), LAST_LINES, 'none')}"


def _docker(*arguments: str, check: bool = True) -> str:
    done = run(["docker", *arguments], timeout_s=60)
    if check and done.status != 0:
        raise UsageError(f"Docker says: {last_lines(done.stderr, LAST_LINES)}")
    return done.stdout
