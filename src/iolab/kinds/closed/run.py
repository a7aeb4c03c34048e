"""One trial of a closed loop: start the server, verify it, warm it up, load it."""

import math
from dataclasses import replace
from datetime import UTC, datetime

from iolab.bench import Bench
from iolab.errors import LoadFailed, TrialFailed
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.closed.plan import Trial, prediction
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Model
from iolab.loadgen import Job, Load, LoadGenerator
from iolab.results.records import MachineUsage, ServerUsage
from iolab.runtime import Server
from iolab.runtime.probe import verify
from iolab.runtime.running import RunningServer
from iolab.runtime.usage import metering

LEAST_LIMIT_S = 60.0  # a dropped connection attempt is sent again several times, with growing pauses
LIMIT_FACTOR = 5.0
RUNNING_LIMIT_S = 300.0  # of a server of which nothing is known, or of which its user's word may be wrong
LEAST_ANSWER_LIMIT_S = 20.0  # hey's own default; an answer later than the limit counts as none


def run(experiment: ClosedExperiment, trial: Trial, bench: Bench) -> Measured[ClosedRecord]:
    """Measure one trial; one that fails is a record with a reason, and the next trial has a new server."""
    load, usage, machine, reason = Load(samples=(), cpu_s=None), ServerUsage(), MachineUsage(), None
    server: Server | None = None
    ceiling_rps: float | None = None
    model, plan = bench.models[trial.model], bench.plans[trial.cpus]
    started = datetime.now(UTC)
    try:
        generator = bench.generator(plan)
        ceiling_rps = bench.ceiling_rps(plan, trial.concurrency)
        variables = experiment.settings(trial.variant).variables() if trial.variant else {}
        server = bench.server(model, plan, trial.variant, variables)
        job = _job(experiment, trial, model, server)
        _prepare(experiment, trial, job, model, server, generator)
        with metering(server) as meter, watching() as watch:
            started = datetime.now(UTC)
            load = generator.run(job)
        usage, machine = meter.usage(), watch.usage()
        server.check_alive()
        load.check_complete(trial.requests)
    except TrialFailed as error:
        reason = _cause(error, server)
        bench.servers.discard((trial.model, plan, trial.variant))
        if isinstance(error, LoadFailed):
            bench.restart_generator(plan)
    if bench.runtime.starts_are_cheap:
        bench.servers.discard(*bench.servers.opened())  # a repeat is a server's whole life: its start varies too
    record = ClosedRecord(
        **trial.model_dump(exclude={"requests"}),
        requested=trial.requests,
        sent=len(load.samples),
        ok=load.ok,
        errors=len(load.samples) - load.ok,
        started=started,
        duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
        valid=reason is None,
        reason=reason,
        server=usage,
        client=load.usage.model_copy(update={"ceiling_rps": ceiling_rps}),
        machine=machine,
    )
    return Measured(record, {"requests": load.samples})


def _job(experiment: ClosedExperiment, trial: Trial, model: Model, server: Server) -> Job:
    answer_limit_s, timeout_s = LEAST_ANSWER_LIMIT_S, RUNNING_LIMIT_S if experiment.running else 0.0
    if experiment.predictable:
        theory = prediction(trial, model, experiment.settings(trial.variant))
        answer_limit_s = max(answer_limit_s, LIMIT_FACTOR * theory.latency_s)
        timeout_s = max(timeout_s, LEAST_LIMIT_S + LIMIT_FACTOR * trial.requests / theory.throughput_rps)
    return Job(
        url=server.url,
        users=trial.concurrency,
        requests=trial.requests,
        answer_limit_s=answer_limit_s,
        timeout_s=math.ceil(timeout_s),
    )


def _prepare(  # noqa: PLR0917 (all that a trial has)
    experiment: ClosedExperiment, trial: Trial, job: Job, model: Model, server: Server, generator: LoadGenerator
) -> None:
    """Verify that the server waits as it should, then warm it up with as many users as it can serve at once.

    More users would fill its accept queue before the trial begins: so where that number is not known, with one.
    """
    settings = experiment.settings(trial.variant)
    if isinstance(server, RunningServer):
        server.verify()
    else:
        constant = settings.wait_distribution == "constant"
        # A timer may fire a millisecond early; a tenth is enough to tell a wait from none.
        verify(server.address, 0.9 * settings.wait_ms / 1000 if constant else 0.0, job.answer_limit_s)
    users = int(min(job.users, model.workers)) if model.workers_known else 1
    warm_up = generator.run(replace(job, users=users, requests=2 * users))
    if warm_up.stopped:
        raise LoadFailed(f"while warming up, {warm_up.stopped}")


def _cause(error: TrialFailed, server: Server | None) -> str:
    """Return why a trial failed: if the server has ended, that is why, whatever it looked like from outside."""
    try:
        if server:
            server.check_alive()
    except TrialFailed as death:
        return str(death)
    return str(error)
