"""The plans of an open loop: from utilisations to trials, and with calibrated service times to rates."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iolab.errors import UsageError
from iolab.kinds.arrival_records import Calibration, OpenRecord
from iolab.kinds.arrivals import MOST_REQUESTS
from iolab.kinds.open.settings import Arrivals, OpenExperiment
from iolab.lab import Model

SURPLUS_S = 0.010  # because threads of a pool wait for each other
OF_CONNECTIONS = (0.5, 0.8, 0.9)  # utilisations of a model whose only queue is that for connections


@dataclass(frozen=True)
class OpenTrial:
    """A plan for one model: arrivals at the rate that keeps each worker of model `of` busy for `share` of the time.

    `of` is the model itself, or another one if the model handles any number of requests at once. `calibrations` are
    those on disk.
    """

    index: int
    model: str
    service: str
    variant: str
    of: str
    share: float
    plan_s: float
    seed: int
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def utilisation(self) -> float | None:
        """The share of the time that each worker of the model itself is busy; None if there is no queue."""
        return self.share if self.of == self.model else None

    @property
    def title(self) -> str:
        """Its name in progress messages."""
        busy = "busy" if self.of == self.model else f"at a rate that keeps {self.of} busy"
        return f"{' '.join(filter(None, [self.model, self.variant]))}, {busy} {self.share:.0%} of the time"


def shares(arrivals: Arrivals, models: Sequence[Model]) -> dict[str, list[tuple[str, float]]]:
    """Return, for each model by its letter, (model, share of the time that its workers are busy) of each rate.

    A model that handles any number of requests at once is measured at the rates of all the others. Raises UsageError if
    no model has a utilisation.
    """
    found = {
        model.letter: [(model.letter, share) for share in _shares(arrivals, model)]
        for model in models
        if _shares(arrivals, model) and math.isfinite(model.places)
    }
    if not found:
        raise UsageError(
            f"no model of this run has a utilisation: add one of {', '.join(sorted(arrivals.utilisation))}"
        )
    same = [pair for pairs in found.values() for pair in pairs]
    return found | {model.letter: same for model in models if math.isinf(model.places)}


def _shares(arrivals: Arrivals, model: Model) -> tuple[float, ...]:
    """Return the utilisations of a model; the file has none for one that has a queue with DOWNSTREAM alone."""
    if math.isinf(model.workers) and math.isfinite(model.places):
        return arrivals.shares(model.letter) or arrivals.every_utilisation or OF_CONNECTIONS
    return arrivals.shares(model.letter)


def check_letters(arrivals: Arrivals, models: Sequence[Model]) -> None:
    """Raise UsageError if a utilisation is for no model, or for one that handles any number of requests at once."""
    limited = [model.letter for model in models if math.isfinite(model.places)]
    for letter in arrivals.utilisation:
        if letter not in limited:
            raise UsageError(
                f"[arrivals.utilisation] {letter}: no model with a queue has this letter; use {', '.join(limited)};"
                " all other models are measured at their rates"
            )


def blocks(experiment: OpenExperiment, models: Sequence[Model]) -> list[list[OpenTrial]]:
    """Return all plans, in blocks that share a server, shuffled by the experiment's seed."""
    wanted = shares(experiment.arrivals, models)
    order = random.Random(experiment.seed)  # noqa: S311 (a shuffle, not a secret)
    servers = [(model, variant) for model in models if model.letter in wanted for variant in experiment.variants]
    order.shuffle(servers)
    numbers = iter(range(1_000_000))
    found = []
    for model, variant in servers:
        loads = list(wanted[model.letter])
        order.shuffle(loads)
        found.append([_trial(experiment, model, variant, next(numbers), pair) for pair in loads])
    return found


def _trial(experiment: OpenExperiment, model: Model, variant: str, index: int, pair: tuple[str, float]) -> OpenTrial:
    (of, share), arrivals = pair, experiment.arrivals
    plan_s = arrivals.duration_s if of == model.letter else arrivals.others_duration_s
    return OpenTrial(index, model.letter, model.name, variant, of, share, plan_s, experiment.seed + index)


def rate_rps(trial: OpenTrial, models: Mapping[str, Model], calibrated: Mapping[str, Calibration]) -> float:
    """Return the arrivals a second of a plan."""
    return trial.share * models[trial.of].places / calibrated[trial.of].service_s


def calibrations(records: Iterable[OpenRecord]) -> dict[str, Calibration]:
    """Return the calibrations that records contain, by model."""
    return {letter: each for record in records for letter, each in record.calibrated.items()}


def check_highest(experiment: OpenExperiment, models: Sequence[Model], most_rps: float) -> None:
    """Raise UsageError if a rate is above `most_rps` for any result of the calibration.

    A calibrated service time is longer than the wait and the computing of a request, but by no more than SURPLUS_S.
    """
    longest = Calibration(service_s=experiment.server.service_ms / 1000 + SURPLUS_S, overhead_s=0.0, transit_s=0.0)
    trials = [trial for block in blocks(experiment, models) for trial in block]
    slowest = dict.fromkeys((model.letter for model in models), longest)
    check_rates(trials, {model.letter: model for model in models}, slowest, most_rps, least=True)


def check_rates(
    trials: Iterable[OpenTrial],
    models: Mapping[str, Model],
    calibrated: Mapping[str, Calibration],
    most_rps: float,
    *,
    least: bool = False,
) -> None:
    """Raise UsageError if a rate is above `most_rps`, the most that is sent in time, or a plan is too large.

    With `least`, rates are minima.
    """
    fastest: dict[str, float] = {}
    largest: dict[str, float] = {}
    for trial in trials:
        rate = rate_rps(trial, models, calibrated)
        fastest[trial.model] = max(fastest.get(trial.model, 0.0), rate)
        largest[trial.model] = max(largest.get(trial.model, 0.0), rate * trial.plan_s)
    for letter, rate in fastest.items():
        if rate > most_rps:
            raise UsageError(
                f"{letter} at {rate:,.0f} arrivals a second{' or more' if least else ''}: the load generator sends"
                f" {most_rps:,.0f} in time; use a lower utilisation or a longer wait (WAIT_MS), or more load workers:"
                " on cores of their own (WORKERS), or on other machines (JOIN)"
            )
    for letter, requests in largest.items():
        if requests > MOST_REQUESTS:
            raise UsageError(
                f"{letter}: {requests:,.0f} requests in one plan, and a run holds {MOST_REQUESTS:,} of a plan: make it"
                " shorter (DURATION), or use a lower utilisation or a longer wait (WAIT_MS)"
            )


def moments(arrivals: Arrivals, rate_rps: float, plan_s: float) -> tuple[float, ...] | None:
    """Return the times of a recorded trace, scaled to the rate; None for a random process.

    Raises UsageError if the trace cannot be used.
    """
    if arrivals.process != "trace":
        return None
    path = Path(arrivals.trace or "")
    try:
        recorded = sorted(float(line) for line in path.read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise UsageError(f"trace {path}: must be a file with a time, in seconds, in each line ({error})") from error
    if len(recorded) < 2 or recorded[-1] <= recorded[0]:
        raise UsageError(f"trace {path}: must have at least two different times")
    speed = (len(recorded) - 1) / (recorded[-1] - recorded[0]) / rate_rps
    played = [(moment - recorded[0]) * speed for moment in recorded]
    return tuple(moment for moment in played if moment < plan_s)
