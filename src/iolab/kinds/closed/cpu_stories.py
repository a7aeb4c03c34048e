"""Sentences about CPU limits: what a run shows of them, and where it is too short to show it."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import milliseconds
from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import ratio_interval

SAME = 0.10
LEAST_REPEATS = 3  # for an interval
UNHELD_S = 0.02  # a quota that stopped a server for less had no effect


def cores(analysis: Analysis) -> list[str]:
    """Say for each model and variant what the CPU limit changed, between the lowest and the highest."""
    groups: dict[tuple[str, str, int], list[AnalysedCell]] = {}
    for each in sorted(analysis.cells, key=lambda each: each.cell.cpus):
        cell = each.cell
        if cell.steady_rps:
            groups.setdefault((cell.model, cell.variant, cell.concurrency), []).append(each)
    several = {key: measured for key, measured in groups.items() if len(measured) > 1}
    told = []
    for (model, variant, users), measured in several.items():
        what = f"{model}{f', {variant}' if variant else ''}, {numbers.users(users)}"
        told.append(f"{what}: {_limit(measured, analysis.experiment.settings(variant).cpu_ms, len(several))}")
    return told


def _limit(measured: Sequence[AnalysedCell], cpu_ms: float, compared: int) -> str:
    """Say whether, and from which limit on, the rate changes little; `measured` are by rising limit.

    `compared` is how many such comparisons the run has.
    """
    cells = [each.cell for each in measured]
    low, high = cells[0], cells[-1]
    best = high.steady_rps or 0.0
    rates = (
        f"{numbers.rate(low.steady_rps)} with {low.cpus:g} CPU{_throttled(low)},"
        f" {numbers.rate(best)} with {high.cpus:g}"
    )
    if (low.steady_rps or 0.0) >= (1 - SAME) * best:
        return f"{rates}{_alike(measured[0], measured[-1], compared)}{_between(cells)}{_why(low, high)}"
    text = f"{rates}; the median changes from {milliseconds(low.median_ms)} to {milliseconds(high.median_ms)}."
    first = next(number for number in range(len(cells)) if _little(cells[number:]))
    if first < len(cells) - 1:
        enough = f"Above {cells[first].cpus:g} CPU, the rate changes by less than {SAME:.0%} in this run."
        return f"{text} {enough}{_too_few(measured[first:])}"
    gain, more = best / (low.steady_rps or best), high.cpus / low.cpus
    times = f"{gain:.1f} times the rate with {more:.3g} times the CPU"
    if all((one.steady_rps or 0.0) < (other.steady_rps or 0.0) for one, other in pairwise(cells)):
        text += f" The rate rises over the whole range: {times}."
    else:
        text += f" From the lowest to the highest limit it is {times}, but it does not rise with every limit:"
        text += f" {_listed(cells)}."
    return text + _convoy(high, cpu_ms)


def _little(cells: Sequence[Cell]) -> bool:
    """Return whether the rates of all these cells are less than 10% apart."""
    rates = [cell.steady_rps or 0.0 for cell in cells]
    return len(rates) == 1 or min(rates) > (1 - SAME) * max(rates)


def _between(cells: Sequence[Cell]) -> str:
    """Say which limits between the lowest and the highest have another rate than both."""
    ends = [cells[0], cells[-1]]
    others = [cell for cell in cells[1:-1] if not _little([*ends, cell])] if _little(ends) else []
    return f" In between, the rate is different: {_listed(others)}." if others else ""


def _listed(cells: Sequence[Cell]) -> str:
    return numbers.listed([f"{numbers.rate(cell.steady_rps)} with {cell.cpus:g} CPU" for cell in cells])


def _too_few(measured: Sequence[AnalysedCell]) -> str:
    """Say so where there are too few repeats for an interval."""
    least = min(len(each.steady_rps) for each in measured)
    if least >= LEAST_REPEATS:
        return ""
    return f" {numbers.counted(least, 'repeat')} of each: too few for an interval."


def _throttled(cell: Cell) -> str:
    held_s = cell.server.throttled_s
    return f" (throttled for {numbers.seconds(held_s)})" if held_s and held_s > UNHELD_S else ""


def _alike(low: AnalysedCell, high: AnalysedCell, compared: int) -> str:
    """Say how well this run knows the ratio of two rates that are close to each other.

    Of many intervals of 95%, some miss the true ratio: rates differ if the interval excludes 1 even at the confidence
    that is left for each of `compared` ratios (Bonferroni).
    """
    these, those = ([np.array([rate]) for rate in each.steady_rps] for each in (high, low))
    found = ratio_interval(these, those)
    if found is None:
        repeats = numbers.counted(min(len(these), len(those)), "repeat")
        return f". {repeats} of each: too few for an interval, so whether they differ is not known."
    ratio, least, most = found
    _, surely_least, surely_most = ratio_interval(these, those, confidence=1 - (1 - CONFIDENCE) / compared) or found
    verdict = "they differ"
    if least > 1 - SAME and most < 1 + SAME:
        verdict = f"they are less than {SAME:.0%} apart"
    elif least <= 1 <= most:
        verdict = "no difference is shown"
    elif surely_least <= 1 <= surely_most:
        verdict = f"no difference is shown: with {compared} ratios, one interval that excludes 1 can be chance"
    return f": {ratio:.2f} times the rate (95% interval within this run: {least:.2f} to {most:.2f}), so {verdict}."


def _why(low: Cell, high: Cell) -> str:
    """Add what a request needs, and what theory expects."""
    uses = words.cpu_a_request(high)
    needs = "" if uses == numbers.NOT_KNOWN else f" A request takes {uses} of CPU time."
    rates = low.predicted_throughput_rps, high.predicted_throughput_rps
    same = abs((rates[0] or math.nan) / (rates[1] or math.nan) - 1) < 0.001
    return f"{needs} Theory expects the same rate with both." if same else needs


def _convoy(cell: Cell, cpu_ms: float) -> str:
    """Say why an event loop that computes misses its bound, where the median shows it: first all compute, then wait."""
    if (cell.server.throttled_s or 0) > UNHELD_S or not cpu_ms or not cell.median_ms:
        return ""
    if cell.service_ms is None or cell.predicted_mean_ms is None:
        return ""
    together_ms = cell.concurrency * cpu_ms + cell.service_ms - cpu_ms
    if cell.median_ms < (1 + SAME) * cell.predicted_mean_ms or abs(cell.median_ms / together_ms - 1) > SAME:
        return ""
    return (
        f" Its median is above the bound of theory, {milliseconds(cell.predicted_mean_ms)}, and near"
        f" {cell.concurrency} x {cpu_ms:g} + {cell.service_ms - cpu_ms:g} = {together_ms:g} ms: as if all requests"
        " computed one after the other, and then all waited."
    )


def of_limits(cells: Sequence[Cell]) -> str:
    """Say for each variant how many times the throughput is with the highest CPU limit, compared with the lowest."""
    variants = dict.fromkeys((cell.variant, cell.concurrency) for cell in cells)
    told = []
    for variant, users_at_once in variants:
        there = [cell for cell in cells if (cell.variant, cell.concurrency) == (variant, users_at_once)]
        several = len({each[1] for each in variants}) > 1
        where = ", ".join(filter(None, [variant, numbers.users(users_at_once) if several else ""]))
        if said_of := _gains(there):
            told.append(f"{where}: {said_of}" if where else said_of)
    return f"{'; '.join(told)}." if told else ""


def _gains(cells: Sequence[Cell]) -> str:
    """Return a clause about cells that differ by their model and CPU limit alone."""
    low, high = min(cell.cpus for cell in cells), max(cell.cpus for cell in cells)
    rates = {(cell.model, cell.cpus): cell.steady_rps for cell in cells}
    gains = {
        model: (rates.get((model, high)) or 0.0) / lowest
        for model in dict.fromkeys(cell.model for cell in cells)
        if (lowest := rates.get((model, low))) and rates.get((model, high))
    }
    same = [model for model, gain in gains.items() if abs(gain - 1) < SAME]
    more = [f"{gain:.1f} times ({model})" for model, gain in gains.items() if abs(gain - 1) >= SAME]
    clauses = []
    if same:
        names = numbers.listed(same)
        clauses.append(f"the rates of {names} with {low:g} and with {high:g} CPU are less than {SAME:.0%} apart")
    if more:
        clauses.append(f"compared with {low:g} CPU, {high:g} CPU serves {numbers.listed(more)} as much")
    return ", and ".join(clauses)
