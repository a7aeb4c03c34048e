"""Finds Docker's engine and Compose, runs `docker compose`, and explains errors and their remedy in one line."""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iolab.errors import EngineMissing, UsageError
from iolab.host import limits
from iolab.host.processes import Finished, last_lines, run
from iolab.runtime.images import image_id

LEAST_COMPOSE = (2, 26)
LEAST_ENGINE = (20, 10)
BUILD_LIMIT_S = 1800.0
BUILDING = "Updating the images; the first time, this takes a minute or two"
COMMAND_LIMIT_S = 120.0


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers."""

    version: str
    compose: str
    cores: int
    cgroup: str
    endpoint: str
    rootless: bool
    cpusets: bool


def find_engine() -> Engine:
    """Return the engine; raises EngineMissing, with the remedy, if there is none, or it or Compose is too old."""
    try:
        info_run = run(["docker", "info", "--format", "{{json .}}"], timeout_s=20)
    except FileNotFoundError:
        raise EngineMissing("Docker is not installed", "install Docker Engine and Compose v2") from None
    except subprocess.TimeoutExpired:
        raise EngineMissing("Docker's engine does not answer", "start it again") from None
    info = json.loads(info_run.stdout) if info_run.stdout.startswith("{") else {}
    if not info.get("ServerVersion"):
        raise EngineMissing(*_engine_trouble(info_run.stderr + " ".join(info.get("ServerErrors") or ())))
    engine = Engine(
        version=info["ServerVersion"],
        compose=_compose_version(),
        cores=info["NCPU"],
        cgroup=f"v{info.get('CgroupVersion', '1')}",
        endpoint=run(
            ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], timeout_s=20
        ).stdout.strip(),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        cpusets=info.get("CPUSet", True),
    )
    if _numbers(engine.version) < LEAST_ENGINE:
        raise EngineMissing(f"Docker Engine {engine.version} is too old", "install 20.10 or later")
    if engine.endpoint and not engine.endpoint.startswith(("unix://", "npipe://")):
        raise EngineMissing(f"Docker's engine is on another machine ({engine.endpoint})", "choose one on this machine")
    if not info.get("CpuCfsQuota", True):
        raise EngineMissing(
            "Docker's engine cannot limit CPUs", "give it the cgroup controller cpu (rootless: delegate it)"
        )
    return engine


def _compose_version() -> str:
    found = run(["docker", "compose", "version", "--short"], timeout_s=20)
    version = found.stdout.strip().removeprefix("v")
    if found.status != 0 or not version:
        try:
            old = run(["docker-compose", "version", "--short"], timeout_s=20).stdout.strip()
        except FileNotFoundError:
            old = ""
        here = f"Compose v1 ({old}) is" if old.startswith("1.") else "Docker Compose is not"
        raise EngineMissing(f"{here} installed", "install Compose v2, the package docker-compose-plugin")
    if _numbers(version) < LEAST_COMPOSE:
        raise EngineMissing(
            f"Docker Compose {version} is too old", "install 2.26 or later, the package docker-compose-plugin"
        )
    return version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


class Compose:
    """`docker compose` for one project of the lab, with the variables that its file takes.

    The open files of containers are among them: what this engine can give.
    """

    def __init__(self, root: Path, project: str, variables: Mapping[str, str], override: Path | None = None) -> None:
        compose_files = ["-f", str(root / "docker-compose.yml"), *(["-f", str(override)] if override else [])]
        self.project = project
        self._root = root
        self._base = ["docker", "compose", "--ansi", "never", *compose_files, "-p", project]
        self.files = limits.container_files(limits.read())
        self.variables = {limits.FILES_VARIABLE: str(self.files), **variables}

    def __call__(self, *arguments: str, timeout_s: float = COMMAND_LIMIT_S, check: bool = True) -> Finished:
        """Run one subcommand; raises UsageError, in one line, if it fails and `check` is set."""
        try:
            done = run(
                [*self._base, *arguments], cwd=self._root, env={**os.environ, **self.variables}, timeout_s=timeout_s
            )
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"docker compose {arguments[0]} did not end within {timeout_s:g} s: look at `docker ps -a`"
            ) from None
        if check and done.status != 0:
            raise UsageError(self.explained(done))
        return done

    def explained(self, done: Finished) -> str:
        """Return one line that says why a subcommand failed."""
        return explain(done.stderr or done.stdout)

    def running(self) -> list[str]:
        """Return the names of the running services."""
        return self("ps", "--services", "--status", "running").stdout.split()

    def containers(self) -> list[dict[str, Any]]:
        """Return what Compose reports about each container, including those that have ended."""
        return [json.loads(line) for line in self("ps", "-a", "--format", "json").stdout.splitlines()]

    def logs(self, service: str, lines: int) -> str:
        """Return the last lines that a service wrote."""
        return self("logs", "--no-log-prefix", "--tail", str(lines), service).stdout

    def down(self) -> None:
        """Stop and remove all containers and networks of the project."""
        self("--profile", "*", "down", "--remove-orphans", "--timeout", "5")

    def build(self, services: Sequence[str]) -> str | None:
        """Build the images of `services` that are not up to date.

        The builder's output is in a file of this process in results/, which stays if the build fails. If it fails but
        older images exist, these are used, and the reason is returned. Raises EngineMissing if there are none.
        """
        log = self._root / "results" / f"docker-build-{os.getpid()}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            try:
                done = run(
                    [*self._base, "--profile", "*", "build", *services],
                    cwd=self._root,
                    env={**os.environ, "BUILDKIT_PROGRESS": "plain", **self.variables},
                    timeout_s=BUILD_LIMIT_S,
                    log=file,
                )
            except subprocess.TimeoutExpired:
                raise EngineMissing(
                    f"building the images did not end within {BUILD_LIMIT_S / 60:g} min", f"see {log}"
                ) from None
        if done.status == 0:
            log.unlink()
            return None
        why, remedy = explain_build(log.read_text(errors="replace"), log)
        images = self("--profile", "*", "config", "--images", *services).stdout.split()
        if images and all(image_id(image) for image in images):
            return why
        raise EngineMissing(why, remedy)


def _engine_trouble(text: str) -> tuple[str, str]:
    if "permission denied" in text:
        return "Docker's engine refuses this user", "add yourself to the group docker and log in again"
    return "Docker's engine is not running", "start it"


_KNOWN = (
    (
        r":(\d+)(?:/\w+|:[\d.]+:\d+/\w+)?:? (?:failed: port is already allocated|(?:bind: )?address already in use)",
        "port {0} is in use by another program: stop it, or choose another port in .env (see .env.example)",
    ),
    (r"Range of CPUs is from 0\.01 to ([\d.]+)", "CPUS: Docker's engine has {0} CPUs; give at most that"),
    (
        r"Requested CPUs are not available - requested ([\d,-]+)",
        "Docker's engine may not use core {0}: see its cpuset",
    ),
)


def explain(text: str) -> str:
    """Return one line that explains Compose's error and what to do, or else the last line of its output."""
    for pattern, line in _KNOWN:
        if match := re.search(pattern, text):
            return line.format(*match.groups())
    return f"Docker says: {last_lines(text, otherwise='nothing')}; `iolab doctor` shows what is available"


_NO_PULL = r"failed to do request|failed to resolve|no such host|pull access denied|not found"
_BASE = (
    r"load metadata for (?P<image>\S+?):?\s*\n",
    r"source metadata for (?P<image>[^\s:]+(?::[\w.-]+)?(?:@\w+:\w+)?)",
    r"(?P<image>[^\s:]+:[\w.-]+(?:@\w+:\w+)?): (?:" + _NO_PULL + ")",
)


def explain_build(text: str, log: Path) -> tuple[str, str]:
    """Return why images could not be built and what to do; `text` is the builder's output."""
    for pattern in _BASE if re.search(f"(?:ERROR|failed to solve): .*(?:{_NO_PULL})", text) else ():
        if match := re.search(pattern, text):
            image = match["image"].removeprefix("docker.io/library/").removeprefix("docker.io/")
            return (
                f"the image {image} cannot be pulled",
                f"set BASE_IMAGE in .env to one that you can pull; the builder's output is in {log}",
            )
    errors = [line for line in text.splitlines() if re.search(r"error", line, re.IGNORECASE)]
    last = re.sub(r"^#\d+ [\d.]* *", "", errors[-1] if errors else last_lines(text)).strip()[:160]
    return f"the images cannot be built ({last})", f"the builder's output is in {log}"
