"""The commands that work on run folders: compare, explain, export."""

import os
from pathlib import Path

import click
from rich.console import Console

from iolab import cli_options
from iolab.cli_run import given_or_newest, report_run
from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.report.export import Format, Source
from iolab.report.export import export as exported
from iolab.results.folder import RunFolder


@click.command()
@click.argument("run", metavar="[RUN]", type=cli_options.PATH, required=False)
@cli_options.results
def report(run: Path | None, results: Path | None) -> int:
    """Rebuild the report of RUN, by default the newest run, from its raw data."""
    report_run(Console(), given_or_newest(run, results))
    return 0


@click.command()
@click.argument("runs", metavar="FIRST SECOND", envvar="RUNS", nargs=-1, type=Path)
def compare(runs: tuple[Path, ...]) -> int:
    """Compare the cells of two runs of one kind: what is higher or lower in SECOND than in FIRST."""
    if len(runs) != 2:
        raise UsageError('say which two runs: make compare RUNS="results/one results/other"')
    first, second = (RunFolder.open(path) for path in runs)
    if first.path == second.path:
        raise UsageError(f"{runs[0]} and {runs[1]} are the same run, which does not differ from itself")
    one, other = (registry.kind_of(folder) for folder in (first, second))
    if one is not other:
        raise UsageError(f"{runs[0]} is of kind {one.name} and {runs[1]} of kind {other.name}: compare two of one kind")
    try:
        one.compare(first, second)(Console())
    except UsageError as error:
        raise UsageError(f"{runs[0]} and {runs[1]}: {error}") from error
    return 0


@click.command()
@click.argument("run", metavar="[RUN]", type=cli_options.PATH, required=False)
@click.option("--csv", "form", flag_value="csv", default="csv", help="As CSV.  [default]")
@click.option("--parquet", "form", flag_value="parquet", help="As Parquet (needs pyarrow).")
@click.option("--to", type=cli_options.PATH, help="A folder.  [default: export in the run folder]")
@cli_options.results
def export(run: Path | None, form: Format, to: Path | None, results: Path | None) -> int:
    """Write RUN, by default the newest, as flat tables: cells, trials, and their rows such as requests."""
    folder = given_or_newest(run, results)
    of_kind = registry.kind_of(folder)
    summary = of_kind.report(folder).summary  # first: it tells which file is damaged
    trials = folder.read_trials(of_kind.record)
    source = Source(trials, of_kind.record, of_kind.rows, summary, of_kind.key, of_kind.key_of)
    for path in exported(folder, source, form, to or folder.path / "export"):
        click.echo(os.path.relpath(path))
    return 0


@click.command()
@click.argument("names", metavar="[RUN] CELL", nargs=-1)
@click.option("--cpus", envvar="CPUS", type=float, help="Which CPU limit, where it varies.")
@click.option("--variant", envvar="VARIANT", help="Which setting, where it varies.")
@cli_options.results
def explain(names: tuple[str, ...], cpus: float | None, variant: str | None, results: Path | None) -> int:
    """Explain CELL, such as C16, of RUN or of the newest run: what its median is made of, or all that is known."""
    if not 1 <= len(names) <= 2 or (len(names) == 1 and Path(names[0]).is_dir()):
        raise UsageError("say which cell: make explain CELL=C16, of another run with RUN=results/...")
    folder = given_or_newest(Path(names[0]) if len(names) == 2 else None, results)
    registry.kind_of(folder).explain(folder, names[-1], cpus, variant)(Console())
    return 0
