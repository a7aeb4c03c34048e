"""The open loop: calibrate each model, then let people come at rates that keep its workers busy so much of the time."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from iolab import session
from iolab.errors import LoadFailed, TrialFailed, UsageError
from iolab.host.activity import watching
from iolab.host.signals import Interrupted
from iolab.kinds.open import plan as openplan
from iolab.kinds.open.plan import OpenTrial
from iolab.lab import Model
from iolab.loadgen.openloop import Arrivals, OpenLoad, OpenLoop, Turn
from iolab.loadgen.workers import ALONE, Crew, gathered
from iolab.results.folder import RunFolder
from iolab.results.records import Calibration, ClientUsage, MachineUsage, OpenRecord, OpenSample, ServerUsage, Status
from iolab.runtime import Runtime, Server
from iolab.runtime.choice import Place
from iolab.runtime.usage import metering

ONE_BY_ONE, A_WORKER = 50, 60  # requests to calibrate with: of one user, and for each worker
WARM_UP_USERS = 4
ANSWER_LIMIT_S = 60.0


class Observer(Protocol):
    """Who wants to know how far it is."""

    def says(self, what: str) -> None:
        """Take note of what is done just now."""

    def finished(self, record: OpenRecord, samples: Sequence[OpenSample], of: int) -> None:
        """Take note that a trial has ended and is on disk; there are `of` in all."""


@dataclass(frozen=True)
class Seen:
    """What came of a plan; `reason` says why it cannot be trusted."""

    load: OpenLoad
    started: datetime
    duration_s: float = 0.0
    usage: ServerUsage = field(default_factory=ServerUsage)
    machine: MachineUsage = field(default_factory=MachineUsage)
    reason: str | None = None


def measure(plan: session.Plan, place: Place, results: Path, observer: Observer, crew: Crew = ALONE) -> session.Outcome:
    """Run all plans into a new run folder; what is measured by the time of an interruption stays."""
    began = time.monotonic()
    openplan.arrivals_of(plan.experiment)
    folder = RunFolder.create(results, plan.experiment.name)
    info = session.info(plan, place, generator="locust")
    folder.write_run(info)
    status: Status = "failed"
    exit_status = 1
    records: list[OpenRecord] = []
    try:
        # As they come: an interruption leaves those before it.
        records.extend(OpenBench(plan, place, folder, observer, crew).run())
        if all(record.valid for record in records):
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    except TrialFailed as error:
        raise UsageError(str(error)) from error
    finally:
        changes = {"trials_planned": len(records), "theory_s": sum(record.plan_s for record in records)}
        folder.write_run(info.ended(status, time.monotonic() - began, **changes))
    return session.Outcome(folder, exit_status)


class OpenBench:
    """Runs plans, one after the other, and appends each to a run folder as soon as it ends."""

    def __init__(
        self, plan: session.Plan, place: Place, folder: RunFolder, observer: Observer, crew: Crew = ALONE
    ) -> None:
        self._models, self._experiment = plan.models, plan.experiment
        self._runtime: Runtime = place.runtime
        self._cpus = place.plans[plan.experiment.cpus[0]]
        self._folder, self._observer, self._crew = folder, observer, crew

    def run(self) -> Iterator[OpenRecord]:
        """Yield the records; raises TrialFailed where a model cannot be calibrated."""
        with self._runtime, gathered(self._crew, self._runtime, self._cpus, self._observer.says) as crowd:
            self._crowd = crowd
            known = {model.letter: self._calibrated(model) for model in self._models}
            blocks = openplan.blocks(self._experiment, self._models, known, self._crew.most_rps(self._cpus))
            of = sum(len(block) for block in blocks)
            for block in blocks:
                for trial, seen in self._block(block):
                    record = self._record(trial, seen, known[trial.model.letter])
                    self._folder.append(record)
                    self._observer.finished(record, seen.load.samples, of)
                    yield record

    def _calibrated(self, model: Model) -> Calibration:
        self._observer.says(f"Calibrating {model.letter}")
        settings = self._experiment.server.model_copy(update={"wait_distribution": "constant"})
        with self._runtime.serve(model, self._cpus, settings.variables()) as server:
            return calibrate(self._crowd, server, model.workers)

    def _block(self, block: Sequence[OpenTrial]) -> Iterator[tuple[OpenTrial, Seen]]:
        """Run the plans that share a server; one that does not come up spoils them, and no others."""
        model, settings = block[0].model, self._experiment.settings(block[0].variant)
        left = list(block)
        try:
            with self._runtime.serve(model, self._cpus, settings.variables()) as server:
                users = int(min(WARM_UP_USERS, model.workers))
                self._crowd.closed(server.url, users, 4 * users, ANSWER_LIMIT_S)
                while left:
                    self._observer.says(left[0].title)
                    seen = self._load(left[0], server)
                    yield left.pop(0), seen
        except TrialFailed as error:
            nothing = Seen(OpenLoad([], 0.0), datetime.now(UTC), reason=str(error))
            yield from ((trial, nothing) for trial in left)

    def _load(self, trial: OpenTrial, server: Server) -> Seen:
        """Let everybody of a plan come."""
        arrivals = openplan.arrivals_of(self._experiment)
        moments = openplan.moments(trial, arrivals)
        wanted = Arrivals(arrivals.process, trial.rate_rps, trial.plan_s, trial.seed, moments)
        load, usage, machine, reason = OpenLoad([], 0.0), ServerUsage(), MachineUsage(), None
        started = datetime.now(UTC)
        try:
            with metering(server) as meter, watching() as watch:
                load = self._crowd.run(server.url, wanted, ANSWER_LIMIT_S)
            usage, machine = meter.usage(), watch.usage()
            server.check_alive()
            unanswered = sum(sample.status != 200 for sample in load.samples)
            if load.stopped or unanswered:
                raise LoadFailed(load.stopped or f"{unanswered} of {len(load.samples)} requests got no answer 200")
        except TrialFailed as error:
            reason = str(error)
        duration_s = round((datetime.now(UTC) - started).total_seconds(), 6)
        return Seen(load, started, duration_s, usage, machine, reason)

    def _record(self, trial: OpenTrial, seen: Seen, calibration: Calibration) -> OpenRecord:
        samples = seen.load.samples
        ok = sum(sample.status == 200 for sample in samples)
        return OpenRecord(
            index=trial.index,
            repeat=0,
            model=trial.model.letter,
            service=trial.model.name,
            cpus=self._cpus.cpus,
            variant=trial.variant,
            requested=len(samples),
            sent=len(samples),
            ok=ok,
            errors=len(samples) - ok,
            started=seen.started,
            duration_s=seen.duration_s,
            valid=seen.reason is None,
            reason=seen.reason,
            rows=self._folder.write_rows(trial.index, requests=samples),
            server=seen.usage,
            client=ClientUsage(cpu_s=seen.load.cpu_s),
            machine=seen.machine,
            load_workers=seen.load.workers,
            lost_workers=len(seen.load.lost),
            process=openplan.arrivals_of(self._experiment).process,
            rate_rps=round(trial.rate_rps, 6),
            plan_s=trial.plan_s,
            seed=trial.seed,
            utilisation=trial.utilisation,
            calibration=calibration,
        )


def calibrate(crowd: OpenLoop, server: Server, workers: float) -> Calibration:
    """Measure a model's constant times in closed loops: alone, and with twice as many users as workers.

    Under saturation every worker goes from one request to the next, so that workers / throughput is the time that a
    request takes it; what a client sees of it alone is that, and the way there and back. Raises LoadFailed where the
    server does not answer, or does not tell how long it serves.
    """
    crowd.closed(server.url, 1, 5, ANSWER_LIMIT_S)  # to warm up
    alone = _answered(crowd.closed(server.url, 1, ONE_BY_ONE, ANSWER_LIMIT_S))
    latency_s = float(np.mean([turn.latency_s for turn in alone]))
    told_s = [turn.service_s for turn in alone if turn.service_s is not None]
    if len(told_s) < len(alone):
        raise LoadFailed("the server tells no Server-Timing: its service times are not known")
    mean_told_s = float(np.mean(told_s))
    if math.isinf(workers):
        return Calibration(service_s=latency_s, overhead_s=latency_s - mean_told_s, transit_s=0.0)
    users = 2 * int(workers)
    turns = _answered(crowd.closed(server.url, users, A_WORKER * users, ANSWER_LIMIT_S))
    # At both ends not all users are there.
    done_s = np.sort([turn.start_s + turn.latency_s for turn in turns])[2 * users : -2 * users]
    service_s = workers * float(done_s[-1] - done_s[0]) / (len(done_s) - 1)
    overhead_s = max(0.0, service_s - mean_told_s)
    return Calibration(
        service_s=service_s, overhead_s=overhead_s, transit_s=max(0.0, latency_s - mean_told_s - overhead_s)
    )


def _answered(turns: Sequence[Turn]) -> Sequence[Turn]:
    unanswered = sum(turn.status != 200 for turn in turns)
    if unanswered or not turns:
        raise LoadFailed(f"while calibrating, {unanswered} of {len(turns)} requests got no answer 200")
    return turns
