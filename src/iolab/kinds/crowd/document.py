"""The report of a crowd run: how many users each server holds, where it breaks and why, and the cost of each user."""

from functools import partial

from iolab.kinds.crowd import figure, seats, table, words
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.sentences import card, sentences
from iolab.report import drawing, run_report
from iolab.report.document import Card, Cards, Document, Figure, Section, Sentences
from iolab.report.marked import Answer


def report(analysis: CrowdAnalysis) -> Document:
    """Return the report of a run."""
    cells = analysis.cells
    cards = [
        Card(words.name(line[0], analysis), *card(line, analysis), colour=drawing.of_letter(line[0].record.model))
        for line in analysis.lines
    ]
    return run_report.report(
        analysis.run,
        len(cells),
        question=analysis.experiment.question,
        load="users that stay connected",
        answer=[
            Section("", [Cards(cards)]),
            Section("A seat for each user", seats.galleries(analysis)),
            Section(
                Answer("Where each server breaks, and why", "What each server holds"),
                [table.table(analysis, table.OVERVIEW), Sentences(sentences(analysis))] if cells else [],
                brief=True,
            ),
        ],
        findings=((f"{words.label(cell, analysis)} at {cell.record.users:,}", cell.findings) for cell in cells),
        details=[
            Section(
                "Memory and threads",
                [_needs(analysis)] if figure.lines(analysis) else [],
            ),
            *(
                Section(heading, [table.table(analysis, columns)] if cells else [])
                for heading, columns in table.DETAILS.items()
            ),
        ],
        method=[words.settings(analysis), *words.method(analysis)],
        rows="a row for each user, and one for each click",
    )


def _needs(analysis: CrowdAnalysis) -> Figure:
    draw = partial(figure.needs, analysis)
    return Figure(draw, figure.caption(analysis), Figure(draw, figure.caption(analysis, why=False)))
