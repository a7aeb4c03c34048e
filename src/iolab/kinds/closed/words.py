"""The sentences of a closed loop's report."""

import math
from collections.abc import Sequence

from iolab.kinds.closed import running
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.precision import LEAST_ROUNDS, reach
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report import settings as settings_of
from iolab.report.marked import Answer
from iolab.report.numbers import milliseconds, seconds, users
from iolab.theory.enough import least_count

STEP_MS = 0.001  # of figures in summary.json
FLAT, EXPLODED_TAIL, PROPORTIONAL = 1.25, 10.0, 0.75


def percentile(value_ms: float | None, cell: Cell) -> str:
    """Return a percentile, or that there were too few requests to know it."""
    return milliseconds(value_ms) if value_ms is not None or not cell.counted else numbers.TOO_FEW


def services(cell: Cell) -> str:
    """Return the median in service times: 4.13."""
    value = cell.services
    return numbers.NOT_KNOWN if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def utilisation(cell: Cell) -> str:
    """Return the utilisation of the workers while every user has a request under way."""
    return numbers.NOT_KNOWN if cell.utilisation is None else f"{cell.utilisation:.2f}"


def cpu_a_request(cell: Cell) -> str:
    """Return the server's CPU time a request."""
    return _a_request(cell.server.cpu_s, cell.counted)


def client_cpu_a_request(cell: Cell) -> str:
    """Return the load generator's CPU time a request."""
    return _a_request(cell.client.cpu_s, cell.counted)


def _a_request(cpu_s: float | None, requests: int) -> str:
    return numbers.NOT_KNOWN if cpu_s is None or not requests else f"{cpu_s / requests * 1000:.2f} ms"


def interval(ends_ms: tuple[float, float] | None) -> str:
    """Return both ends of an interval, or one where they look the same."""
    if ends_ms is None:
        return numbers.NOT_KNOWN
    low, high = (milliseconds(end) for end in ends_ms)
    return f"{low} to {high}" if low != high else low


def by_model(analysis: Analysis) -> list[list[Cell]]:
    """Return the cells of each model, CPU limit and variant, by rising concurrency."""
    groups: dict[tuple[str, float, str], list[Cell]] = {}
    for analysed in analysis.cells:
        cell = analysed.cell
        groups.setdefault((cell.model, cell.cpus, cell.variant), []).append(cell)
    return [sorted(cells, key=lambda cell: cell.concurrency) for cells in groups.values()]


def verdict(cells: Sequence[Cell]) -> str:
    """Say in a word how more users change a model's response time; `cells` are by rising concurrency.

    It explodes in the tail where that is more than EXPLODED_TAIL times the median; it grows with the users where the
    median grows by three quarters or more of their growth; it stays flat where the median grows by less than a
    quarter; else it steps. The tail is p99; where too few requests give one, it is the slowest request, if the
    accept queue overflowed. With a single number of users nothing is compared, and the verdict is the median.
    """
    measured = [cell for cell in cells if cell.median_ms]
    if not measured:
        return "no median" if any(cell.counted for cell in cells) else "no result"
    first, last = measured[0], measured[-1]
    few, many = first.median_ms or math.nan, last.median_ms or math.nan
    if len(measured) < 2:
        return milliseconds(many)
    if (last.p99_ms or (last.max_ms if last.server.listen_overflows else None) or many) > EXPLODED_TAIL * many:
        return "explodes in the tail"
    if many < FLAT * few:
        return "stays flat"
    return "grows with the users" if many / few > PROPORTIONAL * last.concurrency / first.concurrency else "steps"


def said(label: str, cells: Sequence[Cell]) -> str:
    """Return the begin of a sentence about these cells: "A explodes.", or "A." where nothing is compared."""
    compared = sum(cell.median_ms is not None for cell in cells) != 1
    return f"{label} {verdict(cells)}." if compared else f"{label}."


def sentence(cells: Sequence[Cell]) -> str:
    """Return the medians of one model in a sentence."""
    measured = [cell for cell in cells if cell.median_ms is not None]
    if not measured and any(cell.counted for cell in cells):
        return f"Too few requests for a median, which needs {least_count(0.5)}."
    if not measured:
        return "No trial was valid; see the findings."
    parts = [f"{milliseconds(cell.median_ms)} with {users(cell.concurrency)}" for cell in measured]
    text = "Median " + ", ".join(parts)
    last = measured[-1]
    if last.max_ms and last.median_ms and last.max_ms > EXPLODED_TAIL * last.median_ms:
        text += f"; the slowest response took {milliseconds(last.max_ms)}"
    return text + "."


def missing(model: str, number: int) -> str:
    """Say that a cell was not measured."""
    return f"This run has no result for {model} with {users(number)}: make bench measures it."


def wall_time(analysis: Analysis) -> str:
    """Return how long the benchmark took, and how long its requests take in theory."""
    run = analysis.run
    if run.wall_s is None:
        return "The benchmark has not ended."
    if run.status == "complete" and analysis.trials_done < run.trials_planned:
        return (
            f"Only {analysis.trials_done} of {run.trials_planned} trials are there, since trials.jsonl is not complete;"
            " this report is about those trials."
        )
    if run.status != "complete":
        return (
            f"The benchmark was stopped after {run.wall_s:.1f} s, with {analysis.trials_done} of {run.trials_planned}"
            " trials done."
        )
    took = f"The benchmark took {run.wall_s:.1f} s, with all starts and stops."
    if analysis.theory_s is None or analysis.allowance_s is None:
        return took
    over_s = run.wall_s - analysis.allowance_s
    more = f": exceeded by {over_s:.0f} s" if over_s > 0 else ""
    return Answer(
        f"The requests take {analysis.theory_s:.1f} s in theory; the benchmark took {run.wall_s:.1f} s, with all starts"
        f" and stops (limit: 25% and 10 s more, {analysis.allowance_s:.1f} s{more}).",
        took,
    )


def precision(analysis: Analysis) -> str:
    """Return how precise the medians are, where a precision was requested; nothing otherwise."""
    wanted = analysis.experiment.precision
    if wanted is None:
        return ""
    cells = [each.cell for each in analysis.cells]
    known = {cell: reach(cell.median_ci_ms, cell.median_ms) for cell in cells}
    rounds = max((cell.repeats for cell in cells), default=0)
    # An interval that is as long as was requested is recorded in thousandths of a millisecond.
    poor = [
        cell
        for cell, each in known.items()
        if each is None or (each - wanted) * (cell.median_ms or 0.0) > STEP_MS or cell.repeats < LEAST_ROUNDS
    ]
    if not poor:
        return f"Precision: every median is known within the {wanted:.1%} requested, after {rounds} rounds."
    listed = ", ".join(f"{place(cell, analysis)} {_known(known[cell])}" for cell in poor)
    return (
        f"Precision: {wanted:.1%} was requested; after {rounds} rounds in {seconds(analysis.run.wall_s)}"
        f" (limit {seconds(analysis.experiment.budget_s)}) {len(cells) - len(poor)} of {len(cells)} medians are"
        f" that precise; not {listed}."
    )


def _known(width: float | None) -> str:
    return "unknown" if width is None else f"{width:.1%}"


def question(analysis: Analysis) -> str:
    """Return the experiment's question, with the numbers of this run."""
    experiment = analysis.experiment
    listed = numbers.listed([str(number) for number in experiment.concurrency])
    wait = f"{experiment.server.wait_ms:g}"
    known = {"{users}": listed, "{wait_ms}": wait, "{generator}": analysis.run.generator}
    known["{url}"] = experiment.target.url or ""
    text = experiment.question
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def settings(analysis: Analysis) -> str:
    """Return the settings of servers and load."""
    experiment = analysis.experiment
    parts = [
        *(
            running.said(experiment.target)
            if experiment.running
            else settings_of.servers(experiment.server, experiment.vary)
        ),
        f"{experiment.load.requests} requests a trial, rounded to a multiple of the users",
        _repeats(analysis),
    ]
    return "Settings: " + ", ".join(parts) + "."


def rounds(analysis: Analysis) -> int:
    """Return how many rounds there were, or were planned; a requested precision may have added some."""
    number = max((each.cell.repeats for each in analysis.cells), default=0) if analysis.experiment.precision else 0
    return max(number, analysis.experiment.repeats)


def _repeats(analysis: Analysis) -> str:
    text = numbers.counted(rounds(analysis), "repeat")
    return f"{text}, each on a server of its own" if analysis.run.fresh_servers else text


def place(cell: Cell, analysis: Analysis) -> str:
    """Name a cell: A with 16 users, 0.5 CPU."""
    return f"{cell.model} with {users(cell.concurrency)}{condition(cell, analysis, before=', ')}"


def name(cells: Sequence[Cell], analysis: Analysis) -> str:
    """Name the model of a group of cells, with its CPU limit where that varies."""
    return f"{cells[0].title}{condition(cells[0], analysis, before=', ')}"


def condition(cell: Cell, analysis: Analysis, before: str = "") -> str:
    """Name the CPU limit and the variant of a cell, as far as they vary, after `before`; nothing where they do not."""
    parts = [f"{cell.cpus:g} CPU"] if len(analysis.experiment.cpus) > 1 else []
    parts += [cell.variant] if cell.variant else []
    return before + ", ".join(parts) if parts else ""
