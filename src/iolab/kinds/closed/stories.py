"""Sentences about what an experiment shows, made of its numbers; where the data do not show it, they say so."""

from iolab.kinds.closed import cpu_stories, words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.cpu_stories import SAME
from iolab.kinds.closed.predicted import a_turn
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import milliseconds
from iolab.theory.closed_loop import mm1_response_s
from iolab.theory.retries import FIRST_S

FALLS = 0.8  # the median of the shortest queue, as a share of the longest's
EXPLODES = 5.0
IDLES = ": some users have sent all their requests while others still wait for TCP, and the server idles."


def stories(analysis: Analysis) -> list[tuple[str, list[str]]]:
    """Return (heading, sentences) of what the experiment shows; empty where neither backlog nor CPU limit varies."""
    found = []
    if len({analysis.experiment.settings(each).backlog for each in analysis.experiment.variants}) > 1:
        found.append(("What the listen backlog changes", backlog(analysis)))
    if len(analysis.experiment.cpus) > 1:
        found.append(("What the CPU limit changes", cpu_stories.cores(analysis)))
    return [(heading, sentences) for heading, sentences in found if sentences]


def backlog(analysis: Analysis) -> list[str]:
    """Compare the shortest listen backlog with the longest, for the model and users that both were measured with."""
    queues = {name: analysis.experiment.settings(name).backlog or 0 for name in analysis.experiment.variants}
    cells = [each.cell for each in analysis.cells if each.cell.median_ms and queues.get(each.cell.variant)]
    if len(cells) < 2:
        return []
    cells.sort(key=lambda cell: queues[cell.variant])
    short, long = cells[0], cells[-1]
    if (short.model, short.concurrency) != (long.model, long.concurrency) or long.short_queue:
        return []
    return [*_queues(short, long, queues), *(_theory(short) if _falls(short, long) else [])]


def _falls(short: Cell, long: Cell) -> bool:
    """Return whether the shorter backlog has a much shorter median and a much longer tail."""
    falls = (short.median_ms or 0.0) <= FALLS * (long.median_ms or 0.0)
    return falls and (short.max_ms or 0.0) >= EXPLODES * (long.max_ms or 0.0)


def _queues(short: Cell, long: Cell, queues: dict[str, int]) -> list[str]:
    median, brief = long.median_ms or 0.0, short.median_ms or 0.0
    users, each_ms = long.concurrency, median / long.concurrency
    told = [
        f"With a listen backlog of {queues[long.variant]}, {dropped(long)}. The median response time is"
        f" {milliseconds(median)} = {users} x {each_ms:.1f} ms for {users} users, and the slowest response took"
        f" {milliseconds(long.max_ms)}."
    ]
    if not _falls(short, long):
        told.append(
            f"With a listen backlog of {queues[short.variant]}, {dropped(short)}. The median is {milliseconds(brief)},"
            f" and the slowest response took {milliseconds(short.max_ms)}: this run does not show a shorter median"
            " together with a longer tail."
        )
        return told
    told.append(
        f"With a listen backlog of {queues[short.variant]}, {dropped(short)}. The median is only {milliseconds(brief)}"
        f" = {brief / each_ms:.1f} x {each_ms:.1f} ms, the service time with the long queue"
        f"{_why(short, brief / each_ms, queues[short.variant] + 2)}{_as_busy(short, long)}"
    )
    return told


def _why(short: Cell, inside: float, room: int) -> str:
    """Say what drops explain of a short median of `inside` service times, and of the tail, where some were counted."""
    slowest = f"slowest response took {milliseconds(short.max_ms)}"
    if not short.server.listen_overflows:
        known = "this run does not show why" if short.server.listen_overflows == 0 else "why is not known"
        return f", and the {slowest}: {known}."
    circulate = ""
    if abs(inside - room) < 0.5:
        circulate = f" The accept queue takes {room - 1} connections, and one is served: {room} users circulate."
    fewer = f", since fewer requests wait before each accepted one.{circulate}"
    if retried(short):
        return f"{fewer} TCP sends a dropped attempt again after {FIRST_S:g} s or more: the {slowest}."
    return f"{fewer} The {slowest}; this run does not show that it waited for a dropped attempt to be sent again."


def retried(cell: Cell) -> bool:
    """Return whether requests waited until TCP sent a dropped connection attempt again: 1 s or more.

    Where the attempts that were sent again were counted, there must be one.
    """
    again = cell.client.syn_retransmits != 0
    return bool(cell.server.listen_overflows) and again and (cell.max_ms or 0.0) >= FIRST_S * 1000


def _as_busy(short: Cell, long: Cell) -> str:
    """Say that the server does as much work behind either queue, where that is so."""
    one, other = short.steady_rps, long.steady_rps
    if not one or not other or abs(one / other - 1) > SAME:
        return ""
    whole = ""
    if short.throughput_rps and short.throughput_rps < (1 - SAME) * one:
        whole = f" Over the whole span the short queue has {numbers.rate(short.throughput_rps)}"
        whole += IDLES if retried(short) else "."
    return (
        f" While every user has a request under way, the server serves as much: {numbers.rate(one)} and"
        f" {numbers.rate(other)}.{whole}"
    )


def _theory(short: Cell) -> list[str]:
    """Say which model predicts what of the short queue."""
    service_ms, mean_ms = short.service_ms, short.predicted_mean_ms
    if service_ms is None or mean_ms is None:
        return [no_open_queue(short)]
    each = ""
    if abs(short.concurrency * service_ms - mean_ms) <= words.STEP_MS:  # one worker, and computing is not the limit
        each = f", {short.concurrency} x {service_ms:g} ms,"
    told = f"The closed loop without drops{each} predicts {milliseconds(mean_ms)}."
    if short.short_queue and short.predicted_median_ms:
        told += (
            f" (backlog + 2) x {a_turn(short)} predicts {milliseconds(short.predicted_median_ms)} for the users that"
            " circulate; it does not predict the tail."
        )
    return [f"{told} {no_open_queue(short)}"]


def no_open_queue(cell: Cell) -> str:
    """Say why M/M/1 does not describe a cell; with its number only where the rate is that of all users."""
    told = (
        "M/M/1 describes another situation: requests arrive at random times, whether or not the server keeps up, into a"
        f" queue without limit; here at most {numbers.counted(cell.concurrency, 'request')} are under way."
    )
    if cell.suspect_repeats:
        repeats = numbers.counted(cell.suspect_repeats, "repeat")
        return f"{told} The measured rate is not that of all users (Little's law, {repeats}): no value is computed."
    utilisation, rate = cell.utilisation, cell.steady_rps
    if not utilisation or not rate or utilisation >= 1:
        return f"{told} It has no value at a utilisation of 1." if utilisation else told
    response_ms = mm1_response_s(rate, utilisation / rate) * 1000
    return (
        f"{told} At the measured utilisation, {utilisation:.2f}, it predicts a mean of {milliseconds(response_ms)};"
        f" the measured mean is {milliseconds(cell.mean_ms)}."
    )


def dropped(cell: Cell) -> str:
    """Say what the accept queue dropped, as a clause."""
    number = cell.server.listen_overflows
    if number is None:
        return "how many packets of connection attempts were dropped is not known"
    if not number:
        return "no connection attempt is dropped"
    again = cell.client.syn_retransmits
    told = f"the kernel drops {numbers.counted(number, 'packet')} of connection attempts"
    return told + (f", and attempts are sent again {numbers.counted(again, 'time')}" if again is not None else "")
