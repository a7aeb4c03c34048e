"""Work that blocks, in the terminal, in Markdown and as a page: what users and a bystander waited, and the culprit."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.breaking.cells import Analysis, WayResult
from iolab.kinds.breaking.culprit import Culprit
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import numbers
from iolab.report.markdown import table
from iolab.report.pages import template

LEAST_MS, MOST_MS = 0.3, 3000.0  # of the bystander's scale, which is logarithmic
SCALE_MS = (1.0, 10.0, 100.0, 1000.0)
HARMED = 10.0  # times the bystander's wait with an `await`
KINDS = {"wait": "Waiting", "compute": "Computing"}
HEADINGS = ("Way", "Median", "Theory", "Rate", "Theory", "Bystander", "slowest")


def show(console: Console, analysis: Analysis, folder: str) -> None:
    """Print every way, what that means, what the server's own log says of the culprit, and where the page is."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=escape(heading(analysis.experiment)),
        title_justify="left",
        title_style="bold",
    )
    for name in HEADINGS:
        shown.add_column(name, justify="right" if shown.columns else "left", no_wrap=bool(shown.columns))
    for kind in KINDS:
        for row in rows(analysis.results, kind):
            shown.add_row(*map(escape, row))
        shown.add_section()
    if analysis.results:
        console.print(shown)
    for text in (*analysis.lacks, *sentences(analysis.results)):
        console.print(text, highlight=False, markup=False)
    for one in analysis.culprits:
        console.print()
        for text in culprit(one):
            console.print(text, highlight=False, markup=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def rows(results: Sequence[WayResult], kind: str) -> list[list[str]]:
    """Return a row of the table for each way to do that kind of work."""
    return [
        [
            each.way.name,
            numbers.milliseconds(each.median_ms),
            numbers.milliseconds(each.expected.latency_s * 1000),
            numbers.rate(each.rate_rps),
            numbers.rate(each.expected.throughput_rps),
            numbers.milliseconds(each.bystander_median_ms),
            numbers.milliseconds(each.bystander_slowest_ms),
        ]
        for each in results
        if each.way.work == kind
    ]


def heading(experiment: BreakExperiment) -> str:
    """Return the question, with its numbers."""
    return experiment.question.replace("{users}", str(experiment.concurrency[0]))


def sentences(results: Sequence[WayResult]) -> list[str]:
    """Say what the ways teach, each only where the data show it."""
    healthy = next((one for one in results if one.way.place == "await"), None)
    found = [
        f"{each.way.name}: the bystander, whose requests do no work, waits"
        f" {numbers.milliseconds(each.bystander_median_ms)} instead of"
        f" {numbers.milliseconds(healthy.bystander_median_ms if healthy else None)}."
        " What blocks the loop blocks everyone."
        for each in results
        if each.way.place == "loop" and _harmed(each, healthy)
    ]
    rates: Rates = {(one.way.work, one.way.place): one.rate_rps for one in results if one.way.service == "broken"}
    if _above(rates, ("wait", "thread"), ("wait", "loop"), 2.0):
        found.append("Threads help where requests wait: each sleeps by itself, and the loop goes on.")
    if _alike(rates, ("compute", "thread"), ("compute", "loop")):
        text = "Threads do not help where requests compute: one of them at a time has the interpreter lock."
        if any(
            each.way.place == "thread" and each.way.work == "compute" and _harmed(each, healthy) for each in results
        ):
            text += " The loop's own thread must wait for it, too, and the bystander with it."
        found.append(text)
    if _above(rates, ("compute", "process"), ("compute", "loop"), 1.3):
        ratio = rates["compute", "process"] / rates["compute", "loop"]
        found.append(f"Processes do: {ratio:.1f} times the rate, each with an interpreter of its own.")
    return found


def _harmed(result: WayResult, healthy: WayResult | None) -> bool:
    """Say whether a bystander waits much longer than beside users who `await`."""
    mine, theirs = result.bystander_median_ms, healthy.bystander_median_ms if healthy else None
    return bool(mine and theirs and mine > HARMED * theirs)


Rates = dict[tuple[str, str], float]


def _above(rates: Rates, one: tuple[str, str], other: tuple[str, str], factor: float) -> bool:
    return one in rates and other in rates and rates[one] > factor * rates[other]


def _alike(rates: Rates, one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one in rates and other in rates and rates[one] < 1.2 * rates[other]


def culprit(found: Culprit) -> list[str]:
    """Say what the server's own log names."""
    texts = [f"{KINDS[found.work]} in the loop: what is it?"]
    if found.coroutine:
        it = found.coroutine
        texts.append(
            f"asyncio's warnings of slow callbacks name a coroutine, and the line where it begins: {it.what},"
            f" {it.where} ({it.count} of {it.of} warnings)."
        )
    else:
        texts.append("asyncio warns of no slow coroutine.")
    if found.line:
        it = found.line
        texts.append(
            f"The watchdog's look at the loop's stack names the line itself: {it.where}, {it.what}"
            f" ({it.count} of {it.of} looks)."
        )
    else:
        texts.append("The watchdog names no line.")
    return texts


def markdown(analysis: Analysis) -> str:
    """Return report.md."""
    experiment = analysis.experiment
    lines = [f"# {heading(experiment)}", ""]
    lines += [f"Measured {numbers.PLACES[analysis.run.runtime]}, servers with {experiment.cpus[0]:g} CPUs.", ""]
    lines += [line for text in analysis.lacks for line in (text, "")]
    for kind, title in KINDS.items():
        if found := rows(analysis.results, kind):
            lines += [f"## {title}, {numbers.milliseconds(_length_ms(experiment, kind))} a request", ""]
            lines += [*table(HEADINGS, found), ""]
    lines += [f"- {text}" for text in sentences(analysis.results)]
    for each in analysis.culprits:
        question, *texts = culprit(each)
        lines += ["", f"## {question}", "", *(f"- {text}" for text in texts)]
        lines += [line for named in (each.coroutine, each.line) if named for line in ("", "```text", named.said, "```")]
    return "\n".join([*lines, ""])


def _length_ms(experiment: BreakExperiment, kind: str) -> float:
    return experiment.server.wait_ms if kind == "wait" else experiment.server.cpu_ms


def render(
    results: Sequence[WayResult],
    culprits: Sequence[Culprit],
    experiment: BreakExperiment,
    runtime: str,
    lacks: Sequence[str] = (),
) -> str:
    """Return report.html, one file that needs nothing else."""
    healthy = next((one for one in results if one.way.place == "await"), None)
    groups = [
        {
            "title": f"{KINDS[kind]}, {numbers.milliseconds(_length_ms(experiment, kind))} a request",
            "rows": [
                _row(each, _most(results, kind), harmless=not _harmed(each, healthy))
                for each in results
                if each.way.work == kind
            ],
        }
        for kind in KINDS
        if any(each.way.work == kind for each in results)
    ]
    return template("break.html.j2").render(
        heading=heading(experiment),
        users=experiment.concurrency[0],
        cpus=experiment.cpus[0],
        place=numbers.PLACES[runtime],
        groups=groups,
        lacks=lacks,
        sentences=sentences(results),
        scale=[(_on_scale(each), f"{each:g} ms" if each < 1000 else f"{each / 1000:g} s") for each in SCALE_MS],
        culprits=[{"texts": culprit(each), "found": each} for each in culprits],
    )


def _most(results: Sequence[WayResult], kind: str) -> float:
    return max(max(each.rate_rps, each.expected.throughput_rps) for each in results if each.way.work == kind)


def _row(result: WayResult, most_rps: float, *, harmless: bool) -> dict[str, object]:
    dots = sorted(one.latency_s * 1000 for one in result.bystander if one.latency_s and one.status == 200)
    return {
        "name": result.way.name,
        "harmless": harmless,
        "median": numbers.milliseconds(result.median_ms),
        "theory": numbers.milliseconds(result.expected.latency_s * 1000),
        "rate": numbers.rate(result.rate_rps),
        "rate_theory": numbers.rate(result.expected.throughput_rps),
        "bar": 100 * result.rate_rps / most_rps,
        "mark": 100 * result.expected.throughput_rps / most_rps,
        "bystander": numbers.milliseconds(result.bystander_median_ms),
        "slowest": numbers.milliseconds(result.bystander_slowest_ms),
        "dots": [_on_scale(each) for each in dots],
        "middle": _on_scale(result.bystander_median_ms or LEAST_MS),
    }


def _on_scale(value_ms: float) -> float:
    """Return where a latency stands on the bystander's scale, in % of its width."""
    share = math.log(max(value_ms, LEAST_MS) / LEAST_MS) / math.log(MOST_MS / LEAST_MS)
    return round(100 * min(1.0, share), 2)
