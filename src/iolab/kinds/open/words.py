"""What an open loop found, as rows and sentences that terminal, Markdown and page share."""

from collections.abc import Iterator, Sequence

from iolab.findings import GRAVITY
from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.report import numbers
from iolab.theory import queueing
from iolab.theory.queueing import ResponseTime

HEADINGS = ("Model", "Service", "Busy", "Rate", "Mean", "Same trace", "off", "M/D/c", "M/M/c", "p50", "p95", "p99")
TAILS = (
    "Model", "Service", "Busy",
    "p95", "Same trace p95", "off p95", "M/D/c p95", "M/M/c p95",
    "p99", "Same trace p99", "M/D/c p99", "M/M/c p99",
)  # fmt: skip
BRIEF = ("Model", "Service", "Busy", "Mean", "Same trace", "off", "M/D/c", "M/M/c", "p95")
LIGHT = 0.5
CLOSED_USERS = 16  # of the closed loop that the open one is contrasted with, as in experiments/bench.toml


def rows(analysis: OpenAnalysis) -> Iterator[dict[str, str]]:
    """Yield a row a plan, by heading."""
    for cell in analysis.cells:
        record, measured = cell.record, cell.measured
        yield {
            "Model": f"{record.model} {record.service}",
            "Service": record.variant or analysis.experiment.server.wait_distribution,
            "Busy": "-" if record.utilisation is None else f"{record.utilisation:.0%}",
            "Rate": numbers.rate(record.rate_rps),
            "Mean": _ms(measured.mean_s if measured else None),
            "Same trace": _ms(cell.same.mean_s if cell.same else None),
            "off": numbers.off(cell.off),
            "M/D/c": _mean(cell.constant),
            "M/M/c": _mean(cell.exponential),
            "p50": _ms(measured.p50_s if measured else None),
            "p95": _ms(measured.p95_s if measured else None),
            "p99": _ms(measured.p99_s if measured else None),
            "off p95": numbers.off(cell.off_p95),
            **{
                f"{name} {quantile}": _ms(getattr(theory, f"{quantile}_s") if theory else None)
                for name, theory in (("Same trace", cell.same), ("M/D/c", cell.constant), ("M/M/c", cell.exponential))
                for quantile in ("p95", "p99")
            },
        }


def errors(analysis: OpenAnalysis) -> str:
    """Say which of theory's figures are exact, and how well the others are known."""
    worst = max((cell.constant.error for cell in analysis.cells if cell.constant), default=None)
    if worst is None:
        return ""
    return (
        "M/M/c is exact, and so is the mean of M/D/1. The other figures of M/D/c are simulated, with"
        f" {queueing.CUSTOMERS:,} customers; the means are known to {max(2 * worst, 0.001):.1%} (two standard errors)."
    )


def sentences(analysis: OpenAnalysis) -> list[str]:
    """Say what the data show: which theory is right, where latency grows, which server has no queue."""
    told = []
    for letter in dict.fromkeys(cell.record.model for cell in analysis.cells):
        for variant in analysis.experiment.variants:
            mine = [
                cell
                for cell in analysis.cells
                if (cell.record.model, cell.record.variant) == (letter, variant) and cell.measured
            ]
            if mine:
                told.append(_of_a_model(mine))
    proof = _proof(analysis.cells)
    return [*told, *([proof] if proof else [])]


def _of_a_model(cells: Sequence[OpenCell]) -> str:
    first, last = cells[0], cells[-1]
    name = f"{first.record.model} ({first.record.variant})" if first.record.variant else first.record.model
    low, high = _mean_ms(first), _mean_ms(last)
    if last.record.utilisation is None:
        return (
            f"{name} serves any number of requests at once: {numbers.milliseconds(low)} at {first.record.rate_rps:.0f}"
            f" a second, {numbers.milliseconds(high)} at {last.record.rate_rps:.0f}. There is no queue at any rate."
        )
    text = f"{name}: {numbers.milliseconds(low)} when it is busy {first.record.utilisation:.0%} of the time"
    if len(cells) > 1:
        text += f", {numbers.milliseconds(high)} at {last.record.utilisation:.0%}"
    if len(cells) > 1 and high > 2 * low:
        text += f", {high / low:.1f} times as long: near 100% the queue is hardly ever empty"
    return f"{text}. {_theory(cells)}"


def _theory(cells: Sequence[OpenCell]) -> str:
    """Say how often each theory's mean lies in the interval of the measured one, where the server is busy."""
    busy = [cell for cell in cells if (cell.record.utilisation or 0) >= LIGHT and cell.measured]
    known = [cell for cell in busy if cell.measured and cell.measured.mean_ci_s]
    if not known:
        return ""
    workers = int(cells[0].workers)
    parts = []
    for name, pick in (("M/D", "constant"), ("M/M", "exponential")):
        held = sum(_holds(cell, getattr(cell, pick)) for cell in known)
        parts.append(f"{name}/{workers} in {held} of {len(known)}")
    return (
        f"The interval of the measured mean holds that of {parts[0]}, that of {parts[1]} plans that are busy"
        f" {LIGHT:.0%} and more."
    )


def _holds(cell: OpenCell, theory: ResponseTime | None) -> bool:
    if theory is None or cell.measured is None or cell.measured.mean_ci_s is None:
        return False
    return cell.measured.mean_ci_s[0] <= theory.mean_s <= cell.measured.mean_ci_s[1]


def _proof(cells: Sequence[OpenCell]) -> str:
    known = [cell for cell in cells if cell.off is not None]
    if not known:
        return ""
    worst = max(known, key=lambda cell: abs(cell.off or 0.0))
    p95 = max((abs(cell.off_p95) for cell in known if cell.off_p95 is not None), default=None)
    tail = "" if p95 is None else f", their 95th percentiles by {p95:.1%}"
    text = (
        "The instrument: an ideal queue with the very same arrivals and service times has means that differ from those"
        f" measured by {abs(worst.off or 0.0):.1%} at most{tail}."
    )
    off = sum(any(finding.id == "off_the_trace" for finding in cell.findings) for cell in known)
    if off:
        return (
            f"{text} In {off} of {len(known)} plans that is too much, whatever the cause; the findings name them, and"
            " they prove nothing."
        )
    return f"{text} So what lies apart from theory is the luck of these arrivals, or the theory."


def state(analysis: OpenAnalysis) -> str:
    """Say what a run lacks that is not whole; nothing of a whole one."""
    there, planned = len(analysis.cells), analysis.run.trials_planned
    if analysis.run.status == "complete":
        return f"Only {there} of {planned} plans are there: trials.jsonl is not whole." if there < planned else ""
    return {
        "partial": f"Interrupted: {there} of {planned} plans are here.",
        "failed": f"Not all is as it should be: {there} of {planned} plans are here; the findings say what is wrong.",
        "running": "Not finished: what follows is all that is on disk so far.",
    }[analysis.run.status]


def senders(analysis: OpenAnalysis) -> str:
    """Say what sent the arrivals."""
    counts = sorted({cell.record.load_workers for cell in analysis.cells})
    if not counts or counts == [0]:
        return "one Locust process"
    return f"{' and '.join(map(str, counts))} Locust worker{'s' if counts != [1] else ''}"


def closed_loop() -> str:
    """Contrast what came with the closed loop of hey."""
    return (
        f"A closed loop of {CLOSED_USERS} users differs: each user waits for an answer before it sends the next one."
        f" So never more than {CLOSED_USERS} requests are in the system, and a slower server gets fewer of them. Here"
        " requests arrive whether or not the server keeps up, and latency has no bound near the rate that it can serve."
    )


def findings(analysis: OpenAnalysis) -> list[tuple[str, str, str, str]]:
    """Return (severity, where, message, remedy) of all findings, the gravest first."""
    found = [
        (finding.severity, place(cell), finding.message, finding.remedy)
        for cell in analysis.cells
        for finding in cell.findings
    ]
    return sorted(found, key=lambda row: GRAVITY[row[0]])


def place(cell: OpenCell) -> str:
    """Return which plan a cell is."""
    record = cell.record
    busy = f"at {record.rate_rps:.0f}/s" if record.utilisation is None else f"busy {record.utilisation:.0%}"
    return " ".join(filter(None, [record.model, record.variant, busy]))


def calibrations(analysis: OpenAnalysis) -> list[str]:
    """Say what was calibrated: a line a model."""
    known = {cell.record.model: (cell.record.service, cell.record.calibration) for cell in analysis.cells}
    return [
        f"{letter} {service}: {each.service_s * 1000:.2f} ms a request, {each.overhead_s * 1000:.2f} ms of them beyond"
        f" what it says itself; {each.transit_s * 1000:.2f} ms there and back"
        for letter, (service, each) in known.items()
    ]


def _mean_ms(cell: OpenCell) -> float:
    return cell.measured.mean_s * 1000 if cell.measured else 0.0


def _mean(response: ResponseTime | None) -> str:
    return _ms(response.mean_s if response else None)


def _ms(value_s: float | None) -> str:
    return numbers.milliseconds(None if value_s is None else value_s * 1000)
