"""The report of a search for the highest rate: the bracket of each model, and each rate that was tried."""

from iolab.kinds.slo import findings, words
from iolab.kinds.slo.analysis import Found, SloAnalysis
from iolab.kinds.slo.plan import spans_s
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.steps import AGAIN, TriedRate
from iolab.report import document, drawing, numbers, run_report, settings
from iolab.report.document import Card, Cards, Column, Document, Section, Table
from iolab.report.marked import Answer
from iolab.report.numbers import slow_rate
from iolab.theory.enough import CONFIDENCE

RATES = (
    '"Holds at" is the highest rate at which the objective holds, "fails at" the lowest at which it does not: the'
    f" {CONFIDENCE:.0%} interval of the value lies on one side of the limit. In between is what is not known."
    " Of simulated searches, 94% and more end with a bracket that holds the true rate (make coverage)."
)
NOTE = Answer(
    f"{RATES} Theory is the rate up to which an M/D/c queue of the calibrated service time (M/M/c with exponential"
    " service) meets the objective, computed exactly; a server that handles any number of requests at once has no"
    " queue.",
    RATES,
)
TIMES = (
    "Response times count from the planned moment of a request: waiting time and service time. Requests that were"
    ' planned before a trial reached its steady state are not counted. "Independent" is how many independent requests'
    " would know as much: response times behind one queue resemble each other."
)


def report(analysis: SloAnalysis) -> Document:
    """Return the report of a run."""
    experiment, objective = analysis.experiment, analysis.objective
    cards = [
        Card(
            f"{each.letter} · {_title(analysis, each.letter)}",
            words.verdict(each),
            words.sentences(each, objective),
            drawing.of_letter(each.letter),
        )
        for each in analysis.found
    ]
    return run_report.report(
        analysis.run,
        len(analysis.records),
        question=experiment.question.replace("{objective}", objective.text),
        lacks=_lacks(analysis),
        answer=[Section("", [Cards(cards), _rates(analysis)], brief=True)],
        noun="server",
        findings=[(each.letter, findings.of_server(analysis, each)) for each in analysis.found],
        details=[Section("Steps", [_steps(analysis)])],
        method=_method(analysis),
        rows="for each request when it was planned, sent and done, and the service time that the server reported",
    )


def _method(analysis: SloAnalysis) -> list[str]:
    experiment, search = analysis.experiment, analysis.experiment.search
    spans = numbers.listed([numbers.seconds(each) for each in spans_s(search)])
    return [
        f"Settings: {', '.join(settings.servers(experiment.server))}, Poisson arrivals, seed {experiment.seed}.",
        "Each server is calibrated first, under a closed loop. The rates that follow depend on verdicts alone: up by at"
        " most half where the objective does not fail, down by a third where it does not hold, then halves of what is"
        f" between them, until rates differ by less than {search.within:.0%}. A rate is measured for {spans} at most,"
        " longer only as long as that can decide. A verdict needs a"
        f" {CONFIDENCE:.0%} interval on one side of the limit: order statistics of as many independent requests as"
        " would know as much, by the autocorrelation of the response times. A request without a response breaks the"
        f" objective. A trial that was disturbed decides nothing and is measured again, up to {AGAIN} times.",
    ]


def _lacks(analysis: SloAnalysis) -> str:
    """Return for how many models the search has ended, if some are missing."""
    ended, wanted = sum(not each.reason for each in analysis.found), len(analysis.run.models)
    return f"The search has ended for {ended} of {wanted} models." if ended < wanted else ""


def _rates(analysis: SloAnalysis) -> Table:
    name = analysis.objective.name
    queue = "M/D/c" if analysis.experiment.server.wait_distribution == "constant" else "M/M/c"
    columns: list[Column[Found]] = [
        Column(
            "Model",
            lambda each: f"{each.letter}  {_title(analysis, each.letter)}",
            numeric=False,
            shorten=lambda text: text.split()[0],
        ),
        Column("Holds at", lambda each: slow_rate(each.bracket.holds_rps), bold=True),
        Column(f"{name} there", lambda each: _value(each.best), rank=2),
        Column("Fails at", lambda each: slow_rate(each.bracket.fails_rps), bold=True),
        Column(f"{name} there", lambda each: _value(each.broken), rank=2),
        Column(
            "Not decided",
            lambda each: numbers.listed([slow_rate(one) for one in each.bracket.open_rps]),
            rank=3,
        ),
        Column(f"Theory, {queue}", lambda each: slow_rate(each.theory_rps), short=queue, answer=True),
    ]
    return document.table(columns, analysis.found, note=NOTE, marked=lambda each: bool(each.reason))


def _steps(analysis: SloAnalysis) -> Table:
    steps = [(found.letter, tried) for found in analysis.found for tried in found.tried]
    columns: list[Column[tuple[str, TriedRate]]] = [
        Column("Model", lambda step: f"{step[0]}  {_title(analysis, step[0])}", numeric=False),
        Column("Rate", lambda step: slow_rate(step[1].rate_rps)),
        Column("Utilisation", lambda step: numbers.utilisation(_record(step[1]).utilisation)),
        Column("Measured for", lambda step: numbers.seconds(sum(each.plan_s - each.lead_s for each in step[1].good))),
        Column("Requests", lambda step: numbers.count(step[1].last.counted if step[1].last else 0)),
        Column("Independent", lambda step: numbers.count(step[1].last.independent if step[1].last else 0)),
        Column("No answer", lambda step: numbers.count(step[1].last.unanswered if step[1].last else 0)),
        Column("Disturbed trials", lambda step: str(len(step[1].disturbed))),
        Column(analysis.objective.name, lambda step: _value(step[1]), bold=True),
        Column(f"{CONFIDENCE:.0%} interval", lambda step: words.interval(step[1].last) if step[1].last else "-"),
        Column(analysis.objective.text, lambda step: words.VERDICTS[step[1].verdict], numeric=False),
    ]
    return document.table(
        columns,
        steps,
        note=TIMES,
        marked=lambda step: step[1].verdict in (None, "client", "disturbed"),
        group=lambda step: step[0],
    )


def _record(tried: TriedRate) -> SloRecord:
    return (*tried.good, *tried.disturbed)[-1]


def _title(analysis: SloAnalysis, letter: str) -> str:
    return next(model.title for model in analysis.run.models if model.letter == letter)


def _value(tried: TriedRate | None) -> str:
    last = tried.last if tried else None
    return numbers.percentile(last.bounded_s, last.counted) if last else numbers.NOT_KNOWN
