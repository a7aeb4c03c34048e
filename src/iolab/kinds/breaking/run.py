"""Measures work that blocks: users, a bystander, and then the culprit by the server's own log."""

import http.client
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iolab.errors import ServerFailed, UsageError
from iolab.experiment import Experiment
from iolab.kinds.breaking.plan import Blame, Broken, Seen, Way, blame, expected
from iolab.lab import Lab, Model
from iolab.loadgen import Job, LoadGenerator
from iolab.loadgen.opening import opener
from iolab.results.records import Sample
from iolab.runtime import Server
from iolab.runtime.choice import Place
from iolab.runtime.probe import get
from iolab.runtime.usage import metering
from iolab.session import Plan

ANSWER_LIMIT_S = 20.0
START_S = 10.0
SIGHTS = 8  # turns of the loop, in each of which the watchdog looks once
STANDSTILL = 3  # times the work of a request: shorter ones happen to everybody


def settings(experiment: Experiment) -> Broken:
    """Return what is to be compared; raises UsageError for an experiment that does not say so."""
    if experiment.broken is None:
        raise UsageError(f"experiment {experiment.name} has no [broken]: take experiments/break.toml")
    return experiment.broken


def servers(plan: Plan) -> list[Model]:
    """Return the servers of all ways; raises UsageError where there is none of that name."""
    wanted = dict.fromkeys(way.service for way in settings(plan.experiment).ways)
    return [server_of(plan.lab, name) for name in wanted]


def server_of(lab: Lab, name: str) -> Model:
    return lab.select([name], "service", shown_too=True)[0]


def variables(experiment: Experiment, way: Way, watch_ms: float = 0.0) -> dict[str, str]:
    """Return the environment that makes a server work in that way, and tell standstills of `watch_ms` (0: none)."""
    server = experiment.server
    wait_ms, cpu_ms = (server.wait_ms, 0.0) if way.work == "wait" else (0.0, server.cpu_ms)
    sizes = {"POOL": str(way.pool), "THREADS": str(way.pool)}
    times = {"WAIT_MS": f"{wait_ms:g}", "CPU_MS": f"{cpu_ms:g}", "WATCH_MS": f"{watch_ms:g}"}
    return {**times, **sizes, "WORK_IN": way.place}


def work_s(experiment: Experiment, way: Way) -> float:
    """Return how long a request's work takes."""
    return (experiment.server.wait_ms if way.work == "wait" else experiment.server.cpu_ms) / 1000


def measure(plan: Plan, place: Place, say: Callable[[str], None]) -> tuple[list[Seen], list[Blame]]:
    """Measure every way, then let the loop's own eyes see who blocks it. Raises TrialFailed where one fails."""
    experiment = plan.experiment
    cpus = place.plans[experiment.cpus[0]]
    with place.runtime as runtime, opener(place.generator)(runtime, cpus) as generator:
        seen = []
        for way in settings(experiment).ways:
            say(way.name)
            with runtime.serve(server_of(plan.lab, way.service), cpus, variables(experiment, way)) as server:
                seen.append(_load(experiment, way, server, generator))
        blames = []
        for way in settings(experiment).ways:
            if way.place == "loop":
                say(f"{way.name}: who is it?")
                watched = variables(experiment, way, STANDSTILL * work_s(experiment, way) * 1000)
                with runtime.serve(server_of(plan.lab, way.service), cpus, watched) as server:
                    users = experiment.concurrency[0]
                    generator.run(Job(server.url, users, SIGHTS * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S))
                    server.check_alive()
                    blames.append(blame(way.work, server.log()))
    return seen, blames


def _load(experiment: Experiment, way: Way, server: Server, generator: LoadGenerator) -> Seen:
    users, wanted = experiment.concurrency[0], settings(experiment)
    theory = expected(way, users, work_s(experiment, way), experiment.cpus[0])
    requests = math.ceil(wanted.seconds * theory.throughput_rps / users) * users
    generator.run(Job(server.url, users, 2 * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S))  # to warm up
    job = Job(server.url, users, requests, ANSWER_LIMIT_S, 5 * wanted.seconds + 60)
    with metering(server) as meter, bystander(server, wanted.bystander_ms / 1000) as seen:
        load = generator.run(job)
    server.check_alive()
    load.check_complete(requests)
    if not seen:
        raise ServerFailed(f"{way.name}: the load ended before the bystander had an answer")
    return Seen(way, theory, tuple(load.samples), tuple(seen), meter.usage())


@contextmanager
def bystander(server: Server, pause_s: float) -> Iterator[list[Sample]]:
    """Ask for the server's health during the block, and again `pause_s` after each answer; yield what comes of it."""
    over, seen = threading.Event(), list[Sample]()
    begin = time.perf_counter()

    def ask() -> None:
        while not over.wait(pause_s):
            start = time.perf_counter() - begin
            try:
                status, latency_s = get(server.address, "/healthz", ANSWER_LIMIT_S)
                seen.append(Sample(start, latency_s, status))
            except (OSError, http.client.HTTPException):
                seen.append(Sample(start, None, 0))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
