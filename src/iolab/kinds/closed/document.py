"""The report of a closed loop: the answer of each model, the course's table, findings, and distributions."""

from functools import partial

from iolab.kinds.closed import course, cpu_figures, figures, predicted, running, words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.cpu_stories import of_limits
from iolab.kinds.closed.percentile_table import meaning, percentiles
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.stories import stories
from iolab.kinds.closed.table import columns, findings, named, resources
from iolab.report import document, numbers, run_report
from iolab.report.document import Block, Card, Cards, Column, Document, Figure, Folded, Section, Sentences, Table
from iolab.report.marked import Answer

MOST_CARDS = 8
OVERVIEW = "Each dot is a request; c is the number of concurrent users. The large mark is the median."
CORES = (
    "A mark for each model, by its letter: throughput, median, 99th percentile, and the share of the time in which the"
    " quota stopped the server, against the CPU limit."
)
EXTREMES = "Of the CPU limits the lowest and the highest are drawn."
TOLD = (
    Column[course.Row]("Server", lambda row: row.model, numeric=False),
    Column[course.Row]("Users", lambda row: str(row.users)),
    Column[course.Row]("The course expects", lambda row: row.expected, short="Expected"),
    Column[course.Row]("Measured median", lambda row: row.measured, bold=True, short="Measured"),
    Column[course.Row]("Theory", lambda row: row.predicted, rank=1),
    Column[course.Row]("Verdict", lambda row: row.verdict, numeric=False),
)


def report(analysis: Analysis) -> Document:
    """Return the report of a run."""
    measured = any(len(analysed.latencies_s) for analysed in analysis.cells)
    return run_report.report(
        analysis.run,
        analysis.trials_done,
        question=words.question(analysis),
        answer=[
            Section("", [*_answer(analysis, measured=measured)], brief=True),
            Section("What is known of this server", [Sentences(running.known(analysis))], brief=True)
            if analysis.experiment.running
            else Section("", []),
            *(
                Section(heading, [Sentences(sentences)], brief=True, answer=True)
                for heading, sentences in stories(analysis)
            ),
        ],
        findings=findings([analysed.cell for analysed in analysis.cells]),
        verdict=Answer(_verdict(analysis)),
        details=[
            *_course(analysis),
            Section("Percentiles", [percentiles(analysis, named(analysis)), meaning(analysis)] if measured else []),
            Section("Resources", [_table(analysis, resources(analysis))] if analysis.cells else []),
            Section("Distributions", [*_distributions(analysis)] if measured else []),
        ],
        method=[
            words.settings(analysis),
            "Before each trial the server is verified and warmed up. The trials ran in"
            f" {numbers.counted(words.rounds(analysis), 'round')} in random order, seed {analysis.experiment.seed}.",
            'The rate in the table, "Rate", is that of the steady window: from the end of the ramp-up until the first'
            " user has sent all its requests. The table of resources has the rate of the whole span.",
            words.precision(analysis),
            words.wall_time(analysis),
        ],
        rows="a row for each request",
        closing=[words.precision(analysis)],
    )


def _verdict(analysis: Analysis) -> str:
    """Return how more users, or more CPU, change each model, in one sentence; nothing with too many settings."""
    if len(analysis.experiment.cpus) > 1:
        return of_limits([each.cell for each in analysis.cells])
    groups = words.by_model(analysis)
    if not groups or len(groups) > MOST_CARDS:
        return ""
    said: dict[str, list[str]] = {}
    for group in groups:
        name = f"{group[0].model}{words.condition(group[0], analysis, before=' with ')}"
        said.setdefault(words.verdict(group), []).append(name)
    return f"{'; '.join(_clause(numbers.listed(names), verdict, len(names)) for verdict, names in said.items())}."


def _clause(names: str, verdict: str, number: int) -> str:
    """Return "A explodes", "C and D stay flat", or "A: 142 ms" and "A: no result" where there is no verb."""
    verb, _, rest = verdict.partition(" ")
    if verb == "no" or not verb.isalpha():
        return f"{names}: {verdict}"
    return f"{names} {verb if number == 1 else verb.removesuffix('s')}{rest and f' {rest}'}"


def _answer(analysis: Analysis, *, measured: bool) -> list[Block]:
    """Return the table, a card for each model, and the figure that shows the answer."""
    if not analysis.cells:
        return []
    looks = figures.colours_of(analysis)
    groups = words.by_model(analysis)
    cards = [
        Card(
            f"{group[0].model} · {group[0].title}{words.condition(group[0], analysis, before=', ')}",
            Answer(words.verdict(group)),
            words.sentence(group),
            looks[group[0].model][0],
        )
        for group in groups
    ]
    blocks: list[Block] = [Cards(cards)] if len(cards) <= MOST_CARDS else []
    if measured and len(analysis.experiment.cpus) > 1 and cpu_figures.has_rates(analysis):
        blocks.append(
            Figure(
                partial(cpu_figures.cores, analysis),
                f"{CORES} Short bars: theory's throughput.",
                Figure(partial(cpu_figures.cores, analysis, theory=False), CORES),
            )
        )
    elif measured:
        blocks.append(_overview(analysis, OVERVIEW))
    queues = [Answer(text) for text in predicted.short_queues(analysis)]
    return [*blocks, _table(analysis, columns(analysis)), Sentences(queues)]


def _overview(analysis: Analysis, caption: str) -> Figure:
    """Return every request as a dot, with the prediction."""
    return Figure(
        partial(figures.overview, analysis),
        f"{caption} {predicted.prediction(analysis)}",
        Figure(partial(figures.overview, analysis, theory=False), caption),
    )


def _table(analysis: Analysis, shown: list[Column[Cell]]) -> Table:
    return document.table(
        shown,
        [analysed.cell for analysed in analysis.cells],
        marked=lambda cell: cell.doubtful,
        group=lambda cell: (cell.model, cell.cpus),
    )


def _distributions(analysis: Analysis) -> list[Block]:
    found: list[Block] = []
    if len(analysis.experiment.cpus) > 1:
        found.append(_overview(analysis, f"{OVERVIEW} {EXTREMES}"))
    if figures.has_tails(analysis):
        found.append(
            Figure(
                partial(figures.tails, analysis),
                "The tail: from 99% on, the response times of the slowest hundredth of the requests. A line ends at its"
                " slowest request, whose time stands beside it; c is the number of users. Of several numbers of users"
                " the largest (thin line) and the smallest (broad line) are drawn. All panels have the same axes.",
            )
        )
    return found


def _course(analysis: Analysis) -> list[Section]:
    """Return the course's table, and its questions with folded answers; nothing for a run with other settings."""
    if not course.applies(analysis):
        return []
    saturation = Figure(
        partial(cpu_figures.saturation, analysis),
        "Marks are measured and have the letter of their model; marks that would hide each other stand side by side."
        " Lines are theory's for so many workers: throughput stops rising where every worker is busy, and from there on"
        " response time rises with the number of users.",
    )
    folded = [
        Folded(
            f"{number}. {answer.question}",
            [
                Sentences(answer.paragraphs),
                *([saturation] if number == course.OF_THE_POOL and cpu_figures.has_rates(analysis) else []),
            ],
        )
        for number, answer in enumerate(course.answers(analysis), 1)
    ]
    hint = Sentences(["Try first; then open an answer. Each answer uses the numbers of this run."])
    return [
        Section("The course's table", [document.table(TOLD, course.table(analysis))], answer=True),
        Section("Five questions", [hint, *folded], answer=True),
    ]
