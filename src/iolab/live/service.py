"""A measured server under strace: what some requests at once make it do, in a container or as a process here."""

import asyncio
import json
import os
import re
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
from iolab.trace.costs import Switches

REQUESTS = 16
LOAD_LIMIT_S = 60.0
READY_LIMIT_S = 30.0
SETTLE_S = 0.5
STRACE = ("strace", "-f", "-ttt", "-T", "-yy", "-s", "128")
GATE = "/tmp/go"  # noqa: S108 (in the container, a file system of its own)
_SWITCHES = re.compile(r"^(non)?voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)
_THREAD = re.compile(r"^Pid:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Running:
    """A server that listens: where, and what reads the status of all its threads."""

    address: tuple[str, int]
    statuses: Callable[[], str]


@dataclass(frozen=True)
class Observed:
    """What was seen of a server: the log of the traced run and when its load was, and the run without strace."""

    log: Path
    start_s: float
    end_s: float
    switches: Switches | None
    seconds: float


def observe(lab: Lab, model: Model, engine: Engine | None, log: Path, say: Say) -> Observed:
    """Send REQUESTS at once to a server, first without strace, then under it; raises UsageError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    keep_older(log)
    serve = _in_docker(lab, model, engine, say) if engine else _here(model)
    say(f"{REQUESTS} requests at once to {model.name}, without strace")
    with serve(None) as running:
        load(running.address, REQUESTS)  # the first ones pay for imports and new threads
        before = running.statuses()
        seconds = load(running.address, REQUESTS)
        switches = switched(before, running.statuses())
    say(f"{REQUESTS} requests at once to {model.name}, under strace")
    with serve(log) as running:
        time.sleep(SETTLE_S)
        start_s = time.time()
        load(running.address, REQUESTS)
        end_s = time.time()
        time.sleep(SETTLE_S)
    return Observed(log, start_s, end_s, switches, seconds)


def keep_older(log: Path) -> None:
    """Give an earlier log the time of its last line as a name: nothing measured is overwritten."""
    if log.exists() and log.stat().st_size:
        when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(log.stat().st_mtime))
        target, number = log.with_name(f"{log.stem}-{when}Z{log.suffix}"), 1
        while target.exists():
            number += 1
            target = log.with_name(f"{log.stem}-{when}Z-{number}{log.suffix}")
        log.rename(target)


def load(address: tuple[str, int], count: int) -> float:
    """Send `count` requests at once, each on a connection of its own; return the seconds until the last answer."""
    began = time.perf_counter()
    try:
        statuses = asyncio.run(_ask_all(address, count))
    except (OSError, TimeoutError) as error:
        raise UsageError(f"the server did not answer {count} requests at once: {error or 'time ran out'}") from error
    wrong = [status for status in statuses if status != "200"]
    if wrong:
        raise UsageError(f"{len(wrong)} of {count} requests were answered with {wrong[0] or 'nothing'}")
    return time.perf_counter() - began


async def _ask_all(address: tuple[str, int], count: int) -> list[str]:
    async with asyncio.timeout(LOAD_LIMIT_S):
        return await asyncio.gather(*(_ask(address) for _ in range(count)))


async def _ask(address: tuple[str, int]) -> str:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    words = answer.decode(errors="replace").split(maxsplit=2)
    return words[1] if len(words) > 1 else ""


def switched(before: str, after: str) -> Switches | None:
    """Return the context switches between two readings of all threads' status; None where threads came or went."""
    if sorted(_THREAD.findall(before)) != sorted(_THREAD.findall(after)):
        return None

    def total(text: str, forced: str) -> int:
        return sum(int(number) for kind, number in _SWITCHES.findall(text) if kind == forced)

    return Switches(total(after, "") - total(before, ""), total(after, "non") - total(before, "non"))


Serve = Callable[[Path | None], AbstractContextManager[Running]]


def _here(model: Model) -> Serve:
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


def _in_docker(lab: Lab, model: Model, engine: Engine, say: Say) -> Serve:
    say(BUILDING)
    variables = standing.variables(lab, engine, 1)
    log_of_build = lab.root / "results" / "docker-build.log"
    Compose(lab.root, project("-trace"), variables).build([model.name, STRACE_SERVICE], log_of_build)
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
