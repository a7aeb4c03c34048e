"""Who comes when, in an open loop: from utilisations and calibrated service times to plans."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import UsageError
from iolab.experiment import Arrivals, Experiment
from iolab.lab import Model
from iolab.results.records import Calibration

Rates = list[tuple[float | None, float]]


@dataclass(frozen=True)
class OpenTrial:
    """A plan for one model: arrivals at `rate_rps`, which keep each worker busy for `utilisation` of the time."""

    index: int
    model: Model
    variant: str
    utilisation: float | None
    rate_rps: float
    plan_s: float
    seed: int

    @property
    def title(self) -> str:
        """What it is, for people who wait for it."""
        busy = "" if self.utilisation is None else f", busy {self.utilisation:.0%} of the time"
        return f"{self.model.letter} {self.variant}, {self.rate_rps:.0f} a second{busy}"


def arrivals_of(experiment: Experiment) -> Arrivals:
    """Return the experiment's arrivals; raises UsageError where it has none."""
    if experiment.arrivals is None:
        raise UsageError(f"experiment {experiment.name} has no [arrivals]: take experiments/queue.toml")
    return experiment.arrivals


def rates(arrivals: Arrivals, models: Sequence[Model], known: Mapping[str, Calibration]) -> dict[str, Rates]:
    """Return (utilisation, arrivals a second) of each model, by its letter.

    A model that lets any number of requests wait is measured at the rates of all the others.
    """
    found: dict[str, Rates] = {}
    for model in models:
        capacity_rps = model.workers / known[model.letter].service_s
        shares = arrivals.shares(model.letter)
        if shares and math.isfinite(capacity_rps):
            found[model.letter] = [(share, share * capacity_rps) for share in shares]
    same: Rates = [(None, rate) for rate in sorted({rate for pairs in found.values() for _, rate in pairs})]
    if same:
        found |= {model.letter: same for model in models if math.isinf(model.workers)}
    return found


def blocks(
    experiment: Experiment, models: Sequence[Model], known: Mapping[str, Calibration], most_rps: float
) -> list[list[OpenTrial]]:
    """Return all plans, in blocks that share a server, shuffled by the experiment's seed.

    Raises UsageError where there is nothing to plan, or a rate is beyond `most_rps`, which is sent in time.
    """
    arrivals = arrivals_of(experiment)
    wanted = rates(arrivals, models, known)
    if not wanted:
        raise UsageError(f"no model of this run has a utilisation: take {', '.join(sorted(arrivals.utilisation))}")
    order = random.Random(experiment.seed)  # noqa: S311 (a shuffle, not a secret)
    servers = [(model, variant) for model in models if model.letter in wanted for variant in experiment.variants]
    order.shuffle(servers)
    numbers = iter(range(1_000_000))
    found = []
    for model, variant in servers:
        mine = list(wanted[model.letter])
        order.shuffle(mine)
        too_fast = [rate_rps for _, rate_rps in mine if rate_rps > most_rps]
        if too_fast:
            raise UsageError(
                f"{model.letter} at {max(too_fast):,.0f} arrivals a second: the load generator sends {most_rps:,.0f} in"
                " time; a lower utilisation, or a longer wait (WAIT_MS), asks for less, and more WORKERS on cores of"
                " their own, or from other machines (JOIN), send more"
            )
        found.append(list(_block(experiment, model, variant, mine, numbers)))
    return found


def _block(
    experiment: Experiment, model: Model, variant: str, wanted: Rates, numbers: Iterator[int]
) -> Iterator[OpenTrial]:
    arrivals = arrivals_of(experiment)
    for share, rate_rps in wanted:
        plan_s = arrivals.duration_s if share is not None else arrivals.others_duration_s
        index = next(numbers)
        yield OpenTrial(index, model, variant, share, rate_rps, plan_s, experiment.seed + index)


def moments(trial: OpenTrial, arrivals: Arrivals) -> tuple[float, ...] | None:
    """Return a recorded trace, played so fast that it comes at the trial's rate; None for a process.

    Raises UsageError where the trace is none.
    """
    if arrivals.process != "trace":
        return None
    path = Path(arrivals.trace or "")
    try:
        recorded = sorted(float(line) for line in path.read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise UsageError(f"trace {path}: must be a file with a moment, in seconds, in each line ({error})") from error
    if len(recorded) < 2 or recorded[-1] <= recorded[0]:
        raise UsageError(f"trace {path}: must have two moments at least, and some time between them")
    speed = (len(recorded) - 1) / (recorded[-1] - recorded[0]) / trial.rate_rps
    played = [(moment - recorded[0]) * speed for moment in recorded]
    return tuple(moment for moment in played if moment < trial.plan_s)
