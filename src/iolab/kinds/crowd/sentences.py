"""The results of a crowd run as sentences: how many users a server holds, where it breaks, and why."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from iolab.kinds.crowd import words
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.words import label, name
from iolab.report.marked import Answer
from iolab.report.numbers import counted, latency, listed, memory

OUTCOMES = {"late": "served late", "waiting": "waiting", "refused": "refused", "lost": "disconnected"}
REASONS = {
    "threads": "The server could not start another thread",
    "pids": "The task limit of its container was reached",
    "files": "The limit on open files was reached",
    "memory": "The memory limit was reached",
    "refused": "Connections were refused",
    "died": "The server died",
}


def sentences(analysis: CrowdAnalysis) -> list[str]:
    """Return a sentence or two for each model and transport, and comparisons between them."""
    texts = [Answer(of_a_line(line, analysis), of_a_line(line, analysis, why=False)) for line in analysis.lines]
    return [*texts, *filter(None, [_in_time(analysis), _memory(analysis), _clicks(analysis)])]


def broken(line: Sequence[CrowdCell]) -> CrowdCell | None:
    """Return the first cell in which not all users were held; None if there is none."""
    return next((cell for cell in line if cell.counts and not cell.held_all), None)


def of_a_line(line: Sequence[CrowdCell], analysis: CrowdAnalysis, *, why: bool = True) -> str:
    """Say how many users a model holds; if not all, from which number on, `why`, and how many it holds then."""
    cells = [cell for cell in line if cell.counts]
    if not cells:
        return f"{name(line[0], analysis)} has no valid trial; the findings say why."
    wall = broken(cells)
    if wall is None:
        best = cells[-1]
        return f"{name(best, analysis)} held all {best.record.users:,} users{_with(best)}.{_cost(best)}"
    text = f"{name(wall, analysis)} breaks at {wall.record.users:,} users: {outcomes(wall)}."
    text += f" {reason(wall, analysis)}." if why else ""
    if wall.served == wall.record.users:
        text += f" In the end, it serves all of them{_with(wall)}.{_cost(wall)}"
    number = cells.index(wall)
    if number:
        best = cells[number - 1]
        text += f" It held all {best.record.users:,} users{_with(best)}.{_cost(best)}"
    return text + _later(cells[number + 1 :], wall)


def outcomes(cell: CrowdCell) -> str:
    """Return the outcomes of all users: 8 of 1,000 are held, 992 waiting."""
    held = cell.record.held
    text = f"{held:,} of {cell.record.users:,} {'is' if held == 1 else 'are'} held"
    rest = [f"{getattr(cell.record, key):,} {word}" for key, word in OUTCOMES.items() if getattr(cell.record, key)]
    return ", ".join([text, *rest])


def reason(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Say why users were not held: the evidence, which is a sentence, or else a sentence about the obstacle."""
    record = cell.record
    evidence = " ".join(record.evidence.split()).rstrip(".")
    if record.obstacle and evidence:
        return evidence[0].upper() + evidence[1:]
    if record.obstacle == "queue":
        workers = analysis.workers.get(record.model)
        threads = record.threads or (int(workers) if workers and workers < record.users else None)
        used = {None: "All its threads are", 1: "Its only thread is"}.get(threads, f"All its {threads} threads are")
        return f"{used} in use, and the other users wait"
    if record.obstacle == "slow":
        return f"The server had not answered the other users within {record.patience_s:g} s"
    if record.obstacle is None and record.late:
        return f"The server's first answer took longer than the {record.patience_s:g} s that users wait{_last(cell)}"
    return REASONS.get(str(record.obstacle), "The reason is not known")


def _last(cell: CrowdCell) -> str:
    last_s = cell.established.max_s
    return "" if last_s is None or math.isinf(last_s) else f": the last after {latency(last_s)}"


def _with(cell: CrowdCell) -> str:
    threads, rss = cell.record.quiet.threads, cell.record.quiet.rss_bytes
    parts = [] if threads is None else [counted(threads, "thread")]
    parts += [] if rss is None else [f"{memory(rss)} of memory"]
    return f", with {' and '.join(parts)}" if parts else ""


def _cost(cell: CrowdCell) -> str:
    """Say how much memory each user needs, and the CPU time of idle connections."""
    text = ""
    if cell.server_bytes is not None:
        text += f" Each user takes {memory(cell.server_bytes)} in the server"
        kernel = cell.kernel.total
        text += "." if kernel is None else f" and {memory(kernel)} in the kernel, both ends of the connection together."
    if cell.idle_share is not None:
        text += f" While no user clicks, it uses {words.idle(cell).replace('<', 'less than ')} of a core."
    return text


def _later(cells: Sequence[CrowdCell], wall: CrowdCell) -> str:
    """Say how many users are held at the numbers above the first that broke; equal numbers are said once."""
    text = ""
    for held, same in groupby(cells, key=lambda cell: None if cell.held_all else cell.record.held):
        users = listed([f"{cell.record.users:,}" for cell in same])
        also = "also " if held == wall.record.held else ""
        text += f" Of {users} users, it {also}held {'all' if held is None else f'{held:,}'}."
    return text


def _together(analysis: CrowdAnalysis, wanted: Callable[[CrowdCell], bool]) -> list[CrowdCell]:
    """Return the wanted cells at the number of users that most lines share; of several such numbers, the largest."""
    found: dict[int, list[CrowdCell]] = {}
    for cell in analysis.cells:
        if cell.counts and wanted(cell):
            found.setdefault(cell.record.users, []).append(cell)
    most = max(found, key=lambda users: (len(found[users]), users), default=0)
    return found.get(most, [])


def _in_time(analysis: CrowdAnalysis) -> str:
    """Say how many users each server answered in time at the same number of users, if one did not hold all of them."""
    cells = _together(analysis, lambda cell: cell.prompt is not None)
    if len(cells) < 2 or all(cell.held_all for cell in cells):
        return ""
    record = cells[0].record
    parts = ", ".join(f"{label(cell, analysis)} {_of_all(cell)}" for cell in cells)
    return f"Users of {record.users:,} that the server answered within {record.patience_s:g} s: {parts}."


def _of_all(cell: CrowdCell) -> str:
    return "all" if cell.prompt == cell.record.users else f"{cell.prompt:,}"


def _memory(analysis: CrowdAnalysis) -> str:
    """Say how much memory each user needs at the same number of users, the least first."""
    known = _together(analysis, lambda cell: cell.held_all and total_bytes(cell) is not None)
    cells = [(total_bytes(cell) or 0.0, cell) for cell in known]
    if len(cells) < 2:
        return ""
    cells.sort(key=lambda pair: pair[0])
    parts = ", ".join(f"{label(cell, analysis)} {memory(needed)}{_threads(cell)}" for needed, cell in cells)
    ratio = cells[-1][0] / cells[0][0] if cells[0][0] > 0 else None
    times = f" The most is {ratio:.1f} times the least." if ratio else ""
    users = f"{cells[0][1].record.users:,} users"
    return f"Memory for each of {users}, in server and kernel together: {parts}.{times}"


def total_bytes(cell: CrowdCell) -> float | None:
    """Return the memory for each user in server and kernel together, in bytes."""
    kernel = cell.kernel.total
    return None if cell.server_bytes is None or kernel is None else cell.server_bytes + kernel


def _threads(cell: CrowdCell) -> str:
    threads = cell.record.quiet.threads
    return "" if threads is None else f" ({counted(threads, 'thread')})"


def _clicks(analysis: CrowdAnalysis) -> str:
    """Say the response times of clicks at the same number of users, the shortest first."""
    cells = _together(analysis, lambda cell: cell.held_all and cell.clicks.p99_s is not None)
    if not cells:
        return ""
    cells.sort(key=lambda cell: cell.clicks.p99_s or 0.0)
    parts = "; ".join(f"{label(cell, analysis)} {click(cell)}" for cell in cells)
    return f"Response time of a click while {cells[0].record.users:,} users are held: {parts}."


def click(cell: CrowdCell) -> str:
    """Say how long a click takes: 0.2 ms in the median, 1.2 ms at p99."""
    clicks = cell.clicks
    if not clicks.count:
        return "no user clicked"
    if clicks.never == clicks.count:
        return f"all {clicks.count:,} clicks are unanswered"
    if clicks.p50_s is None:
        return f"{clicks.count} clicks, too few for a median"
    median = "no answer" if math.isinf(clicks.p50_s) else latency(clicks.p50_s)
    if clicks.p99_s is None:
        return f"{median} in the median, too few for p99"
    return f"{median} in the median, {'no answer' if math.isinf(clicks.p99_s) else latency(clicks.p99_s)} at p99"


def card(line: Sequence[CrowdCell], analysis: CrowdAnalysis) -> tuple[str, str]:
    """Return the verdict and the sentence of a card."""
    cells = [cell for cell in line if cell.counts]
    if not cells:
        return "no result", "There is no valid trial."
    wall = broken(cells)
    if wall:
        return f"holds {wall.record.held:,} of {wall.record.users:,}", Answer(f"{reason(wall, analysis)}.")
    best = cells[-1]
    text = _with(best).removeprefix(", with ")
    tail = best.clicks.p99_s
    text += f"; a click takes {latency(best.clicks.p50_s)}, {latency(tail)} at p99" if tail is not None else ""
    return f"holds {best.record.users:,}", f"{text.removeprefix('; ')}." if text else ""
