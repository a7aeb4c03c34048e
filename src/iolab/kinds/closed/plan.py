"""A closed loop's settings become trials, in the order to run them."""

import math
import random
from collections.abc import Iterable, Iterator
from itertools import count, islice

from iolab.experiment import ServerSettings, Settings
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Model
from iolab.loadgen.hey import MOST_ROWS
from iolab.results.run_info import ModelInfo
from iolab.theory.closed_loop import ClosedLoop, behind_short_queue, closed_loop, split_queues


class Trial(Settings):
    """One load on one server; `requests` is a multiple of `concurrency`."""

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
                requests=rounded(experiment.load.requests, concurrency),
                variant=variant,
            )
            for position, (model, concurrency, cpus, variant) in enumerate(cells)
        ]


def rounded(requests: int, users: int) -> int:
    """Return how many requests a trial sends: the next multiple of the users, or the last that hey has rows for."""
    return min(math.ceil(requests / users), MOST_ROWS // users) * users


def expected_medians_s(experiment: ClosedExperiment, models: Iterable[Model]) -> dict[Trial, float]:
    """Return about which median each trial of a round will have, in seconds, in theory.

    With random service times theory gives a mean. The median of an exponential time is ln 2 of it, and behind a queue
    it is more.
    """
    letters = {model.letter: model for model in models}
    found = {}
    for trial in next(rounds(experiment, letters.values())):
        model, settings = letters[trial.model], experiment.settings(trial.variant)
        short = None
        if model.backlog is not None and model.workers == 1:
            backlog, wait_s, cpu_s = settings.backlog or model.backlog, settings.wait_ms / 1000, settings.cpu_ms / 1000
            short = behind_short_queue(trial.concurrency, backlog, wait_s, cpu_s, trial.cpus)
        mean_s = (short or prediction(trial, model, settings)).latency_s
        found[trial] = mean_s * (math.log(2) if settings.wait_distribution == "exponential" else 1.0)
    return found


def prediction(
    trial: Trial | ClosedRecord, model: Model | ModelInfo, settings: ServerSettings, threads: float | None = None
) -> ClosedLoop:
    """Return what theory says of a trial on a model's server, of which `threads` compute at once.

    Without `threads`, as many compute as it has interpreters, each with a lock.
    """
    times = (settings.wait_ms / 1000, settings.cpu_ms / 1000, trial.cpus, threads or model.interpreters)
    if (queues := model.queues(reuseport=settings.reuseport)) > 1:
        return split_queues(trial.concurrency, queues, *times)
    return closed_loop(trial.concurrency, model.workers, *times, settings.connections)


def constant(model: ModelInfo, settings: ServerSettings) -> bool:
    """Return whether theory predicts each response time: with random service times or queues it is a mean alone."""
    return settings.wait_distribution == "constant" and model.queues(reuseport=settings.reuseport) == 1
