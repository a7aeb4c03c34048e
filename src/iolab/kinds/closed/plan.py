"""A closed loop's settings become trials, in the order to run them."""

import math
import random
from collections.abc import Iterable, Iterator
from itertools import count, islice

from iolab.experiment import ServerSettings, Settings
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Model
from iolab.theory.closed_loop import ClosedLoop, closed_loop


class Trial(Settings):
    """One load on one server: `requests` is a multiple of `concurrency`, at least as many as were asked for."""

    index: int
    repeat: int
    model: str
    service: str
    concurrency: int
    cpus: float
    requests: int
    variant: str = ""


def trials(experiment: ClosedExperiment, models: Iterable[Model]) -> list[Trial]:
    """Return the trials of all repeats in the order to run them."""
    return [trial for one_round in islice(rounds(experiment, models), experiment.repeats) for trial in one_round]


def rounds(experiment: ClosedExperiment, models: Iterable[Model]) -> Iterator[list[Trial]]:
    """Yield rounds without end, whatever the number of repeats.

    Rounds are interleaved: every cell once in a round, in an order that the experiment's seed gives for each round, so
    that a machine that changes over time changes all cells alike.
    """
    order = random.Random(experiment.seed)  # noqa: S311 (a shuffle, not a secret)
    cells = [
        (model, concurrency, cpus, variant)
        for model in models
        for concurrency in experiment.concurrency
        for cpus in experiment.cpus
        for variant in experiment.variants
    ]
    for repeat in count():
        order.shuffle(cells)
        yield [
            Trial(
                index=repeat * len(cells) + position,
                repeat=repeat,
                model=model.letter,
                service=model.name,
                concurrency=concurrency,
                cpus=cpus,
                requests=math.ceil(experiment.load.requests / concurrency) * concurrency,
                variant=variant,
            )
            for position, (model, concurrency, cpus, variant) in enumerate(cells)
        ]


def prediction(
    trial: Trial | ClosedRecord, workers: float, settings: ServerSettings, threads: float = 1.0
) -> ClosedLoop:
    """Return what theory says of a trial on a server with `workers` workers, of which `threads` compute at once."""
    wait_s, cpu_s = settings.wait_ms / 1000, settings.cpu_ms / 1000
    return closed_loop(trial.concurrency, workers, wait_s, cpu_s, trial.cpus, threads)
