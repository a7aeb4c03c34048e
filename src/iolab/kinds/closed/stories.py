"""What an experiment's data say, in sentences made of its numbers; where they do not say it, the sentences do."""

from collections.abc import Sequence

from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import milliseconds
from iolab.theory.closed_loop import mm1_response_s

FALLS = 0.8  # the median of the shortest queue, as a share of the longest's
EXPLODES = 5.0
SAME = 0.10
UNHELD_S = 0.02  # a quota that held a server back for less has done nothing


def stories(analysis: Analysis) -> list[tuple[str, list[str]]]:
    """Return (heading, sentences) of what the experiment was made to show; empty for one that varies neither."""
    found = []
    if len({analysis.experiment.settings(each).backlog for each in analysis.experiment.variants}) > 1:
        found.append(("Why the median falls while the tail explodes", backlog(analysis)))
    if len(analysis.experiment.cpus) > 1:
        found.append(("What more CPU buys", cores(analysis)))
    return [(heading, sentences) for heading, sentences in found if sentences]


def backlog(analysis: Analysis) -> list[str]:
    """Tell the shortest listen queue beside the longest, of the model and users that both were measured with."""
    queues = {name: analysis.experiment.settings(name).backlog or 0 for name in analysis.experiment.variants}
    cells = [each.cell for each in analysis.cells if each.cell.median_ms and queues.get(each.cell.variant)]
    if len(cells) < 2:
        return []
    cells.sort(key=lambda cell: queues[cell.variant])
    short, long = cells[0], cells[-1]
    if (short.model, short.concurrency) != (long.model, long.concurrency):
        return []
    return [*_queues(short, long, queues), *(_neither(short) if _falls(short, long) else [])]


def _falls(short: Cell, long: Cell) -> bool:
    """Say whether the median falls with the queue's length, while the tail explodes."""
    falls = (short.median_ms or 0.0) <= FALLS * (long.median_ms or 0.0)
    return falls and (short.max_ms or 0.0) >= EXPLODES * (long.max_ms or 0.0)


def _queues(short: Cell, long: Cell, queues: dict[str, int]) -> list[str]:
    median, brief = long.median_ms or 0.0, short.median_ms or 0.0
    users, each_ms = long.concurrency, median / long.concurrency
    told = [
        f"With a listen queue of {queues[long.variant]}, {_dropped(long)}: each of {users} users waits for the"
        f" {users - 1} others, {milliseconds(median)} = {users} x {each_ms:.1f} ms in the median, and the slowest"
        f" {milliseconds(long.max_ms)}."
    ]
    if not _falls(short, long):
        told.append(
            f"With one of {queues[short.variant]} ({_dropped(short)}) the median is {milliseconds(brief)} and the"
            f" slowest answer took {milliseconds(short.max_ms)}: in this run the median does not fall while the"
            " tail explodes."
        )
        return told
    admitted, room = brief / each_ms, queues[short.variant] + 2
    why = ""
    if abs(admitted - room) < 0.5:
        why = f" The kernel lets {room - 1} wait and one is being served, which makes {room}."
    told.append(
        f"With one of {queues[short.variant]} the median falls to {milliseconds(brief)}, for fewer are in the"
        f" queue: {milliseconds(brief)} is {admitted:.1f} x {each_ms:.1f} ms.{why} Who comes"
        f" then is dropped ({_dropped(short)}), and TCP tries again after a second and more: the slowest answer took"
        f" {milliseconds(short.max_ms)}. Most are served faster because some are hardly served at all."
    )
    return told


def _neither(short: Cell) -> list[str]:
    if not short.throughput_rps or not short.mean_ms:
        return []
    service_s = short.service_ms / 1000
    utilisation = short.throughput_rps * service_s
    told = (
        f"16 x 20 ms knows no drops: it predicts {milliseconds(short.predicted_mean_ms)} for everyone."
        if (short.concurrency, short.service_ms) == (16, 20)
        else f"{short.concurrency} x {short.service_ms:g} ms knows no drops: it predicts"
        f" {milliseconds(short.predicted_mean_ms)} for everyone."
    )
    if utilisation < 1:
        response_s = mm1_response_s(short.throughput_rps, service_s)
        told += (
            " M/M/1 is of people who come whether or not the server keeps up, and of a queue without end: at the"
            f" utilisation measured here, {utilisation:.2f}, it predicts a mean of"
            f" {milliseconds(response_s * 1e3)}; measured were {milliseconds(short.mean_ms)}."
        )
    else:
        told += " M/M/1, whose queue grows without end at full utilisation, predicts nothing here."
    return [told + " Neither alone explains a median this low beside a tail this long: a closed loop with drops does."]


def _dropped(cell: Cell) -> str:
    number = cell.server.listen_overflows
    if number is None:
        return "how many were dropped is not known here"
    if not number:
        return "nobody is dropped"
    again = cell.client.syn_retransmits
    return f"{number} connection attempts were dropped" + (f", {again} were sent again" if again is not None else "")


def cores(analysis: Analysis) -> list[str]:
    """Say of each model and variant what the CPU limit did to it, between the lowest and the highest."""
    told = []
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for each in analysis.cells:
        cell = each.cell
        groups.setdefault((cell.model, cell.variant, cell.concurrency), []).append(cell)
    for (model, variant, users), cells in groups.items():
        measured = sorted((cell for cell in cells if cell.throughput_rps), key=lambda cell: cell.cpus)
        if len(measured) > 1:
            what = f"{model}{f', {variant}' if variant else ''}, {numbers.users(users)}"
            cpu_ms = analysis.experiment.settings(variant).cpu_ms
            told.append(f"{what}: {_limit(measured, cpu_ms)}")
    return told


def _limit(cells: Sequence[Cell], cpu_ms: float) -> str:
    """Say whether, and from where on, more CPU changed nothing; `cells` are by rising limit."""
    best = cells[-1].throughput_rps or 0.0
    enough = next(cell for cell in cells if (cell.throughput_rps or 0.0) >= (1 - SAME) * best)
    low, high = cells[0], cells[-1]
    held = low.server.throttled_s
    throttled = f" (held back for {numbers.seconds(held)})" if held and held > UNHELD_S else ""
    if enough is low:
        why = "It waits, and waiting needs no CPU"
        if cpu_ms:
            why = "One thread at a time computes" if low.cpus >= 1 else "It computes no more than that much CPU can"
        return (
            f"{low.cpus:g} CPU is as good as {high.cpus:g}: {numbers.rate(low.throughput_rps)} and"
            f" {numbers.rate(best)}. {why}{throttled}."
        )
    text = (
        f"{numbers.rate(low.throughput_rps)} with {low.cpus:g} CPU{throttled}, {numbers.rate(best)} with {high.cpus:g};"
        f" the median goes from {milliseconds(low.median_ms)} to {milliseconds(high.median_ms)}."
    )
    if enough is not high:
        return f"{text} From {enough.cpus:g} CPU on, more changes nothing."
    gain, more = best / (low.throughput_rps or best), high.cpus / low.cpus
    text += f" The CPU limits it all the way: {gain:.1f} times as much for {more:.3g} times the CPU."
    return text + _convoy(high, cpu_ms)


def _convoy(cell: Cell, cpu_ms: float) -> str:
    """Say what keeps a busy loop from its bound where that is seen: all compute one by one, then all wait."""
    if (cell.server.throttled_s or 0) > UNHELD_S or not cpu_ms or not cell.median_ms:
        return ""
    together_ms = cell.concurrency * cpu_ms + cell.service_ms - cpu_ms
    if cell.median_ms < (1 + SAME) * cell.predicted_mean_ms or abs(cell.median_ms / together_ms - 1) > SAME:
        return ""
    return (
        f" Its median is above theory's bound of {milliseconds(cell.predicted_mean_ms)}, and near"
        f" {cell.concurrency} x {cpu_ms:g} + {cell.service_ms - cpu_ms:g} = {together_ms:g} ms: as if all"
        " computed one after the other, and then all waited."
    )
