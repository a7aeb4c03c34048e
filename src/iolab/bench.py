"""The loop: start, verify, warm up, load, append. What it needs of the world is handed in."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from iolab.errors import LoadFailed, TrialFailed
from iolab.experiment import ServerSettings, Trial, prediction
from iolab.floor import Floors
from iolab.host.activity import watching
from iolab.host.cores import CpuPlan
from iolab.kept import Kept
from iolab.lab import Model
from iolab.loadgen import Job, Load, LoadGenerator
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, ClosedRecord, MachineUsage, Sample, ServerUsage
from iolab.runtime import Runtime, Server
from iolab.runtime.probe import verify
from iolab.runtime.usage import metering

OpenGenerator = Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]
ServerKey = tuple[str, CpuPlan, str]
CoresKey = tuple[int, ...]

LEAST_LIMIT_S = 60.0  # connection attempts that were dropped are tried again after 1, 3, 7, 15 s
LIMIT_FACTOR = 5.0
LEAST_ANSWER_LIMIT_S = 20.0  # hey's own default; an answer later than the limit counts as none


class Observer(Protocol):
    """Who wants to know how far the benchmark is."""

    def started(self, trial: Trial) -> None:
        """Take note that a trial begins."""

    def finished(self, record: ClosedRecord, samples: Sequence[Sample]) -> None:
        """Take note that a trial has ended and is on disk."""


class Bench:
    """Runs trials, one after the other, and appends each to a run folder as soon as it ends."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        open_generator: OpenGenerator,
        models: Sequence[Model],
        plans: Mapping[float, CpuPlan],
        settings: Callable[[str], ServerSettings],
        folder: RunFolder,
        observer: Observer,
    ) -> None:
        self._runtime, self._open_generator = runtime, open_generator
        self._models = {model.letter: model for model in models}
        self._plans, self._settings = plans, settings
        self._folder, self._observer = folder, observer

    def run(self, trials: Iterable[Trial]) -> bool:
        """Run all trials; return whether every one of them is valid. Whatever was started is stopped at the end."""
        all_valid = True
        with (
            self._runtime,
            Kept[ServerKey, Server]() as servers,
            Kept[CoresKey, LoadGenerator]() as generators,
            Floors(self._runtime) as floors,
        ):
            self._servers, self._generators, self._floors = servers, generators, floors
            for trial in trials:
                self._observer.started(trial)
                record, samples = self._trial(trial)
                if self._runtime.starts_are_cheap:
                    servers.discard(*servers.opened())  # a repeat is a server's whole life: its start varies too
                self._folder.append(record)
                self._observer.finished(record, samples)
                all_valid = all_valid and record.valid
        return all_valid

    def _trial(self, trial: Trial) -> tuple[ClosedRecord, Sequence[Sample]]:
        load, usage, machine, reason = Load(samples=(), cpu_s=None), ServerUsage(), MachineUsage(), None
        server: Server | None = None
        floor_rps: float | None = None
        plan = self._plans[trial.cpus]
        started = datetime.now(UTC)
        try:
            generator = self._generators.get(plan.loadgen, lambda: self._open_generator(self._runtime, plan))
            floor_rps = self._floors.rate(generator, plan, trial.concurrency)
            server = self._server(trial, plan)
            job = self._job(trial, server)
            self._prepare(job, trial, server, generator)
            with metering(server) as meter, watching() as watch:
                started = datetime.now(UTC)
                load = generator.run(job)
            usage, machine = meter.usage(), watch.usage()
            server.check_alive()
            load.check_complete(trial.requests)
        except TrialFailed as error:
            reason = _cause(error, server)
            self._servers.discard((trial.model, plan, trial.variant))  # what failed once starts anew for the next trial
            if isinstance(error, LoadFailed):
                self._generators.discard(plan.loadgen)
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
            rows=self._folder.write_rows(trial.index, requests=load.samples),
            server=usage,
            client=ClientUsage(cpu_s=load.cpu_s, floor_rps=floor_rps, syn_retransmits=load.syn_retransmits),
            machine=machine,
        )
        return record, load.samples

    def _server(self, trial: Trial, plan: CpuPlan) -> Server:
        """Return the trial's server; one of the same model that is set otherwise is stopped first."""
        key = (trial.model, plan, trial.variant)
        self._servers.discard(*(other for other in self._servers.opened() if other[0] == trial.model and other != key))
        variables = self._settings(trial.variant).variables() if trial.variant else {}
        return self._servers.get(key, lambda: self._runtime.serve(self._models[trial.model], plan, variables))

    def _job(self, trial: Trial, server: Server) -> Job:
        theory = prediction(trial, self._models[trial.model].workers, self._settings(trial.variant))
        return Job(
            url=server.url,
            users=trial.concurrency,
            requests=trial.requests,
            answer_limit_s=max(LEAST_ANSWER_LIMIT_S, LIMIT_FACTOR * theory.latency_s),
            timeout_s=math.ceil(LEAST_LIMIT_S + LIMIT_FACTOR * trial.requests / theory.throughput_rps),
        )

    def _prepare(self, job: Job, trial: Trial, server: Server, generator: LoadGenerator) -> None:
        """See that the server does what it should, then warm it up with as many users as it can serve at once.

        More users would fill its listen queue before the trial begins.
        """
        settings = self._settings(trial.variant)
        constant = settings.wait_distribution == "constant"
        # A timer may fire a millisecond early; a tenth is enough to tell a wait from none.
        verify(server.address, 0.9 * settings.wait_ms / 1000 if constant else 0.0, job.answer_limit_s)
        users = int(min(trial.concurrency, self._models[trial.model].workers))
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
