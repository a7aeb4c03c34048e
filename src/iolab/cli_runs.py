"""The commands that work on run folders: compare, explain, export."""

import os
from pathlib import Path

import click
from rich.console import Console

from iolab import options
from iolab.cli_report import given_or_newest, report_run
from iolab.errors import UsageError
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.explain import budget, find
from iolab.report import comparison_terminal
from iolab.report.compare import compare as compared
from iolab.report.compare import differences, nothing_in_common
from iolab.report.export import Format
from iolab.report.export import export as exported
from iolab.results.folder import RunFolder

RUN = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@options.results
def report(run: Path | None, results: Path | None) -> int:
    """Make the report of RUN anew, from its raw data; of the newest run otherwise."""
    report_run(Console(), given_or_newest(run, results))
    return 0


@click.command()
@click.argument("runs", metavar="FIRST SECOND", nargs=-1, type=RUN)
def compare(runs: tuple[Path, ...]) -> int:
    """Say how the medians of run SECOND relate to those of run FIRST, cell by cell."""
    if len(runs) != 2:
        raise UsageError('say which two runs: make compare RUNS="results/one results/other"')
    first, second = (RunFolder.open(path) for path in runs)
    if first.path == second.path:
        raise UsageError(f"{runs[0]} and {runs[1]} are the same run, which does not differ from itself")
    one, other = analyse(first), analyse(second)
    found = compared(one, other)
    if not found:
        raise UsageError(f"{runs[0]} and {runs[1]} have no cell in common: {nothing_in_common(one, other)}")
    comparison_terminal.show(Console(), found, differences(one, other))
    return 0


@click.command()
@click.argument("run", type=RUN, required=False)
@click.option("--csv", "kind", flag_value="csv", default="csv", help="As CSV.  [default]")
@click.option("--parquet", "kind", flag_value="parquet", help="As Parquet (needs pyarrow).")
@click.option("--to", type=RUN, help="A folder.  [default: export in the run folder]")
@options.results
def export(run: Path | None, kind: Format, to: Path | None, results: Path | None) -> int:
    """Write RUN, by default the newest, as flat tables: requests, trials, cells."""
    folder = given_or_newest(run, results)
    for path in exported(folder, kind, to or folder.path / "export"):
        click.echo(os.path.relpath(path))
    return 0


@click.command()
@click.argument("names", metavar="[RUN] CELL", nargs=-1)
@click.option("--cpus", envvar="CPUS", type=float, help="Which CPU limit, where it varies.")
@click.option("--variant", envvar="VARIANT", help="Which setting, where it varies.")
@options.results
def explain(names: tuple[str, ...], cpus: float | None, variant: str | None, results: Path | None) -> int:
    """Say what the median of CELL, such as C16, is made of; in RUN, or else in the newest run."""
    if not 1 <= len(names) <= 2 or (len(names) == 1 and Path(names[0]).is_dir()):
        raise UsageError("say which cell: make explain CELL=C16, of another run with RUN=results/...")
    analysis = analyse(given_or_newest(Path(names[0]) if len(names) == 2 else None, results))
    each = find(analysis, names[-1], cpus, variant)
    comparison_terminal.show_budget(Console(), analysis, each.cell, budget(analysis, each))
    return 0
