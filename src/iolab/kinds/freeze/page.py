"""The standstill in the terminal, in Markdown, and its picture: every request over time, by both ways of counting."""

from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.freeze.cells import PERCENTILES, Analysis, Standstill
from iolab.kinds.freeze.settings import Freeze, FreezeExperiment
from iolab.report import drawing, numbers
from iolab.report.markdown import table
from iolab.report.pages import template

COLOURS = {"closed loop": drawing.COLOURS[1], "planned": drawing.COLOURS[0]}


def show(console: Console, analysis: Analysis, folder: str) -> None:
    """Print both ways side by side, what that means, and where the picture is."""
    standstills = analysis.standstills
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in headings(standstills):
        shown.add_column(heading, justify="right" if shown.columns else "left")
    for row in rows(standstills):
        shown.add_row(*row)
    if standstills:
        console.print(shown)
    for text in (*analysis.lacks, sentence(standstills, analysis.experiment.freeze)):
        console.print(text, highlight=False, markup=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def headings(standstills: Sequence[Standstill]) -> list[str]:
    """Return the headings of a table with a column for each way of counting."""
    return ["Latency", *(f"{each.name} ({each.generator})" for each in standstills)]


def rows(standstills: Sequence[Standstill]) -> list[list[str]]:
    """Return the rows of that table."""
    found = [each.percentiles_ms() for each in standstills]
    names = (*(f"p{share * 100:g}" for share in PERCENTILES), "slowest")
    late = ["later than 100 ms", *(f"{each.late():.1%}" for each in standstills)]
    return [*([name, *(_known(values[name]) for values in found)] for name in names), late]


def question(experiment: FreezeExperiment) -> str:
    """Return the question, with its numbers."""
    freeze = experiment.freeze
    known = {"{freeze_s}": freeze.for_s, "{run_s}": freeze.run_s, "{users}": experiment.concurrency[0]}
    text = experiment.question
    for name, value in known.items():
        text = text.replace(name, f"{value:g}")
    return text


def sentence(standstills: Sequence[Standstill], stop: Freeze) -> str:
    """Say what the standstill looks like in both ways, as far as the data show it."""
    late = {each.name: each.late() for each in standstills}
    text = f"The server stood still for {stop.for_s / stop.run_s:.0%} of the time."
    closed = f" The closed loop saw {late.get('closed loop', 0):.1%} of its requests later than 100 ms"
    steady, share = "that were to be sent at a steady rate", f"{late.get('planned', 0):.0%} were"
    if not late:
        return ""
    if "planned" not in late:
        return f"{text}{closed}."
    if "closed loop" not in late:
        return f"{text} Of the requests {steady} {share} later than 100 ms."
    text += f"{closed}; of those {steady} {share}."
    if late["planned"] > 3 * late["closed loop"]:
        text += (
            " Its users waited for their answers and asked nothing meanwhile, so the requests that would have waited"
            " were never sent: that is coordinated omission, and its percentiles are too kind."
        )
    else:
        text += " In this run the two do not lie far apart."
    return text


def markdown(analysis: Analysis) -> str:
    """Return report.md."""
    standstills = analysis.standstills
    lines = [f"# {question(analysis.experiment)}", ""]
    lines += [f"{analysis.title}, {numbers.PLACES[analysis.run.runtime]}.", ""]
    lines += [line for text in analysis.lacks for line in (text, "")]
    if standstills:
        lines += [*table(headings(standstills), rows(standstills)), ""]
        lines += [sentence(standstills, analysis.experiment.freeze), ""]
    return "\n".join(lines)


def render(analysis: Analysis) -> str:
    """Return report.html, one file that needs nothing else."""
    standstills, stop = analysis.standstills, analysis.experiment.freeze
    return template("freeze.html.j2").render(
        title=analysis.title,
        lacks=analysis.lacks,
        headings=headings(standstills),
        rows=rows(standstills),
        stop=stop,
        sentence=sentence(standstills, stop),
        picture=Markup(picture(standstills, stop)) if standstills else "",  # noqa: S704 (our own drawing)
    )


def picture(standstills: Sequence[Standstill], stop: Freeze) -> str:
    """Draw every request of both ways over time, on the same axes; the standstill is shaded."""
    with mpl.rc_context({**drawing.STYLE, "ytick.labelcolor": drawing.MUTED}):
        figure = Figure(figsize=(10, 2.7 * len(standstills)), layout="constrained")
        grid = figure.subplots(len(standstills), 1, sharex=True, sharey=True, squeeze=False)
        for (axes,), each in zip(grid, standstills, strict=True):
            timed = [
                (one.start_s, one.latency_s * 1000)
                for one in each.samples
                if one.start_s is not None and one.latency_s is not None
            ]
            axes.axvspan(stop.after_s, stop.after_s + stop.for_s, color=drawing.GRID, alpha=0.6, linewidth=0)
            axes.scatter(
                [start for start, _ in timed],
                [latency for _, latency in timed],
                s=10,
                color=COLOURS[each.name],
                alpha=0.6,
                linewidths=0,
                rasterized=True,
            )
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.milliseconds(value)))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.grid(visible=True)
            axes.tick_params(which="both", length=0)
            heading = f"{each.name}, {len(each.samples):,} requests: {each.late():.1%} later than 100 ms"
            axes.set_title(heading, loc="left", fontsize=11, color=drawing.INK)
        figure.supxlabel("when the request was sent, or was to be sent, in s", fontsize=11, color=drawing.MUTED)
        figure.supylabel("latency (logarithmic)", fontsize=11, color=drawing.MUTED)
        return drawing.svg(figure, "Latency of every request over time; the closed loop hardly sees the standstill")


def _known(value: float | None) -> str:
    return numbers.TOO_FEW if value is None else numbers.milliseconds(value)
