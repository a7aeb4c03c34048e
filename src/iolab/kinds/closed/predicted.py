"""How the prediction of a closed loop was made, in sentences."""

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report.numbers import milliseconds


def prediction(analysis: Analysis) -> str:
    """Return how the prediction is made, in a sentence."""
    server = analysis.experiment.server
    if not analysis.experiment.predictable:
        return "No prediction is drawn: the server's workers, or its wait, are not known."
    if server.wait_distribution != "constant":
        return "No prediction is drawn: service times are random, and theory gives their mean, not their median."
    bar = "The vertical bar is the median that theory predicts for a closed loop:"
    behind = "; (backlog + 2) x S where the accept queue holds fewer connections than there are users"
    queue = behind if short_queues(analysis) else ""
    settings = [analysis.experiment.settings(each) for each in analysis.experiment.variants]
    services, computing = {each.service_ms for each in settings}, {each.cpu_ms for each in settings}
    service = f"S = {min(services):g} ms" if len(services) == 1 else "S, wait and computing"
    pooled = any(each.downstream for each in settings)
    bounds = "S, c x S / workers" + (", c x wait / connections" if pooled else "")
    service += ", and the connections to the downstream service" if pooled else ""
    if computing == {0}:
        return f"{bar} max({bounds}), with the service time {service}{queue}."
    amount = f"P = {min(computing):g} ms of computing" if len(computing) == 1 else "P, the computing"
    return (
        f"{bar} max({bounds}, c x P / min(1, CPUs)), with the service time {service} and {amount} in it, one"
        f" thread at a time{queue}."
    )


def short_queues(analysis: Analysis) -> list[str]:
    """Return a sentence for each prediction of cells whose accept queue is shorter than their users."""
    cells = [each.cell for each in analysis.cells if each.cell.short_queue and each.cell.predicted_median_ms]
    return list(dict.fromkeys(_short_queue(cell, analysis) for cell in cells))


def _short_queue(cell: Cell, analysis: Analysis) -> str:
    inside = (cell.backlog or 0) + 2
    return (
        f"{words.place(cell, analysis)}: the accept queue (listen backlog {cell.backlog}) holds fewer connections than"
        f" there are users. Theory is the median of the {inside} users that circulate, (backlog + 2) x S ="
        f" {milliseconds(cell.predicted_median_ms)}; with a longer accept queue it is c x S ="
        f" {milliseconds(cell.predicted_mean_ms)}."
    )
