"""How a prediction was made is told as it was computed, for the models of the run."""

import math
from dataclasses import replace

import pytest

from iolab.kinds.closed import predicted
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.plan import Trial, prediction
from iolab.results.run_info import GIL_OF_SERVERS, ModelInfo

LOCKED = ModelInfo(letter="B", title="Pool", service="b", workers=8, threads=8)
PREFORK = ModelInfo(letter="E", title="Prefork", service="e", workers=8, threads=8, interpreters=8, can_split=True)
GO = ModelInfo(letter="K", title="Go", service="k", workers=math.inf, threads=1, interpreters=math.inf)


def run_of(recorded: Analysis, *models: ModelInfo, free: bool = False, **server: object) -> Analysis:
    """Return a run of these models with 64 users on 2 CPUs, with its theory; `free`: a free-threaded build."""
    settings = recorded.experiment.server.model_copy(update={"cpu_ms": 5.0} | server)
    facts = {GIL_OF_SERVERS: {model.service: not free for model in models}}
    run = recorded.run.model_copy(update={"models": models, "environment": facts})
    base, cells = recorded.cells[0], []
    for model in models:
        name = {"model": model.letter, "service": model.service, "concurrency": 64, "cpus": 2.0}
        trial = Trial.model_validate({"index": 0, "repeat": 0, "requests": 64, **name})
        ms = round(prediction(trial, model, settings, run.at_once(model)).latency_s * 1000, 3)
        known = {"service_ms": settings.service_ms, "predicted_mean_ms": ms, "predicted_median_ms": ms}
        cells.append(replace(base, cell=base.cell.model_copy(update={"backlog": None, **name, **known})))
    experiment = recorded.experiment.model_copy(update={"server": settings, "cpus": (2.0,)})
    return replace(recorded, run=run, experiment=experiment, cells=tuple(cells))


@pytest.mark.parametrize(
    ("models", "free", "medians_ms", "words"),
    [
        ((LOCKED,), False, [320.0], "c x P / min(1, CPUs)), with the service time S = 25 ms and P = 5 ms of computing in"
         " it, one thread at a time."),
        ((LOCKED,), True, [200.0], "c x P / min(8, CPUs)), with the service time S = 25 ms and P = 5 ms of computing in"
         " it, 8 requests at a time."),
        ((PREFORK,), False, [200.0], "c x P / min(8, CPUs)), with the service time S = 25 ms and P = 5 ms of computing"
         " in it, 8 requests at a time."),
        ((GO,), False, [160.0], "c x P / CPUs), with the service time S = 25 ms and P = 5 ms of computing in it, any"
         " number of requests at a time."),
        ((GO, LOCKED, PREFORK), False, [160.0, 320.0, 200.0], "c x P / min(N, CPUs)), with the service time S = 25 ms"
         " and P = 5 ms of computing in it, N requests at a time: 1 (B), 8 (E) and any number (K)."),
    ],
)  # fmt: skip
def test_as_many_cores_are_told_as_the_prediction_uses(
    recorded: Analysis, models: tuple[ModelInfo, ...], free: bool, medians_ms: list[float], words: str
) -> None:
    found = run_of(recorded, *models, free=free)
    assert [each.cell.predicted_median_ms for each in found.cells] == medians_ms
    told = predicted.prediction(found)
    assert told.endswith(words)
    assert ("one thread at a time" in told) == (medians_ms == [320.0])


def test_a_model_without_a_bar_is_not_in_the_sentence(recorded: Analysis) -> None:
    both = run_of(recorded, LOCKED, PREFORK)
    unknown = replace(both.cells[1], cell=both.cells[1].cell.model_copy(update={"predicted_median_ms": None}))
    assert "min(1, CPUs)" in predicted.prediction(replace(both, cells=(both.cells[0], unknown)))
    assert predicted.prediction(replace(both, cells=(unknown,))) == (
        "No prediction is drawn: response times differ in theory, which gives their mean, not their median."
    )


def test_without_computing_nothing_is_said_of_cores(recorded: Analysis) -> None:
    told = predicted.prediction(run_of(recorded, LOCKED, GO, cpu_ms=0.0))
    assert told.endswith("max(S, c x S / workers), with the service time S = 20 ms.")


@pytest.mark.parametrize(
    ("median_ms", "mean_ms", "turn"), [(175.0, 400.0, "S"), (350.0, 800.0, "P / CPUs")]
)  # 16 users behind a backlog of 5: S is 25 ms; 5 ms on 0.1 CPU are 50 ms
def test_a_turn_behind_a_short_queue_takes_what_the_prediction_says(
    recorded: Analysis, median_ms: float, mean_ms: float, turn: str
) -> None:
    found = run_of(recorded, LOCKED)
    changes = {"concurrency": 16, "backlog": 5, "predicted_median_ms": median_ms, "predicted_mean_ms": mean_ms}
    behind = replace(found.cells[0], cell=found.cells[0].cell.model_copy(update=changes))
    found = replace(found, cells=(behind,))
    (told,) = predicted.short_queues(found)
    assert f"(backlog + 2) x {turn} = {median_ms:.0f} ms; with a longer accept queue it is c x {turn} = " in told
    assert told.endswith(f"{mean_ms:.0f} ms.")
    each = "S" if turn == "S" else "max(S, P / CPUs)"
    assert f"; (backlog + 2) x {each} where the accept queue holds fewer" in predicted.prediction(found)
