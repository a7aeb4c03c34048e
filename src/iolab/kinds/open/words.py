"""The sentences of an open loop's report."""

import math
from collections.abc import Sequence

from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.kinds.open.findings import KNOWN
from iolab.report import numbers
from iolab.report import settings as settings_of
from iolab.report.marked import Answer
from iolab.results.run_info import ModelInfo
from iolab.theory.queueing import ResponseTime

LIGHT, BUSY = 0.5, 0.8  # utilisations
FLAT, DOUBLED = 1.25, 2.0  # growth of a mean
CLOSED_USERS = 16  # of the closed loop that the open one is contrasted with, as in experiments/bench.toml


def exactness(analysis: OpenAnalysis) -> str:
    """Say where the theoretical figures come from; "" if there are none."""
    if not any(cell.constant for cell in analysis.cells):
        return ""
    return (
        "M/D/c and M/M/c are exact, for an endless run at the calibrated service time: chance is in the measurement"
        " alone."
    )


def load(cell: OpenCell, unit: str = " utilisation") -> str:
    """Return the utilisation of a plan, or its rate if the model has no utilisation."""
    busy = cell.record.utilisation
    return numbers.rate(cell.record.rate_rps) if busy is None else f"{numbers.utilisation(busy)}{unit}"


def verdict(cells: Sequence[OpenCell]) -> str:
    """Return the mean response time at the highest load; `cells` are those of a model and a variant."""
    measured = [cell for cell in cells if cell.measured]
    return f"{_mean(measured[-1])} at {load(measured[-1], unit='')}" if measured else "no result"


def sentence(cells: Sequence[OpenCell]) -> str:
    """Say how the mean response time of a model in a variant grows with the load, and which theory predicts it."""
    measured = [cell for cell in cells if cell.measured]
    if not measured:
        return "No request was answered with status 200."
    ends = measured if len(measured) < 2 else (measured[0], measured[-1])
    text = "Mean response time: " + ", ".join(f"{_mean(cell)} at {load(cell)}" for cell in ends)
    means, growth = text, _mean_ms(measured[-1]) / _mean_ms(measured[0])
    if measured[0].record.utilisation is None:
        return Answer(f"{text}. {_between_rates(measured)}".rstrip(), f"{means}.")
    if growth > DOUBLED and (measured[-1].record.utilisation or 0) >= BUSY:
        text += f": {growth:.1f} times as long, because near 100% utilisation the queue is rarely empty"
    return Answer(f"{text}. {_theory(measured)}".rstrip(), f"{means}.")


def _between_rates(cells: Sequence[OpenCell]) -> str:
    """Say how much the mean of a server that has no number of workers grew with the rate; "" of a single rate."""
    first, low, high = cells[0], load(cells[0]), load(cells[-1])
    if low == high:
        return ""
    most = max(_mean_ms(cell) for cell in cells[1:]) / _mean_ms(first)
    grew = f"grew by at most {most - 1:.0%}" if most >= 1.005 else "did not grow"
    text = f"Between {low} and {high}, the mean response time {grew}"
    if most > FLAT:
        return f"{text}: the server's limited CPU time can be the reason, or chance, if requests are few."
    known = first.record.calibration
    queued = _mean_ms(first) / 1000 > FLAT * (known.service_s + known.transit_s)  # at the lowest rate, too
    return f"{text}." if queued else f"{text}: no queue shows at these rates."


def _theory(cells: Sequence[OpenCell]) -> str:
    """Say how often the measured mean, and each theory's, lies among those of simulated plans, where it is busy."""
    known = [cell for cell in cells if (cell.record.utilisation or 0) >= LIGHT and cell.likely is not None]
    if not known:
        return ""
    constant, exponential = (
        sum(_in_range(cell, theory) for cell, theory in pairs)
        for pairs in ([(cell, cell.constant) for cell in known], [(cell, cell.exponential) for cell in known])
    )
    workers, likely = int(cells[0].workers), sum(cell.likely is True for cell in known)
    return (
        f"At {LIGHT:.0%} utilisation or more, the measured mean lies in the range of simulated plans in {likely} of"
        f" {numbers.counted(len(known), 'plan')}; the mean of M/D/{workers} does in {constant}, that of M/M/{workers}"
        f" in {exponential}."
    )


def _in_range(cell: OpenCell, theory: ResponseTime | None) -> bool:
    if theory is None or cell.chance is None:
        return False
    return cell.chance.mean_s[0] <= theory.mean_s <= cell.chance.mean_s[1]


def chance(cells: Sequence[OpenCell]) -> str:
    """Say what the range of simulated plans is; "" if there is none."""
    plans = [cell.chance.plans for cell in cells if cell.chance]
    if not plans:
        return ""
    number = f"{min(plans):,}" if min(plans) == max(plans) else f"{min(plans):,} to {max(plans):,}"
    return (
        f"Range: 95% of {number} simulated plans of the same rate and length, which begin with an empty queue and draw"
        " the measured service times, have a mean in it. It shows what chance in the arrivals does."
    )


def lengths(cells: Sequence[OpenCell]) -> list[str]:
    """Say how long plans must be for a mean that is known, a sentence for each model and variant."""
    groups: dict[tuple[str, str], list[OpenCell]] = {}
    for cell in cells:
        if cell.needed_s is not None:
            groups.setdefault((cell.record.model, cell.record.variant), []).append(cell)
    return [
        f"{' '.join(filter(None, name))}: 95% of plans have a mean within {KNOWN:.0%} of the true one if they last for"
        f" about {numbers.listed([f'{numbers.duration(cell.needed_s or 0)} at {load(cell)}' for cell in found])}."
        for name, found in groups.items()
    ]


def proof(cells: Sequence[OpenCell]) -> str:
    """Say how far the measured times are from an ideal queue with the same arrivals and service times."""
    known = [cell for cell in cells if cell.off is not None]
    if not known:
        return ""
    worst = max(abs(cell.off or 0.0) for cell in known)
    p95 = max((abs(cell.off_p95) for cell in known if cell.off_p95 is not None), default=None)
    tail = "" if p95 is None else f", the 95th percentiles by at most {p95:.1%}"
    text = (
        "Check of the measurement: the measured means differ from those of an ideal queue with the same arrivals and"
        f" service times by at most {worst:.1%}{tail}."
    )
    off = sum(any(finding.id == "off_the_trace" for finding in cell.findings) for cell in known)
    if off:
        return (
            f"{text} In {off} of {len(known)} plans the difference is too large: these plans cannot be compared with"
            " theory. The findings name them."
        )
    return (
        f"{text} A larger difference between measurement and theory is therefore due to chance in these arrivals, or"
        " the theory does not describe this server: the range of simulated plans shows how much chance there is."
    )


def senders(analysis: OpenAnalysis) -> str:
    """Return what sent the arrivals."""
    counts = sorted({cell.record.load_workers for cell in analysis.cells})
    if not counts or counts == [0]:
        return ""  # the report names the client
    return f"{' and '.join(map(str, counts))} Locust worker{'s' if counts != [1] else ''}"


def closed_loop(cells: Sequence[OpenCell]) -> str:
    """Contrast planned arrivals with the closed loop of hey; what a queue does is said of the models that have one."""
    queues = dict.fromkeys(cell.record.model for cell in cells if cell.record.utilisation is not None)
    grows = (
        f", and by theory the response time of {numbers.listed([*queues])} grows without bound as the rate approaches"
        " the most that the workers can serve"
    )
    return (
        f"A closed loop of {CLOSED_USERS} users differs: each user waits for a response before it sends the next"
        f" request. At most {CLOSED_USERS} requests are then in the system, and a slower server gets fewer of them."
        f" Here, requests arrive whether or not the server keeps up{grows if queues else ''}."
    )


def settings(analysis: OpenAnalysis) -> str:
    """Return the settings of servers and arrivals."""
    experiment, arrivals = analysis.experiment, analysis.experiment.arrivals
    infinite = any(cell.record.utilisation is None for cell in analysis.cells)
    parts = [
        *settings_of.servers(experiment.server, experiment.vary),
        f"{arrivals.process} arrivals{f' from {arrivals.trace}' if arrivals.trace else ''}",
        f"{arrivals.duration_s:g} s per plan",
        *([f"{arrivals.others_duration_s:g} s for servers without a queue"] if infinite else []),
    ]
    return f"Settings: {', '.join(parts)}."


def place(cell: OpenCell) -> str:
    """Return the name of a cell's plan."""
    return " ".join(filter(None, [cell.record.model, cell.record.variant, "at", load(cell)]))


def calibrations(analysis: OpenAnalysis) -> list[str]:
    """Return the result of the calibration, a sentence for each model."""
    of = {model.letter: model for model in analysis.run.models}
    return [
        _calibration(cell, of[letter]) for letter, cell in {cell.record.model: cell for cell in analysis.cells}.items()
    ]


def downstream(analysis: OpenAnalysis) -> list[str]:
    """Return what bounds the servers whose requests wait in the downstream service, a sentence for each."""
    return [
        f"{model.letter}: theory has {model.places:g} servers, because {reason}."
        for model in analysis.run.models
        if (reason := settings_of.bound(model.workers, model.connections or math.inf))
    ]


def _calibration(cell: OpenCell, model: ModelInfo) -> str:
    known, busy = cell.record.calibration, math.isfinite(cell.workers)
    of = "a worker" if model.workers <= model.places else "a connection to the downstream service"
    text = (
        f"{cell.record.model} {cell.record.service}: a request {f'occupies {of} for' if busy else 'takes'}"
        f" {known.service_s * 1000:.2f} ms, {known.overhead_s * 1000:.2f} ms longer than the server reports"
    )
    return f"{text}; client and network add {known.transit_s * 1000:.2f} ms" if busy else text


def _mean_ms(cell: OpenCell) -> float:
    return cell.measured.mean_s * 1000 if cell.measured else 0.0


def _mean(cell: OpenCell) -> str:
    return numbers.milliseconds(_mean_ms(cell))
