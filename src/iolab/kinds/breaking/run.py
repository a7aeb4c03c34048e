"""Measures work that blocks: users, a bystander, and then the culprit, from the server's own log."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from iolab.bench import Bench
from iolab.errors import LoadFailed, ServerFailed, TrialFailed
from iolab.host.activity import watching
from iolab.host.cores import CpuPlan
from iolab.kind import Measured
from iolab.kinds.breaking.culprit import find_culprit
from iolab.kinds.breaking.plan import Trial, expected
from iolab.kinds.breaking.records import BreakRecord
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.lab import Lab, Model
from iolab.loadgen import Job, Load
from iolab.results.records import ClientUsage, MachineUsage, ServerUsage
from iolab.results.samples import Sample
from iolab.runtime import Server
from iolab.runtime.probe import get
from iolab.runtime.usage import metering

ANSWER_LIMIT_S = 20.0
START_S = 10.0
SIGHTS = 8  # iterations of the loop, in each of which the watchdog reads the stack once
STANDSTILL = 3  # times the work of a request: shorter ones happen in every server


def servers(experiment: BreakExperiment, lab: Lab) -> list[Model]:
    """Return the servers of all strategies; raises UsageError if a server does not exist."""
    return [
        server_of(lab, name) for name in dict.fromkeys(strategy.service for strategy in experiment.broken.strategies)
    ]


def server_of(lab: Lab, name: str) -> Model:
    """Return a server, which may be one that no benchmark measures; raises UsageError if it does not exist."""
    return lab.select([name], "service", shown_too=True)[0]


def expected_s(experiment: BreakExperiment) -> float:
    """Return how long all strategies are loaded, and the requests of each search take, one after the other."""
    strategies, users = experiment.broken.strategies, experiment.concurrency[0]
    searches_s = sum(
        SIGHTS * users * experiment.work_ms(strategy) / 1000 for strategy in strategies if strategy.place == "loop"
    )
    return len(strategies) * experiment.broken.seconds + searches_s


def run(experiment: BreakExperiment, trial: Trial, bench: Bench) -> Measured[BreakRecord]:
    """Measure one trial on a server of its own; a trial that fails is a record with a reason."""
    return seek(experiment, trial, bench) if trial.seeks else load(experiment, trial, bench)


def load(experiment: BreakExperiment, trial: Trial, bench: Bench) -> Measured[BreakRecord]:
    """Load a strategy by users, while a bystander requests the server's health."""
    strategy, wanted = trial.strategy, experiment.broken
    users, plan = experiment.concurrency[0], bench.plans[experiment.cpus[0]]
    theory = expected(strategy, users, experiment.work_ms(strategy) / 1000, experiment.cpus[0])
    requests = theory.requests(users, wanted.seconds)
    sent, responses = Load((), None), list[Sample]()
    usage, machine, reason = ServerUsage(), MachineUsage(), None
    started = datetime.now(UTC)
    try:
        generator = bench.generator(plan)
        with bench.runtime.serve(
            server_of(bench.lab, strategy.service), plan, experiment.variables_of(strategy)
        ) as server:
            generator.run(Job(server.url, users, 2 * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S))  # to warm up
            job = Job(server.url, users, requests, ANSWER_LIMIT_S, 5 * wanted.seconds + 60)
            with (
                metering(server) as meter,
                watching() as watch,
                bystander(server, wanted.bystander_ms / 1000) as responses,
            ):
                started = datetime.now(UTC)
                sent = generator.run(job)
            usage, machine = meter.usage(), watch.usage()
            server.check_alive()
            sent.check_complete(requests)
            if not responses:
                raise ServerFailed(f"{strategy.name}: the load ended before the bystander got an answer")
    except TrialFailed as error:
        reason = _reason(error, bench, plan)
    record = BreakRecord(
        index=trial.index,
        strategy=strategy,
        started=started,
        duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
        valid=reason is None,
        reason=reason,
        server=usage,
        client=sent.usage,
        machine=machine,
    )
    return Measured(record, {"requests": sent.samples, "bystander": responses})


def seek(experiment: BreakExperiment, trial: Trial, bench: Bench) -> Measured[BreakRecord]:
    """Find which code blocks the loop, by its debug mode and a watchdog; their cost is not measured."""
    strategy, users, plan = trial.strategy, experiment.concurrency[0], bench.plans[experiment.cpus[0]]
    culprit, reason = None, None
    usage, client, machine = ServerUsage(), ClientUsage(), MachineUsage()
    started = datetime.now(UTC)
    try:
        generator = bench.generator(plan)
        watched = experiment.variables_of(strategy, STANDSTILL * experiment.work_ms(strategy))
        with bench.runtime.serve(server_of(bench.lab, strategy.service), plan, watched) as server:
            job = Job(server.url, users, SIGHTS * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S)
            with metering(server) as meter, watching() as watch:
                started = datetime.now(UTC)
                client = generator.run(job).usage
            usage, machine = meter.usage(), watch.usage()
            server.check_alive()
            culprit = find_culprit(strategy.work, server.log())
    except TrialFailed as error:
        reason = _reason(error, bench, plan)
    record = BreakRecord(
        index=trial.index,
        strategy=strategy,
        seeks=True,
        culprit=culprit,
        started=started,
        duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
        valid=reason is None,
        reason=reason,
        server=usage,
        client=client,
        machine=machine,
    )
    return Measured(record)


def _reason(error: TrialFailed, bench: Bench, plan: CpuPlan) -> str:
    """Return why a trial failed; a load generator that failed is replaced for the next trial."""
    if isinstance(error, LoadFailed):
        bench.restart_generator(plan)
    return str(error)


@contextmanager
def bystander(server: Server, pause_s: float) -> Iterator[list[Sample]]:
    """Request the server's health during the block, `pause_s` after each answer; yield the responses."""
    over, responses = threading.Event(), list[Sample]()
    begin = time.perf_counter()

    def ask() -> None:
        while not over.wait(pause_s):
            start = time.perf_counter() - begin
            try:
                status, latency_s, _ = get(server.address, "/healthz", ANSWER_LIMIT_S)
                responses.append(Sample(start, latency_s, status))
            except (OSError, http.client.HTTPException):
                responses.append(Sample(start, None, 0))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield responses
    finally:
        over.set()
        thread.join()
