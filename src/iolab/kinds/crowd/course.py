"""The answer of a crowd run to the course's last question, about a thousand chat users."""

from collections.abc import Sequence
from pathlib import Path

from iolab.chat.entries import TRANSPORTS
from iolab.kinds.crowd.analysis import CrowdAnalysis, newest
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.sentences import click, of_a_line, outcomes, reason, total_bytes
from iolab.kinds.crowd.words import label, name
from iolab.report.numbers import PLACES, listed, memory

UNANSWERED = 0.01  # of the clicks


def answer(results: Path, users: int) -> list[str]:
    """Return the paragraphs of the newest complete crowd run in `results`, nearest to `users`."""
    crowd = newest(results, users)
    return measured(crowd, users) if crowd and crowd.cells else []


def measured(crowd: CrowdAnalysis, users: int) -> list[str]:
    """Return what each model needs, the response times of its clicks, and which model to choose."""
    cells = crowd.cells
    return [
        *(_needs(cell, crowd) for cell in cells),
        " ".join(filter(None, [_in_time(cells, crowd), _clicks(cells, crowd)])),
        _choice(cells, crowd),
        _source(crowd, users),
    ]


def _needs(cell: CrowdCell, crowd: CrowdAnalysis) -> str:
    if cell.held_all:
        return of_a_line([cell], crowd)
    return f"{name(cell, crowd)}: {outcomes(cell)}. {reason(cell, crowd)}."


def _in_time(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    known = [cell for cell in cells if cell.prompt is not None]
    if not known:
        return ""
    parts = ", ".join(f"{cell.prompt:,} of {cell.record.users:,} ({label(cell, crowd)})" for cell in known)
    return f"Users that the server answered within {known[0].record.patience_s:g} s: {parts}."


def _clicks(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    return f"Response time of a click: {'; '.join(f'{label(cell, crowd)}, {click(cell)}' for cell in cells)}."


def _choice(cells: Sequence[CrowdCell], crowd: CrowdAnalysis) -> str:
    """Say which model to choose: of those that held all users and answer, the one with the least memory for each."""
    fit = [cell for cell in cells if cell.held_all and cell.clicks.never <= UNANSWERED * cell.clicks.count]
    if not fit:
        best = max(cells, key=lambda cell: cell.record.held / cell.record.users)
        return (
            f"No server held all users and answered their clicks; {label(best, crowd)} held the most: {outcomes(best)}."
        )
    if len({cell.record.model for cell in fit}) == 1:
        chosen = fit
        alone = len({cell.record.model for cell in cells}) == 1
        why = "no other model was measured" if alone else "no other model held all users and answered their clicks"
    else:
        known, where = _memory(fit)
        if not known:
            names = listed([label(cell, crowd) for cell in fit])
            return f"{names} held all users and answered their clicks; the memory for each user is not known."
        chosen = [cell for cell in fit if cell.record.model == known[0][1].record.model]
        parts = ", ".join(f"{label(cell, crowd)} {memory(total)}" for total, cell in known)
        why = f"of the models that held all users and answered clicks, it needs the least memory{where} ({parts})"
    transports = " or ".join(TRANSPORTS[cell.record.transport] for cell in chosen)
    text = f"So choose {chosen[0].record.model} ({chosen[0].record.title}, by {transports}): {why}."
    if all(cell.record.quiet.threads == 1 for cell in chosen):
        text += " Run computations in other processes: code that blocks its only thread blocks all users."
    return text


def _memory(cells: Sequence[CrowdCell]) -> tuple[list[tuple[float, CrowdCell]], str]:
    """Return the memory for each user, the least first, and where it is: the same memory for all models."""
    for needed, where in ((total_bytes, ""), (lambda cell: cell.server_bytes, " in the server")):
        known = [(total, cell) for cell in cells if (total := needed(cell)) is not None]
        if len(known) == len(cells):
            return sorted(known, key=lambda pair: pair[0]), where
    return [], ""


def _source(crowd: CrowdAnalysis, asked: int) -> str:
    counts = sorted({cell.record.users for cell in crowd.cells})
    nearest = "" if counts == [asked] else f" Nearest to {asked:,} users, the run has trials of"
    nearest += f" {listed([f'{users:,}' for users in counts])} users." if nearest else ""
    where = PLACES[crowd.run.runtime]
    return f"Source: the crowd run of {crowd.run.started:%Y-%m-%d} ({crowd.folder}, {where}).{nearest}{_doubts(crowd)}"


def _doubts(crowd: CrowdAnalysis) -> str:
    kinds = {finding.id for cell in crowd.cells for finding in cell.findings if finding.severity != "note"}
    return f" Its report has findings that limit their use: {', '.join(sorted(kinds))}." if kinds else ""
