"""The commands that work on run folders: report, open, explain, export."""

import os
from itertools import islice
from pathlib import Path

import click

from iolab.cli import addresses, output, parameters
from iolab.cli.console import Console
from iolab.cli.run import checkout, given_or_newest, place_of_reports, report_run, results_folder
from iolab.errors import UsageError
from iolab.host import opener
from iolab.kinds import registry
from iolab.report import index, run_report
from iolab.report.answers import without
from iolab.report.export import Format, Source
from iolab.report.export import export as exported
from iolab.results.folder import RunFolder
from iolab.withheld import withheld

NEWEST = 10  # benchmarks in which `explain` looks for a cell


@click.command()
@click.argument("run", metavar="[RUN]", envvar="RUN", type=parameters.PATH, required=False)
@parameters.answers
@parameters.results
def report(run: Path | None, results: Path | None, *, answers: bool) -> int:
    """Rebuild the report of RUN, by default the newest run, from its raw data.

    The report of a course run hides theory and answers until your prediction is recorded; ANSWERS=1 shows them.

    A run in the lab's folder that is not in the results, such as a recorded one, is left as it is: its report is
    written to `reports` in the results.
    """
    folder = given_or_newest(run, results)
    report_run(Console(), folder, place_of_reports(folder, results), answers=answers)
    return 0


@click.command(name="open")
@parameters.results
def open_(results: Path | None) -> int:
    """Open the page of all runs in a browser, or print where it is: in the lab's page if it runs, else a file."""
    folder = results_folder(results)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not there: run an experiment first, such as make bench")
    for line in index.write(folder):
        output.line(line, err=True)
    page = folder / index.NAME
    url = addresses.of_runs(page)
    if not opener.opened(url):
        output.line(url)
    return 0


@click.command()
@click.argument("run", metavar="[RUN]", envvar="RUN", type=parameters.PATH, required=False)
@click.option("--csv", "form", flag_value="csv", default="csv", help="Write CSV files.  [default]")
@click.option("--parquet", "form", flag_value="parquet", help="Write Parquet files (needs pyarrow).")
@click.option("--to", type=parameters.PATH, help="Folder of the tables.  [default: export, beside the report]")
@parameters.answers
@parameters.results
def export(run: Path | None, form: Format, to: Path | None, results: Path | None, *, answers: bool) -> int:
    """Write RUN, by default the newest, as flat tables: cells, trials, and their rows such as requests."""
    folder = given_or_newest(run, results)
    of_kind = registry.kind_of(folder)
    cells = of_kind.report(folder).cells  # first: it tells which file is damaged
    info = folder.read_run()
    if lacks := run_report.what_is_missing(info, folder.count_trials()):
        output.line(lacks, err=True)
    if of_kind.theory and withheld(folder, checkout(), answers=answers):
        cells = without(cells, of_kind.theory)
        output.line("Figures of theory are left out until your prediction is recorded; ANSWERS=1 adds them.", err=True)
    trials = folder.read_trials(of_kind.record)
    cells = [{"run_status": info.status, **cell} for cell in cells]  # first: a table travels without this message
    source = Source(trials, of_kind.record, of_kind.rows, cells, of_kind.key, of_kind.key_of)
    target = to.resolve() if to else place_of_reports(folder, results).path / "export"
    for path in exported(folder, source, form, target):
        output.line(os.path.relpath(path))
    return 0


@click.command()
@click.argument("names", metavar="[RUN] CELL", nargs=-1)
@click.option("--run", envvar="RUN", type=parameters.PATH, hidden=True, help="The same as the argument.")
@click.option("--cell", envvar="CELL", hidden=True, help="The same as the argument.")
@click.option("--cpus", envvar="CPUS", type=float, help="CPU limit of the cell, if the run has several.")
@click.option("--variant", envvar="VARIANT", help="Setting of the cell, if the run varies one.")
@parameters.answers
@parameters.results
def explain(  # noqa: PLR0917 (each is an option of the command line)
    names: tuple[str, ...],
    run: Path | None,
    cell: str | None,
    cpus: float | None,
    variant: str | None,
    results: Path | None,
    *,
    answers: bool,
) -> int:
    """Explain CELL, such as C16: the parts that its median consists of.

    RUN is by default the newest of the last ten benchmarks that has the cell. If RUN is of another kind, all figures
    of the cell are shown.
    """
    if names:
        cell = names[-1]
        run = Path(names[0]) if len(names) > 1 else run
    if not cell or len(names) > 2 or (len(names) == 1 and Path(cell).is_dir()):
        raise UsageError("say which cell: make explain CELL=C16, of another run with RUN=results/...")
    mistakes = []
    for folder in [RunFolder.open(run)] if run else _to_explain(results):
        try:
            kind = registry.kind_of(folder)
            shown = kind.explain(folder, cell, cpus, variant)
        except UsageError as mistake:
            mistakes.append(mistake)
            continue
        if kind.theory and withheld(folder, checkout(), answers=answers):
            raise UsageError(
                f"{os.path.relpath(folder.path)} is a run of the course, and an explanation tells what theory predicts:"
                " record your own prediction first (make learn), or show it now with ANSWERS=1"
            )
        if not run:
            output.line(f"Run: {os.path.relpath(folder.path)}")
        shown(Console())
        return 0
    raise mistakes[0]


def _to_explain(results: Path | None) -> list[RunFolder]:
    """Return the newest benchmarks, and the newest run if it is of another kind; the first is the newest benchmark."""
    newest = given_or_newest(None, results)
    benchmarks = list(islice(filter(_is_benchmark, RunFolder.newest_first(results_folder(results))), NEWEST))
    others = [] if any(each.path.resolve() == newest.path.resolve() for each in benchmarks) else [newest]
    return [*benchmarks, *others]


def _is_benchmark(folder: RunFolder) -> bool:
    try:
        return registry.kind_of(folder).explains_medians and folder.has_trials()
    except UsageError:
        return False  # damaged, or of another version
