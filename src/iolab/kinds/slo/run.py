"""Measures the highest rate of arrivals at which a service-level objective holds; every plan is a trial on disk."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from iolab import session
from iolab.errors import TrialFailed, UsageError
from iolab.host.signals import Interrupted
from iolab.kinds.open.plan import OpenTrial
from iolab.kinds.open.run import ANSWER_LIMIT_S, Observer, OpenBench
from iolab.kinds.slo.plan import HIGH, LOW, Found, Objective, Step, by_theory, search
from iolab.lab import Model
from iolab.loadgen.workers import ALONE, Crew, gathered
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Place
from iolab.theory import queueing

if TYPE_CHECKING:
    from iolab.results.records import Status

LEAST_S, MOST_S = 10.0, 20.0  # of what is measured in a step
MOST_LEAD_S = 10.0  # of what comes before, and is not: a step begins with an empty queue, which is kind to it
RELAXATIONS = 3.0  # to measure for: what comes within one is correlated


class SloBench(OpenBench):
    """Searches each model's highest rate; every plan is a trial of the run folder."""

    def __init__(
        self,
        plan: session.Plan,
        place: Place,
        folder: RunFolder,
        observer: Observer,
        crew: Crew,
        *,
        objective: Objective,
    ) -> None:
        super().__init__(plan, place, folder, observer, crew)
        self._objective, self._number = objective, 0

    def search(self) -> Iterator[Found]:
        """Yield what each model sustains; raises TrialFailed where one cannot be measured."""
        with self._runtime, gathered(self._crew, self._runtime, self._cpus, self._observer.says) as crowd:
            self._crowd = crowd
            for model in self._models:
                yield self._of(model)

    def _times(self, rate_rps: float, service_s: float, workers: float) -> tuple[float, float]:
        """Return how long a step comes to its steady state, and how long it takes with what is measured."""
        forgets_s = queueing.relaxation_s(rate_rps, service_s, workers)
        lead_s = min(MOST_LEAD_S, forgets_s)
        measured_s = max(LEAST_S, min(MOST_S, RELAXATIONS * forgets_s), self._objective.least_requests() / rate_rps)
        return lead_s, lead_s + measured_s

    def _of(self, model: Model) -> Found:
        calibration = self._calibrated(model)
        finite = model.workers < float("inf")
        capacity_rps = model.workers / calibration.service_s if finite else self._crew.most_rps(self._cpus) / HIGH
        with self._runtime.serve(model, self._cpus, self._experiment.server.variables()) as server:
            self._crowd.closed(server.url, 1, 5, ANSWER_LIMIT_S)

            def holds(rate_rps: float) -> Step:
                lead_s, plan_s = self._times(rate_rps, calibration.service_s, model.workers)
                share = rate_rps / capacity_rps if finite else None
                seed = self._experiment.seed + self._number
                trial = OpenTrial(self._number, model, "", share, rate_rps, plan_s, seed)
                self._number += 1
                self._observer.says(trial.title)
                seen = self._load(trial, server)
                record = self._record(trial, seen, calibration)
                self._folder.append(record)
                self._observer.finished(record, seen.load.samples, 0)
                if seen.reason and not seen.load.samples:
                    raise TrialFailed(seen.reason)
                value_s = self._objective.value_s([each for each in seen.load.samples if each.planned_s >= lead_s])
                return Step(rate_rps, value_s, value_s is not None and value_s < self._objective.limit_s)

            steps = tuple(search(holds, LOW * capacity_rps, min(HIGH * capacity_rps, self._crew.most_rps(self._cpus))))
        theory = by_theory(self._objective, calibration, int(model.workers)) if finite else None
        return Found(model.letter, model.name, model.workers, steps, calibration, theory)


def measure(
    plan: session.Plan, place: Place, results: Path, observer: Observer, objective: Objective, *, crew: Crew = ALONE
) -> tuple[RunFolder, list[Found], int]:
    """Search every model into a new run folder; return it, what was found, and the exit status.

    results/latest stays at what can be reported. What is measured by the time of an interruption stays.
    """
    began = time.monotonic()
    folder = RunFolder.create(results, "slo", newest=False)
    info = session.info(plan, place, generator="locust")
    folder.write_run(info)
    found: list[Found] = []
    status: Status = "failed"
    exit_status = 1
    try:
        found.extend(SloBench(plan, place, folder, observer, crew, objective=objective).search())
        status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    except TrialFailed as error:
        raise UsageError(str(error)) from error
    finally:
        steps = sum(len(each.steps) for each in found)
        folder.write_run(info.ended(status, time.monotonic() - began, trials_planned=steps))
        folder.write("slo.json", json.dumps({"objective": objective.text, "models": [_facts(each) for each in found]}))
    return folder, found, exit_status


def _facts(found: Found) -> dict[str, object]:
    return {
        "model": found.letter,
        "highest_rps": found.best.rate_rps if found.best else None,
        "broken_rps": found.broken.rate_rps if found.broken else None,
        "theory_rps": found.theory_rps,
        "steps": [asdict(step) for step in found.steps],
    }
