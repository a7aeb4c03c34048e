"""The loop: start, verify, warm up, load, append. What it needs of the world is handed in."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Protocol

from iolab.cpus import CpuPlan
from iolab.errors import LoadFailed, TrialFailed
from iolab.experiment import ServerSettings, Trial
from iolab.lab import Model
from iolab.loadgen import Load, LoadGenerator
from iolab.records import ClientUsage, Sample, ServerUsage, TrialRecord
from iolab.runfolder import RunFolder
from iolab.runtime import Runtime, Server
from iolab.runtime.meter import metering
from iolab.runtime.probe import verify
from iolab.theory import closed_loop_duration_s

OpenGenerator = Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]

LEAST_LIMIT_S = 60.0  # connection attempts that were dropped are tried again after 1, 3, 7, 15 s
LIMIT_FACTOR = 5.0


class Observer(Protocol):
    """Who wants to know how far the benchmark is."""

    def started(self, trial: Trial) -> None:
        """Take note that a trial begins."""

    def finished(self, record: TrialRecord, samples: Sequence[Sample]) -> None:
        """Take note that a trial has ended and is on disk."""


class Fleet:
    """The servers that run: each is started when it is first needed, and again when it died or its limits change."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: dict[str, tuple[CpuPlan, ExitStack, Server]] = {}

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:
            for letter in list(self._running):
                stack.callback(self.discard, letter)

    def get(self, model: Model, plan: CpuPlan) -> Server:
        """Return the model's server; raises ServerFailed where it does not start."""
        if model.letter in self._running and self._running[model.letter][0] != plan:
            self.discard(model.letter)
        if model.letter not in self._running:
            with ExitStack() as stack:
                server = stack.enter_context(self._runtime.serve(model, plan))
                self._running[model.letter] = (plan, stack.pop_all(), server)
        return self._running[model.letter][2]

    def discard(self, letter: str) -> None:
        """Stop the model's server, if it runs."""
        if letter in self._running:
            self._running.pop(letter)[1].close()


class Bench:
    """Runs trials, one after the other, and appends each to a run folder as soon as it ends."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        open_generator: OpenGenerator,
        models: Sequence[Model],
        plans: Mapping[float, CpuPlan],
        settings: ServerSettings,
        folder: RunFolder,
        observer: Observer,
    ) -> None:
        self._runtime, self._open_generator = runtime, open_generator
        self._models = {model.letter: model for model in models}
        self._plans, self._settings = plans, settings
        self._folder, self._observer = folder, observer

    def run(self, trials: Sequence[Trial]) -> bool:
        """Run all trials; return whether every one of them is valid. Whatever was started is stopped at the end."""
        all_valid = True
        with self._runtime, ExitStack() as stack:
            generators: dict[float, LoadGenerator] = {}
            fleet = stack.enter_context(Fleet(self._runtime))
            for trial in trials:
                self._observer.started(trial)
                plan = self._plans[trial.cpus]
                if trial.cpus not in generators:
                    generators[trial.cpus] = stack.enter_context(self._open_generator(self._runtime, plan))
                record, samples = self._trial(trial, plan, fleet, generators[trial.cpus])
                self._folder.append_trial(record)
                self._observer.finished(record, samples)
                all_valid = all_valid and record.valid
        return all_valid

    def _trial(
        self, trial: Trial, plan: CpuPlan, fleet: Fleet, generator: LoadGenerator
    ) -> tuple[TrialRecord, Sequence[Sample]]:
        model = self._models[trial.model]
        load, usage, reason = Load(samples=(), cpu_s=None), ServerUsage(), None
        server: Server | None = None
        started = datetime.now(UTC)
        try:
            server = fleet.get(model, plan)
            self._prepare(trial, model, server, generator)
            with metering(server) as meter:
                started = datetime.now(UTC)
                load = generator.run(
                    server.url, users=trial.concurrency, requests=trial.requests, timeout_s=self._limit_s(trial, model)
                )
            usage = meter.usage()
            server.check_alive()
            if load.ok == 0:
                raise LoadFailed(f"none of {trial.requests} requests was answered 200")
        except TrialFailed as error:
            reason = _cause(error, server)
            fleet.discard(trial.model)  # what failed once starts anew for the next trial
        record = TrialRecord(
            **trial.model_dump(exclude={"requests"}),
            requested=trial.requests,
            sent=len(load.samples),
            ok=load.ok,
            errors=len(load.samples) - load.ok,
            started=started,
            duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
            valid=reason is None,
            reason=reason,
            samples=self._folder.write_samples(trial.index, load.samples) if load.samples else None,
            server=usage,
            client=ClientUsage(cpu_s=load.cpu_s),
        )
        return record, load.samples

    def _prepare(self, trial: Trial, model: Model, server: Server, generator: LoadGenerator) -> None:
        """See that the server does what it should, then warm it up with as many users as it can serve at once.

        More users would fill its listen queue before the trial begins.
        """
        constant = self._settings.wait_distribution == "constant"
        # A timer may fire a millisecond early; a tenth is enough to tell a wait from none.
        verify(server.address, 0.9 * self._settings.wait_ms / 1000 if constant else 0.0, timeout_s=LEAST_LIMIT_S)
        users = int(min(trial.concurrency, model.workers))
        generator.run(server.url, users=users, requests=2 * users, timeout_s=self._limit_s(trial, model))

    def _limit_s(self, trial: Trial, model: Model) -> float:
        service_s = (self._settings.wait_ms + self._settings.cpu_ms / min(1.0, trial.cpus)) / 1000
        theory_s = closed_loop_duration_s(trial.requests, trial.concurrency, model.workers, service_s)
        return math.ceil(LEAST_LIMIT_S + LIMIT_FACTOR * theory_s)


def _cause(error: TrialFailed, server: Server | None) -> str:
    """Return why a trial failed: if the server has ended, that is why, whatever it looked like from outside."""
    try:
        if server:
            server.check_alive()
    except TrialFailed as death:
        return str(death)
    return str(error)
