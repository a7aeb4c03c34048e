"""What a crowd found, in sentences made of its figures: how many users a server holds, where it breaks, and why."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from iolab.kinds.crowd import words as crowd_words
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.words import label, name, size, span

FATES = {"late": "served late", "waiting": "waiting", "refused": "refused", "lost": "cut off"}
REASONS = {
    "threads": "It could start no more threads",
    "pids": "Its container may have no more tasks",
    "files": "It may open no more files",
    "memory": "There was no more memory",
    "refused": "Connections were refused",
    "died": "The server died",
}


def sentences(analysis: CrowdAnalysis) -> list[str]:
    """Return a sentence or two for each model and transport, and what comparing them shows."""
    told = [of_a_line(line, analysis) for line in analysis.lines]
    return [*told, *filter(None, [fairness(analysis), memory(analysis), clicks(analysis)])]


def broken(line: Sequence[CrowdCell]) -> CrowdCell | None:
    """Return the first level at which not all were held; None where there is none."""
    return next((cell for cell in line if cell.counts and not cell.held_all), None)


def of_a_line(line: Sequence[CrowdCell], analysis: CrowdAnalysis) -> str:
    """Say how many a model holds; where it does not, from where on, why, and what it holds then."""
    counted = [cell for cell in line if cell.counts]
    if not counted:
        return f"{name(line[0], analysis)} has no level that counts; the findings say why."
    wall = broken(counted)
    if wall is None:
        best = counted[-1]
        return f"{name(best, analysis)} held all of {best.record.users:,}{_with(best)}.{_more(best)}"
    text = f"{name(wall, analysis)} breaks at {wall.record.users:,}: {fates(wall)}. {reason(wall, analysis)}."
    if wall.served == wall.record.users:
        text += f" In the end it serves all of them{_with(wall)}.{_more(wall)}"
    number = counted.index(wall)
    if number:
        best = counted[number - 1]
        text += f" It held all of {best.record.users:,}{_with(best)}.{_more(best)}"
    return text + _later(counted[number + 1 :], wall)


def fates(cell: CrowdCell) -> str:
    """Say what became of all users: 8 of 1,000 are held, 992 waiting."""
    held = cell.record.held
    text = f"{held:,} of {cell.record.users:,} {'is' if held == 1 else 'are'} held"
    rest = [f"{getattr(cell.record, key):,} {word}" for key, word in FATES.items() if getattr(cell.record, key)]
    return ", ".join([text, *rest])


def reason(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Say what kept users out: the evidence, which is a sentence; or what the obstacle is, where there is none."""
    record = cell.record
    evidence = " ".join(record.evidence.split()).rstrip(".")
    if record.obstacle and evidence:
        return evidence[0].upper() + evidence[1:]
    if record.obstacle == "queue":
        workers = analysis.workers.get(record.model)
        threads = record.threads or (int(workers) if workers and workers < record.users else None)
        whose = {None: "All its threads are", 1: "Its only thread is"}.get(threads, f"All its {threads} threads are")
        return f"{whose} taken, and the others stand behind"
    if record.obstacle == "slow":
        return f"It had not come to the others within {record.patience_s:g} s"
    if record.obstacle is None and record.late:
        return f"The server's word came later than within the {record.patience_s:g} s that people wait{_last(cell)}"
    return REASONS.get(str(record.obstacle), "Nothing says why")


def _last(cell: CrowdCell) -> str:
    last_s = cell.established.max_s
    return "" if last_s is None or math.isinf(last_s) else f": the last after {span(last_s)}"


def _with(cell: CrowdCell) -> str:
    threads, rss = cell.record.quiet.threads, cell.record.quiet.rss_bytes
    parts = [] if threads is None else [threads_of(threads)]
    parts += [] if rss is None else [size(rss)]
    return f", with {' and '.join(parts)}" if parts else ""


def threads_of(number: int) -> str:
    """Return "1 thread" or "10,001 threads"."""
    return "1 thread" if number == 1 else f"{number:,} threads"


def _more(cell: CrowdCell) -> str:
    """Say what each user takes, and what waiting costs."""
    text = ""
    if cell.server_bytes is not None:
        text += f" Each user takes {size(cell.server_bytes)} in the server"
        kernel = cell.kernel.total
        text += "." if kernel is None else f" and {size(kernel)} in the kernel, both ends of the connection together."
    if cell.idle_share is not None:
        idle = crowd_words.idle(cell).replace("<", "less than ")
        text += f" While nobody clicks it computes {idle} of the time."
    return text


def _later(cells: Sequence[CrowdCell], wall: CrowdCell) -> str:
    """Say what is held of the crowds beyond the first that was too large; those that end alike are said together."""
    text = ""
    for held, same in groupby(cells, key=lambda cell: None if cell.held_all else cell.record.held):
        users = listed([f"{cell.record.users:,}" for cell in same])
        what = "all, though" if held is None else f"{held:,}, too" if held == wall.record.held else f"{held:,}"
        text += f" Of {users} it held {what}."
    return text


def listed(parts: Sequence[str]) -> str:
    """Return "1, 2 and 3"."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), parts[-1]])


def together(analysis: CrowdAnalysis, wanted: Callable[[CrowdCell], bool]) -> list[CrowdCell]:
    """Return the wanted levels of the crowd that most models have in common, and of those the largest."""
    found: dict[int, list[CrowdCell]] = {}
    for cell in analysis.cells:
        if cell.counts and wanted(cell):
            found.setdefault(cell.record.users, []).append(cell)
    most = max(found, key=lambda users: (len(found[users]), users), default=0)
    return found.get(most, [])


def fairness(analysis: CrowdAnalysis) -> str:
    """Say how many of the same crowd ever had an answer in time, where one did not hold it."""
    cells = together(analysis, lambda cell: cell.prompt is not None)
    if len(cells) < 2 or all(cell.held_all for cell in cells):
        return ""
    record = cells[0].record
    parts = ", ".join(f"{label(cell, analysis)} {_of_all(cell)}" for cell in cells)
    return f"Who of {record.users:,} had a word of the server within {record.patience_s:g} s: {parts}."


def _of_all(cell: CrowdCell) -> str:
    return "all" if cell.prompt == cell.record.users else f"{cell.prompt:,}"


def memory(analysis: CrowdAnalysis) -> str:
    """Say what the same crowd takes, model by model, the least first."""
    known = together(analysis, lambda cell: cell.held_all and total_bytes(cell) is not None)
    cells = [(total_bytes(cell) or 0.0, cell) for cell in known]
    if len(cells) < 2:
        return ""
    cells.sort(key=lambda pair: pair[0])
    parts = ", ".join(f"{size(takes)} by {label(cell, analysis)}{_threads(cell)}" for takes, cell in cells)
    ratio = cells[-1][0] / cells[0][0] if cells[0][0] > 0 else None
    times = f" The most is {ratio:.1f} times the least." if ratio else ""
    return f"What each of {cells[0][1].record.users:,} takes, in server and kernel: {parts}.{times}"


def total_bytes(cell: CrowdCell) -> float | None:
    """Return what each user takes in server and kernel together, in bytes."""
    kernel = cell.kernel.total
    return None if cell.server_bytes is None or kernel is None else cell.server_bytes + kernel


def _threads(cell: CrowdCell) -> str:
    threads = cell.record.quiet.threads
    return "" if threads is None else f" ({threads_of(threads)})"


def clicks(analysis: CrowdAnalysis) -> str:
    """Say how long a click waits while the same crowd is held, model by model."""
    cells = together(analysis, lambda cell: cell.held_all and cell.clicks.p99_s is not None)
    if not cells:
        return ""
    cells.sort(key=lambda cell: cell.clicks.p99_s or 0.0)
    parts = "; ".join(f"{label(cell, analysis)} {click(cell)}" for cell in cells)
    return f"A click while {cells[0].record.users:,} are held: {parts}."


def click(cell: CrowdCell) -> str:
    """Say how long a click waits: 0.2 ms in the median, 1.2 ms at p99."""
    clicks = cell.clicks
    if not clicks.count:
        return "nobody clicked"
    if clicks.never == clicks.count:
        return f"none of {clicks.count:,} was answered"
    if clicks.p50_s is None:
        return f"{clicks.count} clicks, too few to say"
    median = "no answer" if math.isinf(clicks.p50_s) else span(clicks.p50_s)
    if clicks.p99_s is None:
        return f"{median} in the median, too few for p99"
    return f"{median} in the median, {'no answer' if math.isinf(clicks.p99_s) else span(clicks.p99_s)} at p99"


def card(line: Sequence[CrowdCell], analysis: CrowdAnalysis) -> tuple[str, str]:
    """Return what a card says of a model and transport: in a few words, and in a line beneath."""
    counted = [cell for cell in line if cell.counts]
    if not counted:
        return "no result", "No level of it counts."
    wall = broken(counted)
    if wall:
        return f"holds {wall.record.held:,} of {wall.record.users:,}", f"{reason(wall, analysis)}."
    best = counted[-1]
    text = _with(best).removeprefix(", with ")
    tail = best.clicks.p99_s
    text += f"; a click takes {span(best.clicks.p50_s)}, {span(tail)} at p99" if tail is not None else ""
    return f"holds {best.record.users:,}", f"{text.removeprefix('; ')}." if text else ""
