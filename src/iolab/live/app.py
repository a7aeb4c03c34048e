"""The Streamlit app under strace: with any of three event loops, in a container or as a local process."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uv import find_uv_bin

from iolab.errors import EngineMissing, UsageError
from iolab.host import leftovers, ports
from iolab.host.processes import last_lines, run
from iolab.lab import Lab, Service
from iolab.live import standing
from iolab.live.process import LAST_LINES, listening
from iolab.runtime.compose import BUILDING, Compose, Engine, find_engine
from iolab.runtime.strace import check_strace, explain

Loop = Literal["uvicorn", "tornado", "uvloop"]
LOOPS: tuple[Loop, ...] = ("uvicorn", "tornado", "uvloop")
ENVIRONMENT = ".venv-streamlit"  # of the first of these; the others have their name as a suffix
Say = Callable[[str], None]
Press = Callable[[int], None]

SERVICE = "streamlit"
START_LIMIT_S = 60.0
PRESS_LIMIT_S = 120.0
INSTALL_LIMIT_S = 900.0
IDLE_S = 4.0  # before the first click: to see what the loop does without clicks
SETTLE_S = 0.7  # after the last: for the answer to be in the log
NAME = "the Streamlit app"
NAMES = ("CODESPACE_NAME", "ALLOWED_HOSTS")  # variables that say under which names the page is reached


@dataclass(frozen=True)
class Traced:
    """The running app: its log, the port in the log, and a function that presses its button."""

    log: Path
    port: int
    press: Press


def log_name(loop: Loop | None) -> str:
    """Return the name of a variant's log; that of `make up` has no suffix."""
    return f"log_streamlit-{loop}.txt" if loop else "log_streamlit.txt"


def press_standing(lab: Lab, clicks: int, say: Say) -> Traced | None:
    """Press the button of the app that `make up` has started; None if it is not running."""
    compose = Compose(lab.root, lab.project, {"CPUS": "1"})
    if SERVICE not in compose.running():
        return None
    say("Pressing the button")
    traced = Traced(
        lab.root / "results" / "trace" / log_name(None),
        _service(lab).ports[0].container,
        lambda number: _press_in(compose, number),
    )
    traced.press(clicks)
    time.sleep(SETTLE_S)
    return traced


@contextmanager
def in_docker(lab: Lab, engine: Engine, loop: Loop | None, say: Say) -> Iterator[Traced]:
    """Run a variant in a Compose project of its own, separate from `make up`; remove it at the end.

    Without a loop, it is the one that `make up` starts, and its log has that name.
    """
    log = lab.root / "results" / "trace" / log_name(loop)
    loop = loop or LOOPS[0]
    variables = standing.variables(lab, engine, 1) | {
        "LOOP": loop,
        "TRACE_LOG": f"/trace/{log.name}",
        "STREAMLIT_PORT": "0",  # any free one: the button is pressed from inside
        "BIND": "127.0.0.1",  # so no other machine needs to reach it
    }
    compose = Compose(lab.root, f"{lab.project}-trace", variables)
    say(f"{BUILDING} ({loop})")
    compose.build([SERVICE])
    standing.trace_folder(lab.root, variables)
    say(f"Starting Streamlit on {loop} under strace")
    try:
        up = compose("up", "-d", "--no-build", "--wait", SERVICE, timeout_s=START_LIMIT_S + 60, check=False)
        if up.status != 0:
            said = compose.logs(SERVICE, 20)
            why = last_lines(said, LAST_LINES, compose.explained(up))
            raise UsageError(explain(said) or f"Streamlit did not start: {why}")
        yield Traced(log, _service(lab).ports[0].container, lambda clicks: _press_in(compose, clicks))
    finally:
        with suppress(UsageError):
            compose.down()


def _press_in(compose: Compose, clicks: int) -> None:
    done = compose(
        "exec", "-T", SERVICE, "python", "press.py", "--clicks", str(clicks), timeout_s=PRESS_LIMIT_S, check=False
    )
    if "press.py" in done.stderr and "No such file" in done.stderr:
        raise UsageError("the running Streamlit app is of an older version: restart it with `make down` and `make up`")
    if done.status != 0:
        raise UsageError(last_lines(done.stderr, LAST_LINES, compose.explained(done)))


@contextmanager
def here(lab: Lab, loop: Loop, log: Path, say: Say) -> Iterator[Traced]:
    """Run a variant as a local process, in an environment of its own; at the end it is stopped and the log complete."""
    check_strace()
    service = _service(lab)
    port = service.ports[0].host
    leftovers.end()
    ports.check_free("127.0.0.1", port, NAME)
    python = environment(lab.root, loop, say)
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"Starting Streamlit on {loop} under strace")
    variables = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PORT": str(port),
        "PUBLISHED_PORT": str(port),
        **{name: service.environment.get(name, "") for name in NAMES},
        "ADDRESS": "127.0.0.1",  # Streamlit itself would listen on all addresses
        "TRACE_LOG": str(log.absolute()),
        "LOOP": loop,
    }
    with listening(NAME, ["sh", "traced.sh"], service.folder, variables, port=port, limit_s=START_LIMIT_S):
        yield Traced(log, port, lambda clicks: _press(python, service, port, clicks))


def _press(python: Path, service: Service, port: int, clicks: int) -> None:
    pressing = [str(python), "press.py", f"http://127.0.0.1:{port}", "--clicks", str(clicks)]
    try:
        done = run(pressing, cwd=service.folder, env=unset(os.environ), timeout_s=PRESS_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise UsageError(f"the button could not be pressed within {PRESS_LIMIT_S:g} s") from None
    if done.status != 0:
        raise UsageError(last_lines(done.stderr, LAST_LINES))


def unset(variables: Mapping[str, str]) -> dict[str, str]:
    """Return `variables` without the user's settings of Streamlit, as traced.sh does: an import of it reads them."""
    return {name: value for name, value in variables.items() if not name.startswith("STREAMLIT_")} | {
        "HOME": "/nonexistent"  # of ~/.streamlit
    }


def folder(root: Path, loop: Loop) -> Path:
    """Return the folder of the variant's own environment."""
    return root / (ENVIRONMENT if loop == LOOPS[0] else f"{ENVIRONMENT}-{loop}")


def environment(root: Path, loop: Loop, say: Say) -> Path:
    """Return the Python of the variant's own environment, which is created or updated if necessary."""
    place = folder(root, loop)
    requirements = root / "services" / SERVICE / f"requirements-{loop}.txt"
    # An environment has the paths of its folder in it, which may have been moved or copied.
    wanted = hashlib.sha256(requirements.read_bytes() + os.fsencode(place.resolve())).hexdigest()
    mark, python = place / "requirements.sha256", place / "bin" / "python"
    if mark.is_file() and mark.read_text(encoding="ascii") == wanted and python.is_file():
        return python
    say(f"Installing Streamlit for {loop} (the first time: up to a minute)")
    shutil.rmtree(place, ignore_errors=True)
    _do([sys.executable, "-m", "venv", "--without-pip", str(place)], loop)
    what = ["install", "--quiet", "--require-hashes", "-r", str(requirements)]
    try:
        _do([find_uv_bin(), "pip", *what, "--python", str(python)], loop)
    except UsageError:  # uv ignores pip's settings, such as a mirror
        _do([sys.executable, "-m", "pip", "--python", str(python), *what, "--disable-pip-version-check"], loop)
    mark.write_text(wanted, encoding="ascii")
    return python


def _do(command: Sequence[str], loop: Loop) -> None:
    try:
        done = run(command, timeout_s=INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise UsageError(f"installing Streamlit took more than {INSTALL_LIMIT_S / 60:g} min") from None
    if done.status != 0:
        why = last_lines(done.stderr or done.stdout, LAST_LINES)
        raise UsageError(f"Streamlit for {loop} cannot be installed: {why}")


def _service(lab: Lab) -> Service:
    for service in lab.services:
        if service.name == SERVICE and service.folder and service.ports:
            return service
    raise UsageError(f"docker-compose.yml has no service {SERVICE}")


def engine_or_reason(wanted: str) -> tuple[Engine | None, str]:
    """Return the engine to use, or None and the reason; raises EngineMissing if Docker is wanted and not available."""
    if wanted == "local":
        return None, "requested by RUNTIME=local"
    try:
        return find_engine(), ""
    except EngineMissing as missing:
        if wanted == "docker":
            raise
        return None, missing.why
