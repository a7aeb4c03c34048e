"""The course's first question: a queue at one worker, with room for all users and with a short accept queue."""

import math

from iolab.kinds.closed import words
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.stories import IDLES, no_open_queue, retried
from iolab.report import numbers
from iolab.report.numbers import milliseconds

CLOSE = 0.25  # a value so near to another agrees with it


def paragraphs(few: Cell | None, many: Cell | None) -> list[str]:
    """Return the answer for the cells of A with 4 and 16 users, as far as they have a result."""
    told = []
    if few:
        times = few.services or 0.0
        base = f"With 4 users the median is {milliseconds(few.median_ms)}, {times:.2f} x {few.service_ms:g} ms."
        if abs(times / 4 - 1) <= CLOSE:
            base += (
                " Each user sends the next request as soon as it has the response (a closed loop), so four requests are"
                " always under way: one is served, three wait, and each response takes four service times."
            )
        else:
            base += " Four service times of 20 ms do not explain that: see the findings."
        told.append(base)
    else:
        told.append(words.missing("A", 4))
    told += _many(many) if many else [words.missing("A", 16)]
    return told


def _many(many: Cell) -> list[str]:
    each, median_ms = f"{many.service_ms:g} ms", many.median_ms or 0.0
    overflows = many.server.listen_overflows
    told = (
        f"With 16 users the same reasoning predicts 16 x {each} = {milliseconds(many.predicted_mean_ms)}; the measured"
    )
    told += f" median is {milliseconds(median_ms)}"
    if abs(median_ms / (many.predicted_mean_ms or math.nan) - 1) <= CLOSE:
        why = "as no connection attempt was dropped" if overflows == 0 else "though the number of dropped packets is"
        why += "" if overflows == 0 else " not known" if overflows is None else f" {overflows}"
        return [f"{told}: it holds, {why}.", no_open_queue(many)]
    if not overflows or not behind_short_queue(many):
        return [f"{told}, which neither this nor a short accept queue explains.", no_open_queue(many)]
    backlog = many.backlog or 0
    again = f" (slowest response: {milliseconds(many.max_ms)})"
    if retried(many):
        again = f", and TCP sends those again after 1 s or more{again}. The course's 'very high' is in the tail, not in"
        again += " the median"
    return [
        f"{told}, {many.services or 0.0:.1f} x {each}. The server is not faster: its accept queue is short. It takes"
        f" {backlog + 1} connections (listen backlog {backlog}, and one more), and one is served, so {backlog + 2}"
        f" users circulate: ({backlog} + 2) x {each} = {milliseconds(many.predicted_median_ms)}. The kernel dropped"
        f" {numbers.counted(overflows, 'packet')} of the other users' connection attempts{again}. make backlog measures"
        " longer queues.",
        *_busy(many),
        no_open_queue(many),
    ]


def behind_short_queue(cell: Cell) -> bool:
    """Return whether packets were dropped and the median is that of the users that circulate in a short queue."""
    off = cell.residual
    return bool(cell.server.listen_overflows) and cell.short_queue and off is not None and abs(off) <= CLOSE


def _busy(many: Cell) -> list[str]:
    """Say that the server does not idle while all users are there, though the whole span looks like it."""
    steady, whole, utilisation = many.steady_rps, many.throughput_rps, many.utilisation
    if not (steady and whole and utilisation) or whole > (1 - CLOSE / 2) * steady:
        return []
    why = IDLES if retried(many) else "."
    return [
        f"While every user has a request under way, the server serves {numbers.rate(steady)}, a utilisation of"
        f" {utilisation:.2f}. Over the whole span it is {numbers.rate(whole)}{why}"
    ]
