"""The standing lab: `iolab up` and `iolab down`."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from iolab.errors import UsageError
from iolab.host import cores, cpu, ports
from iolab.host.lock import only_bench
from iolab.host.processes import last_lines
from iolab.lab import Lab, Model
from iolab.runtime import strace
from iolab.runtime.compose import BUILDING, Compose, Engine
from iolab.service import Service

USER_IN_CONTAINER = 1000
READY_LIMIT_S = 90
PAGES = {
    "streamlit": "Streamlit under strace (log: results/trace/log_streamlit.txt)",
    "locust": "Locust's web page: choose models, press Start",
}


def variables(lab: Lab, engine: Engine, limit: float) -> dict[str, str]:
    """Return the variables of docker-compose.yml: user, CPU limit, cores, Locust's targets; raises UsageError."""
    uid, gid = os.getuid(), os.getgid()
    if engine.rootless:
        uid = gid = 0  # root in the container is this user on the host
    elif uid == 0:
        uid = gid = USER_IN_CONTAINER  # never root in a container
    return {
        "LAB_UID": str(uid),
        "LAB_GID": str(gid),
        **cores.plan(limit, range(engine.cores), cpu.siblings()).variables(),
        "TARGETS": targets(lab, lambda model: f"{model.name}:{model.port.container}"),
    }


def targets(lab: Lab, place: Callable[[Model], str]) -> str:
    """Return the targets from which loadtest/locustfile.py makes its classes: a name and a URL for each model."""
    return " ".join(f"{model.letter}{model.name.capitalize()}=http://{place(model)}" for model in lab.models)


def up(
    lab: Lab, engine: Engine, limit: float, workers: int, say: Callable[[str], None], *, loads: str
) -> list[tuple[str, str]]:
    """Build and start everything, wait until it is healthy, and return what can be opened: (address, title).

    `loads` says which classes Locust's page shows (loadtest/locustfile.py).
    Raises UsageError for a port that is taken, an image that cannot be built, a service that does not come up. If
    nothing ran before, nothing runs after such an end.
    """
    settings = {**variables(lab, engine, limit), "LOADS": loads}
    if behind := _behind(lab):
        settings["COMPOSE_PROFILES"] = ",".join(name for service in behind for name in service.profiles)
    ports.check_shared(standing(lab))
    compose = Compose(lab.root, lab.project, settings)
    running = compose.running()
    for service in standing(lab):
        if service.name not in running:
            for port in service.ports:
                ports.check_free(port.address, port.host, service.name)
    say(BUILDING)
    compose.build([service.name for service in standing(lab) if service.folder])
    trace_folder(lab.root, settings)
    say("Starting")
    try:
        patience = ("--wait", "--wait-timeout", str(READY_LIMIT_S))
        scale = ("--scale", f"locust-worker={workers}")
        started = compose("up", "-d", "--no-build", *patience, *scale, timeout_s=READY_LIMIT_S + 60, check=False)
        if started.status != 0:
            raise UsageError(_trouble(compose) or compose.explained(started))
    except BaseException:
        if not running:
            _remove(lab, lab.project)
        raise
    return pages(lab)


def pages(lab: Lab) -> list[tuple[str, str]]:
    """Return the pages to open in a browser: (address, title)."""
    return [
        (f"http://{ports.shown(port.address)}:{port.host}", _title(lab, service))
        for service in standing(lab)
        for port in service.ports[:1]  # other ports have no pages
    ]


def down(lab: Lab) -> None:
    """Stop and remove all containers and networks of the lab, and what a killed benchmark left behind.

    A running benchmark is not stopped.
    """
    _remove(lab, lab.project)
    _remove(lab, f"{lab.project}-trace")
    with suppress(UsageError), only_bench():
        _remove(lab, f"{lab.project}-bench")


def _remove(lab: Lab, name: str) -> None:
    Compose(lab.root, name, {"CPUS": "1"}).down()


def standing(lab: Lab) -> list[Service]:
    """Return the services that `up` starts: those without a profile, and the downstream service where it is used."""
    return [service for service in lab.services if not service.profiles or service in _behind(lab)]


def _behind(lab: Lab) -> list[Service]:
    return [lab.downstream] if any(model.connections for model in lab.models) else []


def trace_folder(root: Path, settings: Mapping[str, str]) -> None:
    """Make the folder of the logs, and make the user of the containers its owner."""
    folder = root / "results" / "trace"
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, int(settings["LAB_UID"]), int(settings["LAB_GID"]))


def _trouble(compose: Compose) -> str | None:
    """Return one line about the first service that has ended or is unhealthy, with its last output."""
    for container in compose.containers():
        if container["State"] == "exited" or container["Health"] == "unhealthy":
            logs = compose.logs(container["Service"], 20)
            if refused := strace.explain(logs):
                return f"{container['Service']}: {refused}"
            said = last_lines(logs, otherwise="nothing")
            state = container["Health"] or container["State"]
            return f"{container['Service']} is {state} and did not start; its last output: {said}"
    return None


def _title(lab: Lab, service: Service) -> str:
    for model in lab.models:
        if model.name == service.name:
            return f"Server {model.letter}: {model.title}"
    return PAGES.get(service.name, service.name)
