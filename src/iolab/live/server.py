"""A server that runs to be observed: as a process here or in a container, under strace or without."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from iolab.errors import UsageError
from iolab.host import ports
from iolab.host.processes import GRACE_S, run, start, stop
from iolab.lab import Lab, Model
from iolab.live import standing
from iolab.live.app import SERVICE as STRACE_SERVICE
from iolab.live.app import Say, last_lines, listens
from iolab.runtime.compose import BUILDING, Compose, Engine, project
from iolab.runtime.strace import check_strace, explain

READY_LIMIT_S = 30.0
STRACE = ("strace", "-f", "-ttt", "-T", "-yy", "-s", "128")
GATE = "/tmp/go"  # noqa: S108 (in the container, a file system of its own)


@dataclass(frozen=True)
class Running:
    """A server that listens: where, and what reads the status of all its threads."""

    address: tuple[str, int]
    statuses: Callable[[], str]


Serve = Callable[[Path | None], AbstractContextManager[Running]]  # with a log, under strace


def here(model: Model) -> Serve:
    """Return what runs a server as a process here; raises UsageError where it cannot be traced."""
    check_strace()
    port = model.port.host
    service = model.service
    program, *arguments = service.command
    command = [sys.executable if program == "python3" else program, *arguments]

    @contextmanager
    def serve(log: Path | None) -> Iterator[Running]:
        ports.check_free("127.0.0.1", port, f"server {model.letter} ({model.name})")
        traced = [*STRACE, "-o", str(log.absolute()), *command] if log else command
        variables = {**os.environ, **service.environment, "HOST": "127.0.0.1", "PORT": str(port)}
        with tempfile.TemporaryFile() as words:
            process = start(
                traced, cwd=service.folder, env=variables, stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
            try:
                _wait(lambda: listens(port), lambda: _ended(process, words))
                yield Running(("127.0.0.1", port), lambda: _statuses(process.pid))
            finally:
                stop(process)

    return serve


def _ended(process: subprocess.Popen[bytes], words: IO[bytes]) -> str | None:
    status = process.poll()
    if status is None:
        return None
    words.seek(0)
    return f"status {status}; {last_lines(words.read().decode(errors='replace'))}"


def _statuses(pid: int) -> str:
    texts = []
    for path in sorted(Path(f"/proc/{pid}/task").glob("*/status")):
        with suppress(OSError):
            texts.append(path.read_text(encoding="ascii", errors="replace"))
    return "\n".join(texts)


def _wait(ready: Callable[[], bool], ended: Callable[[], str | None]) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    while not ready():
        if why := ended():
            raise UsageError(explain(why) or f"the server ended at its start: {why}")
        if time.monotonic() > deadline:
            raise UsageError(f"the server does not listen after {READY_LIMIT_S:g} s")
        time.sleep(0.1)


def in_docker(lab: Lab, model: Model, engine: Engine, say: Say) -> Serve:
    """Return what runs a server in a container; builds its image and that of strace, and raises UsageError."""
    say(BUILDING)
    variables = standing.variables(lab, engine, 1)
    Compose(lab.root, project("-trace"), variables).build([model.name, STRACE_SERVICE])
    image = next(service.image for service in lab.services if service.name == STRACE_SERVICE)

    @contextmanager
    def serve(log: Path | None) -> Iterator[Running]:
        with tempfile.TemporaryDirectory(prefix="iolab-") as folder:
            override = Path(folder) / "trace.yml"
            override.write_text(_override(model), encoding="utf-8")
            compose = Compose(lab.root, project("-trace"), variables, override)
            try:
                compose("up", "-d", "--no-deps", "--no-build", model.name)
                container = compose("ps", "-q", model.name).stdout.strip()
                with _strace_beside(compose, container, image, log):
                    _docker("exec", container, "sh", "-c", f"echo > {GATE}")
                    _wait(lambda: _listens_in(container, model.port.container), lambda: _gone(compose, model))
                    host, _, port = (
                        compose("port", model.name, str(model.port.container)).stdout.strip().rpartition(":")
                    )
                    status = ("exec", container, "sh", "-c", "cat /proc/1/task/*/status")
                    yield Running((host, int(port)), lambda: _docker(*status))
            finally:
                with suppress(UsageError):
                    compose("--profile", "*", "down", "--remove-orphans", "--timeout", "5")

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
    """Run strace in a container that shares the server's processes and network: its own image stays as it is."""
    if log is None:
        yield
        return
    name = f"{compose.project}-strace"
    _docker("rm", "-f", name, check=False)
    command = ["docker", "run", "--rm", "--name", name, f"--pid=container:{container}"]
    command += [f"--network=container:{container}", "--user=0:0", "--cap-drop=ALL", "--cap-add=SYS_PTRACE"]
    command += ["--security-opt=no-new-privileges:true", image, *STRACE, "-p", "1", "-o", "/dev/stdout"]
    with log.open("wb") as file, tempfile.TemporaryFile() as words:
        process = start(command, stdin=subprocess.DEVNULL, stdout=file, stderr=words)
        try:
            _wait(lambda: _said(words, "attached"), lambda: _ended(process, words))
            yield
        finally:
            _docker("kill", "--signal=INT", name, check=False)  # it lets go of the server and writes its last line
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            _docker("rm", "-f", name, check=False)
            stop(process)


def _said(words: IO[bytes], what: str) -> bool:
    words.seek(0)
    return what.encode() in words.read()


def _listens_in(container: str, port: int) -> bool:
    wanted = f":{port:04X} .* 0A "
    tables = ("/proc/net/tcp", "/proc/net/tcp6")
    return run(["docker", "exec", container, "grep", "-qs", wanted, *tables], timeout_s=20).status == 0


def _gone(compose: Compose, model: Model) -> str | None:
    if model.name in compose("ps", "--services", "--status", "running").stdout.split():
        return None
    return last_lines(compose("logs", "--no-log-prefix", "--tail", "5", model.name).stdout) or "it says nothing"


def _docker(*arguments: str, check: bool = True) -> str:
    done = run(["docker", *arguments], timeout_s=60)
    if check and done.status != 0:
        raise UsageError(f"Docker says: {last_lines(done.stderr)}")
    return done.stdout
