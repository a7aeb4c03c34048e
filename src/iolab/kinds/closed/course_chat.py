"""The course's last question: a thousand people who chat. Answered by a crowd that was measured, where there is one."""

from collections.abc import Sequence

from iolab.kinds.closed.cells import Analysis
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.sentences import click, fates, listed, of_a_line, reason, total_bytes
from iolab.kinds.crowd.words import WAYS, label, name, size
from iolab.report import words
from iolab.results.records import Cell

CHATTERS = 1000
QUESTION = f"{CHATTERS:,} people chat on a dormitory PC: a pool of threads, or asyncio?"
UNANSWERED = 0.01  # of the clicks
HINT = f"make crowd USERS={CHATTERS} measures it here: what each model needs for them, and what they feel."


def paragraphs(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Answer it: `threads` are in the pool, and `loop` is what 16 users made of C, if that was measured."""
    if analysis.crowd and analysis.crowd.cells:
        return measured(analysis.crowd)
    return [*_reckoned(analysis, threads, loop), HINT]


def measured(crowd: CrowdAnalysis) -> list[str]:
    """Answer it by a crowd: what each model needs, what its users feel, and what follows."""
    cells = crowd.cells
    return [
        *(_needs(cell, crowd) for cell in cells),
        " ".join(filter(None, [_in_time(cells, crowd), _clicks(cells, crowd)])),
        _choice(cells, crowd),
        _source(crowd),
    ]


def _needs(cell: CrowdCell, crowd: CrowdAnalysis) -> str:
    if cell.held_all:
        return of_a_line([cell], crowd)
    return f"{name(cell, crowd)}: {fates(cell)}. {reason(cell, crowd)}."


def _in_time(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    known = [cell for cell in cells if cell.prompt is not None]
    if not known:
        return ""
    parts = ", ".join(f"{cell.prompt:,} of {cell.record.users:,} ({label(cell, crowd)})" for cell in known)
    return f"What people feel: within {known[0].record.patience_s:g} s a word of the server reached {parts}."


def _clicks(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    return f"How long a click waits: {'; '.join(f'{label(cell, crowd)}, {click(cell)}' for cell in cells)}."


def _choice(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    """Say which model to take: of those that held all and answer, the one whose users take least memory."""
    fit = [cell for cell in cells if cell.held_all and cell.clicks.never <= UNANSWERED * cell.clicks.count]
    if not fit:
        best = max(cells, key=lambda cell: cell.record.held / cell.record.users)
        return (
            f"None of them held everybody and answered their clicks; {label(best, crowd)} came nearest: {fates(best)}."
        )
    if len({cell.record.model for cell in fit}) == 1:
        chosen = fit
        alone = len({cell.record.model for cell in cells}) == 1
        why = "no other was measured" if alone else "no other held everybody and answered their clicks"
    else:
        known, where = _memory(fit)
        if not known:
            names = listed([label(cell, crowd) for cell in fit])
            return f"{names} held everybody and answered their clicks; what their users take is not known here."
        chosen = [cell for cell in fit if cell.record.model == known[0][1].record.model]
        parts = ", ".join(f"{size(total)} {label(cell, crowd)}" for total, cell in known)
        why = f"of those that held everybody and answered their clicks its users take the least memory{where} ({parts})"
    ways = " or ".join(WAYS[cell.record.way] for cell in chosen)
    text = f"So choose {chosen[0].record.model} ({chosen[0].record.title}, by {ways}): {why}."
    if all(cell.record.quiet.threads == 1 for cell in chosen):
        text += " And compute elsewhere, for what blocks its one thread blocks everyone."
    return text


def _memory(cells: Sequence[CrowdCell]) -> tuple[list[tuple[float, CrowdCell]], str]:
    """Return what a user takes, the least first, and where: all are to be compared by the same, or not at all."""
    for taken, where in ((total_bytes, ""), (lambda cell: cell.server_bytes, " in the server")):
        known = [(total, cell) for cell in cells if (total := taken(cell)) is not None]
        if len(known) == len(cells):
            return sorted(known, key=lambda pair: pair[0]), where
    return [], ""


def _source(crowd: CrowdAnalysis) -> str:
    levels = sorted({cell.record.users for cell in crowd.cells})
    nearest = "" if levels == [CHATTERS] else f" The levels nearest to {CHATTERS:,} that were measured have"
    nearest += f" {listed([f'{users:,}' for users in levels])} users." if nearest else ""
    where = words.PLACES[crowd.run.runtime]
    return f"Figures of the crowd of {crowd.run.started:%Y-%m-%d} ({crowd.folder}, {where}).{nearest}{_doubts(crowd)}"


def _doubts(crowd: CrowdAnalysis) -> str:
    kinds = {finding.id for cell in crowd.cells for finding in cell.findings if finding.severity != "note"}
    return f" Its report says what to mind of them: {', '.join(sorted(kinds))}." if kinds else ""


def _reckoned(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Answer it by what 16 users were, where no crowd was measured."""
    told = [
        f"A chat connection waits nearly all the time. In a pool of {threads} threads each open connection holds a"
        f" thread: {threads} people chat, and {CHATTERS - threads} stand in the queue. A thread for everyone takes"
        f" {CHATTERS:,} of them, with 8 MiB of address space for each stack ({CHATTERS * 8 / 1024:.1f} GiB; memory is"
        " used only as far as a stack is touched), and the kernel switches between them."
    ]
    per_thread = _memory_per_thread(analysis)
    if per_thread:
        told.append(
            f"A server with a thread for each connection used {per_thread / 1024:.0f} KiB more for each further user in"
            f" this run: {per_thread * CHATTERS / 2**20:.0f} MiB for {CHATTERS:,}, where that holds."
        )
    if loop is None:
        return [*told, words.missing("C", 16)]
    return [
        *told,
        f"The event loop served 16 with {words.count(loop.server.threads_peak)} thread in"
        f" {words.megabytes(loop.server.rss_peak_bytes)}, and a further connection is a socket and a small object."
        " Choose asyncio; and compute elsewhere, for what blocks the loop blocks everyone.",
    ]


def _memory_per_thread(analysis: Analysis) -> float | None:
    """Return the bytes that a further thread cost, of a model whose threads grew with its users."""
    for group in words.by_model(analysis):
        first, last = group[0].server, group[-1].server
        if None in (first.threads_peak, last.threads_peak, first.rss_peak_bytes, last.rss_peak_bytes):
            continue
        threads = (last.threads_peak or 0) - (first.threads_peak or 0)
        memory = (last.rss_peak_bytes or 0) - (first.rss_peak_bytes or 0)
        if threads >= 8 and memory > 0:
            return memory / threads
    return None
