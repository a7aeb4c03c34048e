"""The standstill in the terminal, and its picture: every request over time, by both ways of counting."""

from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from rich import box
from rich.console import Console
from rich.table import Table

from iolab.experiment import Freeze
from iolab.kinds.freeze.cells import PERCENTILES, Seen
from iolab.report import drawing, words
from iolab.report.pages import template

COLOURS = {"closed loop": drawing.COLOURS[1], "planned": drawing.COLOURS[0]}


def show(console: Console, seen: Sequence[Seen], stop: Freeze) -> None:
    """Print both ways side by side, and what that means."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Latency")
    for each in seen:
        table.add_column(f"{each.name} ({each.generator})", justify="right")
    for name in (*(f"p{share * 100:g}" for share in PERCENTILES), "slowest"):
        table.add_row(name, *(_known(each.percentiles_ms()[name]) for each in seen))
    table.add_row("later than 100 ms", *(f"{each.late(0.1):.1%}" for each in seen))
    console.print(table)
    console.print(sentence(seen, stop), highlight=False, markup=False)


def sentence(seen: Sequence[Seen], stop: Freeze) -> str:
    """Say what the standstill looks like in both ways, as far as the data show it."""
    closed, planned = (next(each for each in seen if each.name == name) for name in ("closed loop", "planned"))
    share = stop.for_s / stop.run_s
    text = (
        f"The server stood still for {share:.0%} of the time. The closed loop saw {closed.late(0.1):.1%} of its"
        f" requests later than 100 ms; of those that were to be sent at a steady rate {planned.late(0.1):.0%} were."
    )
    if planned.late(0.1) > 3 * closed.late(0.1):
        text += (
            " Its users waited for their answers and asked nothing meanwhile, so the requests that would have waited"
            " were never sent: that is coordinated omission, and its percentiles are too kind."
        )
    else:
        text += " In this run the two do not lie far apart."
    return text


def render(title: str, seen: Sequence[Seen], stop: Freeze) -> str:
    """Return freeze.html, one file that needs nothing else."""
    rows = [(name, [_known(each.percentiles_ms()[name]) for each in seen]) for name in ("p50", "p90", "p95", "p99")]
    return template("freeze.html.j2").render(
        title=title,
        seen=seen,
        rows=[*rows, ("slowest", [_known(each.percentiles_ms()["slowest"]) for each in seen])],
        stop=stop,
        sentence=sentence(seen, stop),
        picture=Markup(picture(seen, stop)),  # noqa: S704 (our own drawing)
    )


def picture(seen: Sequence[Seen], stop: Freeze) -> str:
    """Draw every request of both ways over time, on the same axes; the standstill is shaded."""
    with mpl.rc_context({**drawing.STYLE, "ytick.labelcolor": drawing.MUTED}):
        figure = Figure(figsize=(10, 2.7 * len(seen)), layout="constrained")
        grid = figure.subplots(len(seen), 1, sharex=True, sharey=True, squeeze=False)
        for (axes,), each in zip(grid, seen, strict=True):
            timed = [(one.start_s, one.latency_s * 1000) for one in each.samples if one.latency_s is not None]
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
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.milliseconds(value)))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.grid(visible=True)
            axes.tick_params(which="both", length=0)
            heading = f"{each.name}, {len(each.samples):,} requests: {each.late(0.1):.1%} later than 100 ms"
            axes.set_title(heading, loc="left", fontsize=11, color=drawing.INK)
        figure.supxlabel("when the request was sent, or was to be sent, in s", fontsize=11, color=drawing.MUTED)
        figure.supylabel("latency (logarithmic)", fontsize=11, color=drawing.MUTED)
        return drawing.svg(figure, "Latency of every request over time; the closed loop hardly sees the standstill")


def _known(value: float | None) -> str:
    return words.TOO_FEW if value is None else words.milliseconds(value)
