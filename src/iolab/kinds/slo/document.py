"""The report of a search for the highest rate: what each model sustains, compared with theory."""

from typing import TYPE_CHECKING

from iolab.kinds.slo import findings
from iolab.kinds.slo.analysis import SloAnalysis
from iolab.kinds.slo.plan import BISECTIONS, HIGH, LOW, NO_QUEUE_RPS, Found, Objective, TriedRate
from iolab.report import document, drawing, numbers, run_report, settings
from iolab.report.document import Card, Cards, Column, Document, Section, Table
from iolab.report.marked import Answer

if TYPE_CHECKING:
    from iolab.kinds.slo.records import SloRecord

_rate = numbers.slow_rate
RATES = (
    '"Holds at" is the highest rate of arrivals at which the objective held, "fails at" the lowest at which it did not.'
)
NOTE = Answer(
    f"{RATES} Theory is the rate up to which an M/D/c queue of the calibrated service time (M/M/c with exponential"
    " service) meets the objective, computed exactly; a server that handles any number of requests at once has no"
    " queue.",
    RATES,
)
TIMES = (
    "Response times count from the planned moment of a request: waiting time and service time. Requests that were"
    " planned before a trial reached its steady state are not counted."
)


def report(analysis: SloAnalysis) -> Document:
    """Return the report of a run."""
    experiment, objective = analysis.experiment, analysis.objective
    cards = [
        Card(
            f"{each.letter} · {_title(analysis, each.letter)}",
            verdict(each),
            sentence(each, objective),
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
        method=[
            f"Settings: {', '.join(settings.servers(experiment.server))}, Poisson arrivals, seed {experiment.seed}.",
            "Each server is calibrated first, under a closed loop. The first trial"
            f" of a search is the highest rate: {HIGH:.0%} utilisation, {NO_QUEUE_RPS:,.0f} a second without a queue,"
            " or the most that the load generator sends in time. If the objective fails there, the next trial is"
            f" {LOW / HIGH:.0%} of that rate; if it holds there, {BISECTIONS} trials halve the interval on a"
            " logarithmic scale. A request without a response breaks the"
            " objective.",
        ],
        rows="for each request when it was planned, sent and done, and the service time that the server reported",
    )


def verdict(found: Found) -> str:
    """Return the highest rate at which the objective held."""
    if found.best:
        return _rate(found.best.rate_rps)
    return "not known" if found.reason else "none"


def sentence(found: Found, objective: Objective) -> str:
    """Say what one model sustains, or what is known if its search did not end."""
    best, broken, ended = found.best, found.broken, not found.reason
    text = f"{found.letter} {'meets' if best else 'does not meet'} {objective.text}"
    if best and broken:
        text += f" {'up to' if ended else 'at'} {_rate(best.rate_rps)}{_utilisation(found, best)};"
        text += f" at {_rate(broken.rate_rps)} {_failure(broken, objective)}."
    elif best:
        text += f" at {_rate(best.rate_rps)}{', the highest rate that was tried' if ended else ''}."
    elif broken:
        text += " at any rate that was tried." if ended else f" at {_rate(broken.rate_rps)}."
    else:
        text = ""
    return text if ended else f"{text} The search for {found.letter} did not end: {found.reason}.".strip()


def _utilisation(found: Found, trial: TriedRate) -> str:
    if found.theory_rps is None:
        return ""
    return f", {trial.rate_rps * found.calibration.service_s / found.workers:.0%} utilisation"


def _failure(broken: TriedRate, objective: Objective) -> str:
    value = _value(broken)
    return "a request got no response" if value == numbers.NOT_KNOWN else f"the {_name(objective)} is {value}"


def _lacks(analysis: SloAnalysis) -> str:
    """Return for how many models the search has ended, if some are missing."""
    ended, wanted = sum(not each.reason for each in analysis.found), len(analysis.run.models)
    return f"The search has ended for {ended} of {wanted} models." if ended < wanted else ""


def _rates(analysis: SloAnalysis) -> Table:
    name = _name(analysis.objective)
    queue = "M/D/c" if analysis.experiment.server.wait_distribution == "constant" else "M/M/c"
    columns: list[Column[Found]] = [
        Column(
            "Model",
            lambda each: f"{each.letter}  {_title(analysis, each.letter)}",
            numeric=False,
            shorten=lambda text: text.split()[0],
        ),
        Column("Holds at", lambda each: _rate(each.best.rate_rps) if each.best else "none", bold=True),
        Column(f"{name} there", lambda each: _value(each.best)),
        Column("Fails at", lambda each: _rate(each.broken.rate_rps if each.broken else None)),
        Column(f"{name} there", lambda each: _value(each.broken)),
        Column(f"Theory, {queue}", lambda each: _rate(each.theory_rps), short=queue, answer=True),
    ]
    return document.table(columns, analysis.found, note=NOTE, marked=lambda each: bool(each.reason))


def _steps(analysis: SloAnalysis) -> Table:
    columns: list[Column[SloRecord]] = [
        Column("Model", lambda record: f"{record.model}  {_title(analysis, record.model)}", numeric=False),
        Column("Rate", lambda record: _rate(record.rate_rps)),
        Column("Utilisation", lambda record: numbers.share(record.utilisation)),
        Column("Measured for", lambda record: numbers.seconds(record.plan_s - record.lead_s)),
        Column("Requests", lambda record: str(record.sent)),
        Column("Failed", lambda record: str(record.errors)),
        Column(_name(analysis.objective), lambda record: _milliseconds(record.value_s), bold=True),
        Column("Holds", lambda record: ("yes" if record.holds else "no") if record.valid else "not valid"),
    ]
    return document.table(
        columns,
        analysis.records,
        note=TIMES,
        marked=lambda record: not record.valid,
        group=lambda record: record.model,
    )


def _title(analysis: SloAnalysis, letter: str) -> str:
    return next(model.title for model in analysis.run.models if model.letter == letter)


def _name(objective: Objective) -> str:
    """Return what the objective bounds: p99, or mean."""
    return objective.text.partition("<")[0].strip()


def _value(trial: TriedRate | None) -> str:
    return _milliseconds(trial.value_s if trial else None)


def _milliseconds(value_s: float | None) -> str:
    return numbers.milliseconds(None if value_s is None else value_s * 1000)
