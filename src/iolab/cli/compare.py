"""The command `iolab compare`: runs side by side, in the terminal, as a page, or as JSON."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import click

from iolab import comparing
from iolab.cli import addresses, output, parameters
from iolab.cli.console import Console
from iolab.cli.run import checkout
from iolab.options import SHARE
from iolab.report import comparison, pages
from iolab.report.compare import NOISE
from iolab.results import files
from iolab.results.folder import RunFolder

PAGES = "compare"  # a folder in the results

noise_option = click.option(
    "--noise",
    envvar="NOISE",
    type=parameters.Value(SHARE),
    help=f"Share by which runs of the same settings are taken to differ, for one run a side.  [default: {NOISE:.0%}]",
)


@click.command()
@click.argument("runs", metavar="RUN...", envvar="RUNS", nargs=-1, type=str)
@noise_option
@click.option(
    "--fail-above",
    "above",
    envvar="FAIL_ABOVE",
    type=parameters.Value(SHARE),
    help="Exit with status 1 if a figure differs and is worse by more than this share, such as 5%.",
)
@click.option("--json", "as_object", envvar="JSON", is_flag=True, help="Print one JSON object instead of the table.")
@parameters.results
def compare(
    runs: tuple[str, ...], noise: float | None, above: float | None, results: Path | None, *, as_object: bool
) -> int:
    """Compare two or more runs of the same kind, cell by cell: each with the first.

    Several runs a side are compared with colons between the sides: a1 a2 a3 : b1 b2 b3. The runs are then the unit,
    and what differs from run to run is in the intervals. With one run a side, a difference up to NOISE is taken to be
    noise.

    With FAIL_ABOVE, the exit status is 1 if a figure is shown to be worse by more than that, or if a cell is not valid
    any more, or not there (make itself ends with 2 then), and 0 otherwise.
    """
    judged = comparing.judged(comparing.sides_of(runs), checkout(), noise, above)
    if as_object:
        output.line(json.dumps(judged.plain(), indent=1))
    else:
        show(Console(), judged, results)
    return 1 if judged.fails() else 0


def show(console: Console, judged: comparing.Judged, results: Path | None) -> None:
    """Print a comparison, and write its page."""
    shown, sides = judged.document(), judged.compare.sides
    page = write_page(pages.render(shown), sides, results)
    comparison.show(console, shown, judged.compare.settings, addresses.of_comparison(sides, page))


def write_page(html: str, sides: Sequence[Sequence[RunFolder]], results: Path | None) -> Path:
    """Write the page of a comparison into the results, and return where it is; the same runs have the same page."""
    found = checkout()
    folder = results or (found / "results" if found else sides[0][0].path.parent)
    names = " : ".join(" ".join(str(each.path) for each in side) for side in sides)
    path = folder / PAGES / f"{hashlib.sha256(names.encode()).hexdigest()[:12]}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, html.encode())
    return path
