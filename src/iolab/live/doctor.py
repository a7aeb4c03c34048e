"""Checks whether this machine has what the lab needs, and says what to do if something is missing."""

import shutil
from dataclasses import replace

from iolab.errors import EngineMissing, UsageError
from iolab.host import capacity, cores, limits, machine, ports, programs
from iolab.host.capacity import Need
from iolab.host.machine import Machine
from iolab.lab import Lab
from iolab.live import disturbance, surroundings
from iolab.runtime import strace
from iolab.runtime.compose import find_engine
from iolab.runtime.images import image_id

GET_HEY = "apt install hey, brew install hey"
ANOTHER = " (on GitHub: Code, Codespaces, New with options, Event-Driven I/O Lab with Docker)"
CROWD, LEAST_CROWD = 100_000, 1_000  # users: the most that `make crowd` accepts, and the least that are useful


def facts(lab: Lab) -> list[tuple[bool | None, str, str]]:
    """Return (fine or not, or None for not checked; name; description) for each check."""
    place = machine.read()
    around = surroundings.rows(place, lab.root, strace.refusal(place))
    found = [*around, *_docker(lab, place), _hey(), _wrk(), _cores(), *disturbance.now()]
    return [*found, *crowd(limits.read()), *_ports(lab)]


def _docker(lab: Lab, place: Machine) -> list[tuple[bool | None, str, str]]:
    try:
        engine = find_engine()
    except EngineMissing as missing:
        return [no_docker(place, missing)]
    versions = f"engine {engine.version}, Compose {engine.compose}, cgroup {engine.cgroup}, {engine.cores} cores"
    lacking = [model.name for model in lab.models if not image_id(model.service.image)]
    images = f"not built yet: {', '.join(lacking)}; the first make bench builds them (about 2 min)"
    return [
        (True, "Docker", versions),
        (not lacking, "images", images if lacking else "built"),
        disturbance.containers(lab.project),
    ]


def no_docker(place: Machine, missing: EngineMissing) -> tuple[bool | None, str, str]:
    """Return the row for a machine without Docker; a codespace has it in its second definition only."""
    if not place.codespace:
        return False, "Docker", str(missing)
    return True, "Docker", "not in this codespace; make up and fractions of a CPU need one with Docker" + ANOTHER


def _hey() -> tuple[bool | None, str, str]:
    path, genuine = programs.hey()
    if path and not genuine:
        return False, "hey", f"{path} is another program of that name: local benchmarks use Locust; {GET_HEY}"
    return genuine, "hey", path or f"not on PATH: local benchmarks use Locust; {GET_HEY}"


def _wrk() -> tuple[bool | None, str, str]:
    path = shutil.which("wrk")
    return bool(path), "wrk", path or "not on PATH: make crosscheck leaves it out (apt install wrk)"


def _cores() -> tuple[bool | None, str, str]:
    count = len(cores.available())
    if count > 1:
        return True, "cores", f"{count}: CPUS up to {count - 1} leaves one for the load generator"
    return False, "cores", "1: server and load generator share it; use a machine with more cores for reliable numbers"


def crowd(machine: limits.Facts) -> list[tuple[bool | None, str, str]]:
    """Return how many chat users local servers of each kind can hold on this machine."""
    room = (machine.files or CROWD) - capacity.SPARE_FILES
    clients = capacity.processes_for(CROWD, room)
    one = Need(CROWD, client_processes=clients, divisible=True)
    several = replace(one, processes=max(2, clients))
    threads = Need(CROWD, client_processes=clients).with_threads()
    kinds = (
        ("asyncio, one process", one),
        (f"asyncio, {several.processes} processes", several),
        ("a thread each, one process", threads),
    )
    rows: list[tuple[bool | None, str, str]] = []
    for kind, need in kinds:
        users, sentence = capacity.capped(CROWD, capacity.applicable(machine, need))
        rows.append((users >= LEAST_CROWD, "crowd", f"{kind}: {sentence or f'{CROWD:,} users can connect'}"))
    return rows


def _shared_ports(lab: Lab) -> list[tuple[bool | None, str, str]]:
    """Return a row for each port that several services would publish."""
    return [(False, "ports", text) for text in ports.shared(lab.services)]


def _ports(lab: Lab) -> list[tuple[bool | None, str, str]]:
    rows = _shared_ports(lab)
    for service in lab.services:
        for port in service.ports:
            try:
                ports.check_free(port.address, port.host, service.name)
                rows.append((True, "ports", f"port {port.host} for {service.name} is free"))
            except UsageError as error:
                rows.append((False, "ports", str(error)))
    return rows
