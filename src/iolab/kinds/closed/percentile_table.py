"""The table of percentiles with their intervals, and what these intervals say and do not say."""

from collections.abc import Sequence
from typing import NamedTuple

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.percentiles import QUANTILES
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.document import Column, Sentences, Table, table
from iolab.theory.order_statistics import interval
from iolab.theory.statistics import Array

MOST_VALUES = 5  # repeats whose values stand in a cell of the table
INDEPENDENT, WITHIN = "95% interval, independent requests", "95% interval within this run"


class Row(NamedTuple):
    """One percentile of a cell, by its name: p50, p95 or p99."""

    cell: Cell
    name: str


def percentiles(analysis: Analysis, of_cell: Sequence[Column[Cell]]) -> Table:
    """Return a row for each percentile of each cell; `of_cell` are the columns that name the cell."""
    columns = [
        *(_of_its_cell(column) for column in of_cell),
        Column[Row]("Percentile", lambda row: row.name, numeric=False),
        Column[Row]("Of all repeats", lambda row: words.percentile(_value(row), row.cell), bold=True),
        Column[Row](INDEPENDENT, lambda row: words.interval(getattr(row.cell, f"{row.name}_ci_ms"))),
        Column[Row](WITHIN, lambda row: words.interval(row.cell.median_ci_ms if row.name == "p50" else None)),
        Column[Row]("Of each repeat", lambda row: _each(getattr(row.cell, f"repeat_{row.name}_ms"))),
    ]
    cells = [each.cell for each in analysis.cells]
    rows = [Row(cell, name) for cell in cells for name in QUANTILES]
    return table(columns, rows, marked=lambda row: row.cell.doubtful, group=lambda row: cells.index(row.cell))


def meaning(analysis: Analysis) -> Sentences:
    """Say what each interval of the table means, as far as it has any."""
    cells = [each.cell for each in analysis.cells]
    told = []
    if any(cell.p50_ci_ms for cell in cells):
        told.append(
            f'"{INDEPENDENT}": between two of the measured values (order statistics). It would contain the true'
            " percentile in 95 of 100 such runs if no request depended on another. Requests of one load usually do, and"
            " then it is too short; the values of each repeat show how far repeats differ."
        )
    if any(cell.median_ci_ms for cell in cells):
        servers = "" if analysis.run.fresh_servers else " All repeats of a cell had the same server."
        wanted = analysis.experiment.precision
        least = f" No interval is shorter than the precision of {wanted:.1%} that was requested." if wanted else ""
        told.append(
            f'"{WITHIN}": of the median, from the differences between repeats, so it allows for requests that depend on'
            f" each other. It says nothing about another run, which can differ by more.{servers}{least}"
        )
    apart = {
        name: [words.place(each.cell, analysis) for each in analysis.cells if differ(each.repeats_s, quantile)]
        for name, quantile in QUANTILES.items()
    }
    if named := [f"{name} of {numbers.listed(places)}" for name, places in apart.items() if places]:
        told.append(
            "Two repeats differ by more than independent requests would (the intervals of each repeat have no value in"
            f" common), so the first interval is too short: {'; '.join(named)}."
        )
    return Sentences(told)


def differ(repeats_s: Sequence[Array], quantile: float) -> bool:
    """Return whether the intervals of two repeats, each of independent requests, have no value in common."""
    known = [found for each in repeats_s if (found := interval(each, quantile))]
    return bool(known) and max(low for low, _ in known) > min(high for _, high in known)


def _of_its_cell(column: Column[Cell]) -> Column[Row]:
    return Column(column.heading, lambda row: column.text(row.cell), numeric=column.numeric)


def _value(row: Row) -> float | None:
    return row.cell.median_ms if row.name == "p50" else getattr(row.cell, f"{row.name}_ms")


def _each(values_ms: Sequence[float | None]) -> str:
    """Return the values of the repeats, or where they lie if they are many."""
    known = [value for value in values_ms if value is not None]
    if not values_ms:
        return numbers.NOT_KNOWN
    if not known:
        return numbers.TOO_FEW
    if len(values_ms) > MOST_VALUES:
        return f"{words.interval((min(known), max(known)))} ({numbers.counted(len(known), 'repeat')})"
    return ", ".join(numbers.TOO_FEW if value is None else numbers.milliseconds(value) for value in values_ms)
