"""How the prediction of a closed loop was made, in sentences."""

import math

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import milliseconds


def prediction(analysis: Analysis) -> str:
    """Return how the prediction is made, in a sentence."""
    server = analysis.experiment.server
    if not analysis.experiment.predictable:
        return "No prediction is drawn: the server's workers, or its wait, are not known."
    if server.wait_distribution != "constant":
        return "No prediction is drawn: service times are random, and theory gives their mean, not their median."
    bar = "The vertical bar is the median that theory predicts for a closed loop:"
    drawn = [each.cell for each in analysis.cells if each.cell.predicted_median_ms]
    if not drawn:
        return "No prediction is drawn: response times differ in theory, which gives their mean, not their median."
    turns = {a_turn(cell) for cell in drawn if cell.short_queue}
    each_turn = "S" if turns == {"S"} else "max(S, P / CPUs)"
    behind = f"; (backlog + 2) x {each_turn} where the accept queue holds fewer connections than there are users"
    queue = behind if turns else ""
    settings = [analysis.experiment.settings(each) for each in analysis.experiment.variants]
    services, computing = {each.service_ms for each in settings}, {each.cpu_ms for each in settings}
    service = f"S = {min(services):g} ms" if len(services) == 1 else "S, wait and computing"
    pooled = any(each.downstream for each in settings)
    bounds = "S, c x S / workers" + (", c x wait / connections" if pooled else "")
    service += ", and the connections to the downstream service" if pooled else ""
    if computing == {0}:
        return f"{bar} max({bounds}), with the service time {service}{queue}."
    amount = f"P = {min(computing):g} ms of computing" if len(computing) == 1 else "P, the computing"
    cores, models = _at_once(analysis, drawn)
    return f"{bar} max({bounds}, c x P / {cores}), with the service time {service} and {amount} in it, {models}{queue}."


def _at_once(analysis: Analysis, drawn: list[Cell]) -> tuple[str, str]:
    """Return the cores that compute at once, as in the prediction, and of which models how many requests do."""
    letters = dict.fromkeys(cell.model for cell in drawn)
    models: dict[float, list[str]] = {}
    for model in analysis.run.models:
        if model.letter in letters:
            models.setdefault(analysis.run.at_once(model), []).append(model.letter)
    if set(models) == {1.0}:
        return "min(1, CPUs)", "one thread at a time"
    if set(models) == {math.inf}:
        return "CPUs", "any number of requests at a time"
    if len(models) == 1:
        (number,) = models
        return f"min({number:g}, CPUs)", f"{number:g} requests at a time"
    each = numbers.listed(
        [
            f"{'any number' if math.isinf(number) else f'{number:g}'} ({', '.join(models[number])})"
            for number in sorted(models)
        ]
    )
    return "min(N, CPUs)", f"N requests at a time: {each}"


def a_turn(cell: Cell) -> str:
    """Return what the turn of each user takes behind a short accept queue: S, or P / CPUs where that is more."""
    service_ms = (cell.predicted_median_ms or 0.0) / ((cell.backlog or 0) + 2)
    return "S" if abs(service_ms - (cell.service_ms or 0.0)) <= words.STEP_MS else "P / CPUs"


def short_queues(analysis: Analysis) -> list[str]:
    """Return a sentence for each prediction of cells whose accept queue is shorter than their users."""
    cells = [each.cell for each in analysis.cells if each.cell.short_queue and each.cell.predicted_median_ms]
    return list(dict.fromkeys(_short_queue(cell, analysis) for cell in cells))


def _short_queue(cell: Cell, analysis: Analysis) -> str:
    inside, turn = (cell.backlog or 0) + 2, a_turn(cell)
    return (
        f"{words.place(cell, analysis)}: the accept queue (listen backlog {cell.backlog}) holds fewer connections than"
        f" there are users. Theory is the median of the {inside} users that circulate, (backlog + 2) x {turn} ="
        f" {milliseconds(cell.predicted_median_ms)}; with a longer accept queue it is c x {turn} ="
        f" {milliseconds(cell.predicted_mean_ms)}."
    )
