"""One queue for all workers, or one for each: the sentences that compare them, and the shares of the processes."""

from collections.abc import Iterator, Sequence

from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.report import numbers
from iolab.theory.capacity import Distribution, queue

LEAST_WAIT_S = 0.001  # a mean waiting time below it is mostly timers


def theory(cell: OpenCell, name: str) -> str:
    """Return the name of a cell's theory, such as M/M/8 or 8 x M/M/1; `name` is M/M or M/D."""
    queues = cell.record.queues
    return f"{'' if queues == 1 else f'{queues} x '}{name}/{cell.queue_workers:g}"


def split(cells: Sequence[OpenCell]) -> bool:
    """Return whether workers had a queue each in one of the cells."""
    return any(cell.record.queues > 1 for cell in cells)


def ratios(analysis: OpenAnalysis) -> Iterator[str]:
    """Yield, for each plan with several queues, how much longer requests waited than in one queue, and in theory."""
    for many in (cell for cell in analysis.cells if cell.record.queues > 1):
        for one in (cell for cell in analysis.cells if _only_queues_differ(analysis, cell, many)):
            yield _ratio(one, many, analysis.experiment.settings(many.record.variant).wait_distribution)


def _only_queues_differ(analysis: OpenAnalysis, one: OpenCell, many: OpenCell) -> bool:
    settings = [
        analysis.experiment.settings(cell.record.variant).model_dump(exclude={"reuseport"}) for cell in (one, many)
    ]
    same = (one.record.model, one.record.utilisation) == (many.record.model, many.record.utilisation)
    return same and one.record.queues == 1 and settings[0] == settings[1]


def _ratio(one: OpenCell, many: OpenCell, distribution: Distribution) -> str:
    name = "M/D" if distribution == "constant" else "M/M"
    expected = _wait_s(many, distribution) / _wait_s(one, distribution)
    where = f"{many.record.model} at {many.record.utilisation:.0%} utilisation"
    said = f"{theory(many, name)} against {theory(one, name)}, {expected:.1f} times in theory"
    if one.wait_s is None or many.wait_s is None:
        return f"{where}: how much longer requests waited in {many.record.queues} queues is not known ({said})."
    disturbed = any(finding.severity != "note" for cell in (one, many) for finding in cell.findings)
    doubt = "disturbed, see the findings: " if disturbed else ""
    waits = f"{doubt}mean waiting time {_ms(many.wait_s)} in {many.record.queues} queues and {_ms(one.wait_s)} in one"
    if one.wait_s < LEAST_WAIT_S:
        return f"{where}: {waits}, which is too short for a ratio ({said})."
    return f"{where}: {waits}, {many.wait_s / one.wait_s:.1f} times ({said}{_same(one, many)})."


def _same(one: OpenCell, many: OpenCell) -> str:
    """Return the ratio that ideal queues with the same arrivals and service times have; "" if that is not known."""
    waits = [cell.waiting_s(cell.same.mean_s) if cell.same else None for cell in (one, many)]
    if waits[0] is None or waits[1] is None or waits[0] < LEAST_WAIT_S:
        return ""
    return f", {waits[1] / waits[0]:.1f} times in ideal queues with the same arrivals"


def _wait_s(cell: OpenCell, distribution: Distribution) -> float:
    record = cell.record
    each = queue(distribution, record.rate_rps / record.queues, record.calibration.service_s, cell.queue_workers)
    return each.mean_wait_s


def _ms(seconds: float) -> str:
    return numbers.milliseconds(max(0.0, seconds) * 1000)


def shares(analysis: OpenAnalysis) -> Iterator[str]:
    """Yield how unevenly the requests of each plan were shared, where the server says which process served them."""
    for cell in analysis.cells:
        if len(cell.shares) < 2:
            continue
        record, idle = cell.record, int(cell.workers) - len(cell.shares)
        place = " ".join(filter(None, [record.model, record.variant, "at", numbers.share(record.utilisation)]))
        text = f"{place}: its processes served {min(cell.shares):.0%} to {max(cell.shares):.0%} of the requests"
        yield f"{text}, and {numbers.counted(idle, 'process')} none." if idle > 0 else f"{text}."
