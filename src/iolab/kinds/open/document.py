"""The report of an open loop: how response times grow with the utilisation, compared with a simulation and theory."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from iolab.kinds.open import figure, splitting, words
from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.report import document, drawing, numbers, run_report
from iolab.report.document import Card, Cards, Column, Document, Figure, Section, Sentences, Table
from iolab.report.marked import Answer

CAPTION = (
    "Marks: the measured mean response time, from the planned moment of a request to its response; those of constant"
    " and exponential service stand a little apart."
)
THEORY = (
    "Lines: theory. Dashes: an ideal queue with the same arrivals and service times. Bars: 95% of simulated plans of"
    " the same length have their mean there."
)
PLANNED = "Response times count from the planned moment of a request: waiting time and service time."
NOTE = Answer(
    f'{PLANNED} "Same trace", the range of simulated plans and the theories include the time that client and network'
    " take. The columns M/D/c and M/M/c are means.",
    PLANNED,
)


def report(analysis: OpenAnalysis) -> Document:
    """Return the report of a run."""
    meaning = [*filter(None, [words.proof(analysis.cells)]), words.closed_loop(analysis.cells)]
    return run_report.report(
        analysis.run,
        len(analysis.cells),
        question=analysis.experiment.question,
        verdict=_verdict(analysis),
        load=words.senders(analysis),
        answer=[
            Section(
                "",
                [
                    _cards(analysis),
                    Figure(
                        partial(figure.response_times, analysis),
                        f"{CAPTION} {THEORY}",
                        Figure(partial(figure.response_times, analysis, theory=False), CAPTION),
                    ),
                    _table(analysis, MEANS, NOTE),
                ],
                brief=True,
            ),
            *_queues(analysis),
            Section("What the numbers mean", [Sentences(meaning)], brief=True, answer=True),
        ],
        noun="plan",
        findings=((words.place(cell), cell.findings) for cell in analysis.cells),
        details=[
            Section(
                "How much chance is in a plan",
                [Sentences([*filter(None, [words.chance(analysis.cells)]), *words.lengths(analysis.cells)])],
                answer=True,
            ),
            Section("Percentiles", [_table(analysis, TAILS, Answer(words.exactness(analysis)))]),
            Section("Calibration", [Sentences([*words.calibrations(analysis), *words.downstream(analysis)])]),
        ],
        method=[
            words.settings(analysis),
            "Each server is calibrated first, under a closed loop; the rates follow from its service time and the"
            " utilisations. The plans ran in random order, seed"
            f" {analysis.experiment.seed}; plans that share a server ran one after another.",
        ],
        rows="for each request when it was planned, sent and done, and the service time that the server reported",
    )


def _queues(analysis: OpenAnalysis) -> list[Section]:
    """Return what one queue for all workers, or one for each, makes of the waiting times and the shares."""
    ratios, shares = list(splitting.ratios(analysis)), list(splitting.shares(analysis))
    found = []
    if ratios:
        found.append(Section("One queue or one for each worker", [Sentences(ratios)], brief=True, answer=True))
    if shares:
        found.append(Section("Shares of the processes", [Sentences(shares)], brief=True))
    return found


def _titles(analysis: OpenAnalysis) -> dict[str, str]:
    return {model.letter: model.title for model in analysis.run.models}


def _verdict(analysis: OpenAnalysis) -> str:
    """Return the mean of each model at its highest load, of the first variant if there are several; "": no plan."""
    variants = list(dict.fromkeys(cell.record.variant for cell in analysis.cells))
    if not variants:
        return ""
    by_model = defaultdict[str, list[OpenCell]](list)
    for cell in analysis.cells:
        if cell.record.variant == variants[0]:
            by_model[cell.record.model].append(cell)
    means = [f"{letter} {words.verdict(cells)}" for letter, cells in by_model.items()]
    where = f", {variants[0]}" if len(variants) > 1 and variants[0] else ""
    return f"Mean response times at the highest load{where}: {numbers.listed(means)}."


def _cards(analysis: OpenAnalysis) -> Cards:
    titles, groups = _titles(analysis), defaultdict[tuple[str, str], list[OpenCell]](list)
    for cell in analysis.cells:
        groups[cell.record.model, cell.record.variant].append(cell)
    return Cards(
        [
            Card(
                f"{letter} · {', '.join(filter(None, [titles[letter], variant]))}",
                words.verdict(cells),
                words.sentence(cells),
                drawing.of_letter(letter),
            )
            for (letter, variant), cells in groups.items()
        ]
    )


def _table(analysis: OpenAnalysis, columns: Sequence[Column[OpenCell]], note: str) -> Table:
    titles = _titles(analysis)
    infinite = any(cell.record.utilisation is None for cell in analysis.cells)
    plans = (
        Column[OpenCell](
            "Model",
            lambda cell: f"{cell.record.model}  {titles[cell.record.model]}",
            numeric=False,
            shorten=lambda text: text.split()[0],
        ),
        Column[OpenCell](
            "Service", lambda cell: cell.record.variant or analysis.experiment.server.wait_distribution, numeric=False
        ),
        Column[OpenCell]("Utilisation", lambda cell: numbers.utilisation(cell.record.utilisation), short="Util."),
        Column[OpenCell]("Rate", lambda cell: numbers.rate(cell.record.rate_rps), rank=0 if infinite else 2),
    )
    return document.table(
        [*plans, *columns],
        analysis.cells,
        note=note,
        marked=lambda cell: not cell.record.valid,
        group=lambda cell: (cell.record.model, cell.record.variant),
    )


def _time(queue: str, name: str) -> Callable[[OpenCell], str]:
    """Return a function that formats a time of a measured, simulated or theoretical queue; "too few" requests."""

    def text(cell: OpenCell) -> str:
        times = getattr(cell, queue)
        return numbers.percentile(getattr(times, name, None), _requests(cell) if times else 0)

    return text


def _requests(cell: OpenCell) -> int:
    return cell.measured.count if cell.measured else 0


def _range(cell: OpenCell, name: str) -> str:
    """Return the range of simulated plans, or "too few" of requests in each."""
    found = cell.range_of(name)
    if found is None:
        return numbers.percentile(None, _requests(cell) if cell.chance else 0)
    return " to ".join(map(numbers.latency, found))


MEANS = (
    Column("Mean", _time("measured", "mean_s"), bold=True),
    Column("Same trace", _time("same", "mean_s"), short="Trace", answer=True),
    Column[OpenCell]("Difference", lambda cell: numbers.off(cell.off), short="Diff", answer=True),
    Column[OpenCell]("Simulated plans", lambda cell: _range(cell, "mean_s"), short="Range", rank=5, answer=True),
    Column("M/D/c", _time("constant", "mean_s"), answer=True),
    Column("M/M/c", _time("exponential", "mean_s"), answer=True),
    Column("p50", _time("measured", "p50_s"), rank=4),
    Column("p95", _time("measured", "p95_s"), rank=1),
    Column("p99", _time("measured", "p99_s"), rank=3),
)
TAILS = (
    Column("p95", _time("measured", "p95_s"), bold=True),
    Column("Same trace p95", _time("same", "p95_s"), answer=True),
    Column[OpenCell]("Difference p95", lambda cell: numbers.off(cell.off_p95), answer=True),
    Column[OpenCell]("Range p95", lambda cell: _range(cell, "p95_s"), answer=True),
    Column("M/D/c p95", _time("constant", "p95_s"), answer=True),
    Column("M/M/c p95", _time("exponential", "p95_s"), answer=True),
    Column("p99", _time("measured", "p99_s"), bold=True),
    Column("Same trace p99", _time("same", "p99_s"), answer=True),
    Column[OpenCell]("Range p99", lambda cell: _range(cell, "p99_s"), answer=True),
    Column("M/D/c p99", _time("constant", "p99_s"), answer=True),
    Column("M/M/c p99", _time("exponential", "p99_s"), answer=True),
)
