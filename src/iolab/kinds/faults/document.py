"""The report of faults: whether a click is lost, how long clicks take meanwhile, and what each fault does."""

from functools import partial

from iolab.kinds.faults import figure, words
from iolab.kinds.faults.analysis import FaultsAnalysis
from iolab.kinds.faults.records import FaultRecord
from iolab.report import document, drawing, numbers, run_report
from iolab.report.document import Block, Card, Cards, Column, Document, Facts, Figure, Section, Sentences
from iolab.report.numbers import percentile

COLUMNS = (
    Column[FaultRecord]("Clicks during", lambda record: words.name(record.fault), numeric=False),
    Column[FaultRecord]("Median", lambda record: percentile(record.clicks.p50_s, record.clicks.sent), bold=True),
    Column[FaultRecord]("p99", lambda record: percentile(record.clicks.p99_s, record.clicks.sent)),
    Column[FaultRecord]("Slowest", lambda record: numbers.latency(record.clicks.slowest_s), rank=1),
    Column[FaultRecord]("Never answered", words.unanswered, short="Unanswered"),
    Column[FaultRecord]("Users afterwards", lambda record: numbers.count(record.back), rank=2),
)


def report(analysis: FaultsAnalysis) -> Document:
    """Return the report of a run; curves are drawn from the rows in its folder."""
    records, run = analysis.records, analysis.run
    effects = [f"{words.name(record.fault).capitalize()}: {words.sentence(record)}." for record in records]
    return run_report.report(
        run,
        len(records),
        question=analysis.experiment.question,
        load="users that stay connected",
        answer=[
            Section(
                "",
                [
                    Cards(
                        [Card(words.server(analysis), *words.verdict(records), drawing.of_letter(run.models[0].letter))]
                    ),
                    document.table(COLUMNS, records, marked=lambda record: not record.acknowledged_clicks_safe),
                ],
                brief=True,
            ),
            Section("What each fault does", [Sentences(effects)] if effects else [], brief=True),
        ],
        noun="fault",
        findings=((words.name(record.fault), analysis.findings(record)) for record in records),
        details=[Section(words.name(record.fault).capitalize(), _details(record, analysis)) for record in records],
        method=[words.settings(analysis), words.METHOD],
        rows="a row for each click, and for each user that a message reached, that connected or lost its connection",
    )


def _details(record: FaultRecord, analysis: FaultsAnalysis) -> list[Block]:
    facts = words.facts(record)
    if not facts:
        return []
    drawn: list[Block] = [Figure(partial(figure.reached, record, analysis.folder))]
    return [*(drawn if record.fault in figure.SINCE else []), Facts(facts)]
