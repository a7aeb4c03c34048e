"""Work that blocks, in the terminal and as a page: what users and a bystander waited, and who was to blame."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from iolab.experiment import Experiment
from iolab.kinds.breaking.plan import Blame, Seen
from iolab.report import words
from iolab.report.pages import template

LEAST_MS, MOST_MS = 0.3, 3000.0  # of the bystander's scale, which is logarithmic
SCALE_MS = (1.0, 10.0, 100.0, 1000.0)
HARMED = 10.0  # times the bystander's wait with an `await`
KINDS = {"wait": "Waiting", "compute": "Computing"}


def show(console: Console, seen: Sequence[Seen], blames: Sequence[Blame], experiment: Experiment) -> None:
    """Print every way, what that means, and what the server's own log says of the culprit."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=heading(experiment),
        title_justify="left",
        title_style="bold",
    )
    table.add_column("Way")
    for name in ("Median", "Theory", "Rate", "Theory", "Bystander", "slowest"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in KINDS:
        for each in (one for one in seen if one.way.work == kind):
            table.add_row(
                each.way.name,
                words.milliseconds(each.median_ms),
                words.milliseconds(each.expected.latency_s * 1000),
                words.rate(each.rate_rps),
                words.rate(each.expected.throughput_rps),
                words.milliseconds(each.bystander_median_ms),
                words.milliseconds(each.bystander_slowest_ms),
            )
        table.add_section()
    console.print(table)
    for text in sentences(seen):
        console.print(text, highlight=False, markup=False)
    for one in blames:
        console.print()
        for text in culprit(one):
            console.print(text, highlight=False, markup=False)


def heading(experiment: Experiment) -> str:
    """Return the question, with its numbers."""
    return experiment.question.replace("{users}", str(experiment.concurrency[0]))


def sentences(seen: Sequence[Seen]) -> list[str]:
    """Say what the ways teach, each only where the data show it."""
    healthy = next((one for one in seen if one.way.place == "await"), None)
    found = [
        f"{each.way.name}: the bystander, who asks for nothing that blocks, waits"
        f" {words.milliseconds(each.bystander_median_ms)} instead of"
        f" {words.milliseconds(healthy.bystander_median_ms if healthy else None)}."
        " What blocks the loop blocks everyone."
        for each in seen
        if each.way.place == "loop" and _harmed(each, healthy)
    ]
    rates: Rates = {(one.way.work, one.way.place): one.rate_rps for one in seen if one.way.service == "broken"}
    if _above(rates, ("wait", "thread"), ("wait", "loop"), 2.0):
        found.append("Threads help who waits: each sleeps by itself, and the loop goes on.")
    if _alike(rates, ("compute", "thread"), ("compute", "loop")):
        text = "Threads do not help who computes: one of them at a time has the interpreter lock."
        if any(each.way.place == "thread" and each.way.work == "compute" and _harmed(each, healthy) for each in seen):
            text += " The loop's own thread must wait for it, too, and the bystander with it."
        found.append(text)
    if _above(rates, ("compute", "process"), ("compute", "loop"), 1.3):
        ratio = rates["compute", "process"] / rates["compute", "loop"]
        found.append(f"Processes do: {ratio:.1f} times the rate, each with an interpreter of its own.")
    return found


def _harmed(seen: Seen, healthy: Seen | None) -> bool:
    """Say whether a bystander waits much longer than beside users who `await`."""
    mine, theirs = seen.bystander_median_ms, healthy.bystander_median_ms if healthy else None
    return bool(mine and theirs and mine > HARMED * theirs)


Rates = dict[tuple[str, str], float]


def _above(rates: Rates, one: tuple[str, str], other: tuple[str, str], factor: float) -> bool:
    return one in rates and other in rates and rates[one] > factor * rates[other]


def _alike(rates: Rates, one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one in rates and other in rates and rates[one] < 1.2 * rates[other]


def culprit(blame: Blame) -> list[str]:
    """Say whom the server's own log names."""
    texts = [f"{KINDS[blame.work]} in the loop: who is it?"]
    if blame.coroutine:
        it = blame.coroutine
        texts.append(
            f"asyncio's warnings of slow callbacks name a coroutine, and the line where it begins: {it.what},"
            f" {it.where} ({it.count} of {it.of} warnings)."
        )
    else:
        texts.append("asyncio warns of no slow coroutine.")
    if blame.line:
        it = blame.line
        texts.append(
            f"The watchdog's look at the loop's stack names the line itself: {it.where}, {it.what}"
            f" ({it.count} of {it.of} looks)."
        )
    else:
        texts.append("The watchdog names no line.")
    return texts


def render(seen: Sequence[Seen], blames: Sequence[Blame], experiment: Experiment, runtime: str) -> str:
    """Return break.html, one file that needs nothing else."""
    healthy = next((one for one in seen if one.way.place == "await"), None)
    groups = [
        {
            "title": f"{KINDS[kind]}, {words.milliseconds(length_ms)} a request",
            "rows": [
                _row(each, _most(seen, kind), harmless=not _harmed(each, healthy))
                for each in seen
                if each.way.work == kind
            ],
        }
        for kind, length_ms in (("wait", experiment.server.wait_ms), ("compute", experiment.server.cpu_ms))
        if any(each.way.work == kind for each in seen)
    ]
    return template("break.html.j2").render(
        heading=heading(experiment),
        users=experiment.concurrency[0],
        cpus=experiment.cpus[0],
        place=words.PLACES[runtime],
        groups=groups,
        sentences=sentences(seen),
        scale=[(_on_scale(each), f"{each:g} ms" if each < 1000 else f"{each / 1000:g} s") for each in SCALE_MS],
        blames=[{"texts": culprit(each), "blame": each} for each in blames],
    )


def _most(seen: Sequence[Seen], kind: str) -> float:
    return max(max(each.rate_rps, each.expected.throughput_rps) for each in seen if each.way.work == kind)


def _row(seen: Seen, most_rps: float, *, harmless: bool) -> dict[str, object]:
    dots = sorted(one.latency_s * 1000 for one in seen.bystander if one.latency_s and one.status == 200)
    return {
        "name": seen.way.name,
        "harmless": harmless,
        "median": words.milliseconds(seen.median_ms),
        "theory": words.milliseconds(seen.expected.latency_s * 1000),
        "rate": words.rate(seen.rate_rps),
        "rate_theory": words.rate(seen.expected.throughput_rps),
        "bar": 100 * seen.rate_rps / most_rps,
        "mark": 100 * seen.expected.throughput_rps / most_rps,
        "bystander": words.milliseconds(seen.bystander_median_ms),
        "slowest": words.milliseconds(seen.bystander_slowest_ms),
        "dots": [_on_scale(each) for each in dots],
        "middle": _on_scale(seen.bystander_median_ms or LEAST_MS),
    }


def _on_scale(value_ms: float) -> float:
    """Return where a latency stands on the bystander's scale, in % of its width."""
    share = math.log(max(value_ms, LEAST_MS) / LEAST_MS) / math.log(MOST_MS / LEAST_MS)
    return round(100 * min(1.0, share), 2)
