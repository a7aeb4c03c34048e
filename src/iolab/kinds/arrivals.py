"""Shared by kinds with planned arrivals: the load generator, the calibration of a model, and one plan on a server.

The kinds are `open` and `slo`, which do not import each other.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from iolab.bench import Bench
from iolab.errors import LoadFailed, TrialFailed
from iolab.experiment import ServerSettings
from iolab.findings.generator import LATE_S, REMEDY
from iolab.host.activity import watching
from iolab.host.cores import CpuPlan
from iolab.kind import Line, Measured
from iolab.kinds.arrival_records import Calibration, OpenRecord
from iolab.lab import Model
from iolab.loadgen.openloop import Arrivals, OpenLoad, OpenLoop, Turn
from iolab.loadgen.workers import Crew, gathered
from iolab.report import numbers
from iolab.results.records import Finding, MachineUsage, ServerUsage
from iolab.results.rows import MOST_ROWS
from iolab.results.samples import OpenSample
from iolab.runtime import Server
from iolab.runtime.usage import metering

ONE_BY_ONE, A_WORKER = 50, 60  # requests of a calibration: of one user alone, and for each worker
WARM_UP_USERS = 4
ANSWER_LIMIT_S = 60.0
MOST_REQUESTS = MOST_ROWS // 2  # of a plan: the number of arrivals is random

R = TypeVar("R", bound=OpenRecord)


@dataclass(frozen=True)
class Planned:
    """A plan for one model's server; `utilisation` is that of each worker, None if it has no queue."""

    index: int
    model: Model
    cores: CpuPlan
    variant: str
    settings: ServerSettings
    utilisation: float | None
    arrivals: Arrivals
    calibration: Calibration


@dataclass(frozen=True)
class OpenResult:
    """Result of one open-loop trial; `failure` says why it is not valid: the server died, or the load ended early."""

    load: OpenLoad
    started: datetime
    duration_s: float
    usage: ServerUsage = field(default_factory=ServerUsage)
    machine: MachineUsage = field(default_factory=MachineUsage)
    failure: str | None = None

    @property
    def unanswered(self) -> str | None:
        """How many requests got no answer 200, and why; None if all were answered."""
        missing = Counter(
            sample.failure or f"status {sample.status}" for sample in self.load.samples if sample.status != 200
        )
        if not missing:
            return None
        kinds = ", ".join(f"{count} {kind}" for kind, count in missing.most_common())
        return f"{missing.total()} of {len(self.load.samples)} requests got no answer 200 ({kinds})"


def generator(bench: Bench, crew: Crew, cores: CpuPlan) -> OpenLoop:
    """Return the open-loop load generator; raises UsageError if its workers do not join."""
    found: OpenLoop = bench.others.get("open loop", lambda: gathered(crew, bench.runtime, cores, bench.say))
    return found


def calibration_s(service_s: float, workers: float) -> float:
    """Return how long the requests of a calibration take in theory."""
    return service_s * (ONE_BY_ONE + (0 if math.isinf(workers) else 2 * A_WORKER))


def calibrated(bench: Bench, client: OpenLoop, model: Model, cores: CpuPlan, settings: ServerSettings) -> Calibration:
    """Calibrate a model, on a server of its own; raises TrialFailed if that fails."""
    bench.say(f"Calibrating {model.letter}")
    bench.servers.discard(*bench.servers.opened())
    constant = settings.model_copy(update={"wait_distribution": "constant", "reuseport": False})
    with bench.runtime.serve(model, cores, constant.variables()) as server:
        return calibrate(client, server, model.places)


def calibrate(client: OpenLoop, server: Server, workers: float) -> Calibration:
    """Measure a model's constant times in closed loops: alone, and with twice as many users as workers.

    Under saturation every worker goes from one request to the next, so that workers / throughput is the service time;
    the response time of a single user is the service time and the transit time. Raises LoadFailed if the server does
    not answer, or does not report its service times.
    """
    client.closed(server.url, 1, 5, ANSWER_LIMIT_S)  # to warm up
    alone = _answered(client.closed(server.url, 1, ONE_BY_ONE, ANSWER_LIMIT_S))
    latency_s = float(np.mean([turn.latency_s for turn in alone]))
    reported_s = [turn.service_s for turn in alone if turn.service_s is not None]
    if len(reported_s) < len(alone):
        raise LoadFailed("the server sends no Server-Timing header: its service times are not known")
    mean_reported_s = float(np.mean(reported_s))
    if math.isinf(workers):
        return Calibration(service_s=latency_s, overhead_s=latency_s - mean_reported_s, transit_s=0.0)
    users = 2 * int(workers)
    turns = _answered(client.closed(server.url, users, A_WORKER * users, ANSWER_LIMIT_S))
    # At both ends, not all users have a request under way.
    done_s = np.sort([turn.start_s + turn.latency_s for turn in turns])[2 * users : -2 * users]
    service_s = workers * float(done_s[-1] - done_s[0]) / (len(done_s) - 1)
    overhead_s = max(0.0, service_s - mean_reported_s)
    return Calibration(
        service_s=service_s, overhead_s=overhead_s, transit_s=max(0.0, latency_s - mean_reported_s - overhead_s)
    )


def send(bench: Bench, client: OpenLoop, planned: Planned) -> OpenResult:
    """Send all arrivals of a plan.

    Consecutive plans of the same model and variant share a server, no other server runs meanwhile, and after a failed
    plan the next one has a new server.
    """
    load, used, machine, failure = OpenLoad([], 0.0), ServerUsage(), MachineUsage(), None
    started = datetime.now(UTC)
    try:
        server = _served(bench, client, planned)
        started = datetime.now(UTC)
        with metering(server) as meter, watching() as watch:
            load = client.run(server.url, planned.arrivals, ANSWER_LIMIT_S)
        used, machine = meter.usage(), watch.usage()
        server.check_alive()
        if load.stopped:
            raise LoadFailed(load.stopped)
    except TrialFailed as error:
        failure = str(error)
    duration_s = round((datetime.now(UTC) - started).total_seconds(), 6)
    result = OpenResult(load, started, duration_s, used, machine, failure)
    if result.failure or result.unanswered:
        bench.servers.discard(*bench.servers.opened())
    return result


def record(
    kind: type[R], planned: Planned, result: OpenResult, reason: str | None, others: Mapping[str, Any]
) -> Measured[R]:
    """Return the record of a plan and its rows; with a reason, it is not valid."""
    samples, arrivals = result.load.samples, planned.arrivals
    ok = sum(sample.status == 200 for sample in samples)
    trial = kind(
        index=planned.index,
        model=planned.model.letter,
        service=planned.model.name,
        cpus=planned.cores.cpus,
        variant=planned.variant,
        requested=len(samples),
        sent=len(samples),
        ok=ok,
        errors=len(samples) - ok,
        started=result.started,
        duration_s=result.duration_s,
        valid=reason is None,
        reason=reason,
        server=result.usage,
        client=result.load.usage,
        machine=result.machine,
        load_workers=result.load.workers,
        lost_workers=min(len(result.load.lost), result.load.workers),
        process=arrivals.process,
        rate_rps=round(arrivals.rate_rps, 6),
        plan_s=arrivals.duration_s,
        seed=arrivals.seed,
        utilisation=planned.utilisation,
        queues=planned.model.queues(reuseport=planned.settings.reuseport),
        calibration=planned.calibration,
        **others,
    )
    return Measured(trial, {"requests": samples})


def line(measured: Measured[R]) -> Line:
    """Return how many requests were answered, and their mean and slowest response time."""
    trial = measured.record
    busy = f"{trial.rate_rps:.0f}/s" if trial.utilisation is None else f"util. {trial.utilisation:.0%}"
    place = f"{trial.model} {trial.variant:<12} {busy:<9}"
    if not trial.valid:
        return Line(f"{place} invalid: {trial.reason}", "red")
    failed = f"   {trial.errors} failed" if trial.errors else ""
    responses_s = [
        sample.done_s - sample.planned_s
        for sample in measured.rows["requests"]
        if isinstance(sample, OpenSample) and sample.status == 200
    ]
    if not responses_s:
        return Line(f"{place}     0 responses{failed}")
    mean, slowest = (
        numbers.milliseconds(value_s * 1000) for value_s in (sum(responses_s) / len(responses_s), max(responses_s))
    )
    return Line(f"{place} {len(responses_s):5} responses   mean {mean:>8}   slowest {slowest:>8}{failed}")


def late_p99_s(samples: Sequence[OpenSample]) -> float | None:
    """Return the 99th percentile of how late requests were sent; None without requests."""
    late = [sample.sent_s - sample.planned_s for sample in samples]
    return float(np.quantile(late, 0.99)) if late else None


def late_sends(late_s: float | None) -> Finding | None:
    """Return the finding of a trial that has that percentile of lateness; None if requests were sent in time."""
    if late_s is None or late_s <= LATE_S:
        return None
    return Finding(
        id="late_sends",
        severity="warning",
        message=f"suspect: one request in a hundred was sent {late_s * 1000:.1f} ms late or more,"
        " and its response time includes this lateness",
        remedy=REMEDY,
        value=late_s * 1000,
    )


def _served(bench: Bench, client: OpenLoop, planned: Planned) -> Server:
    """Return the plan's server, warmed up if it is new."""
    key = (planned.model.letter, planned.cores, planned.variant)
    is_new = key not in bench.servers.opened()
    bench.servers.discard(*(each for each in bench.servers.opened() if each != key))
    server = bench.server(planned.model, planned.cores, planned.variant, planned.settings.variables())
    if is_new:
        users = int(min(WARM_UP_USERS, planned.model.places))
        client.closed(server.url, users, 4 * users, ANSWER_LIMIT_S)
    return server


def _answered(turns: Sequence[Turn]) -> Sequence[Turn]:
    unanswered = sum(turn.status != 200 for turn in turns)
    if unanswered or not turns:
        raise LoadFailed(f"while calibrating, {unanswered} of {len(turns)} requests got no answer 200")
    return turns
