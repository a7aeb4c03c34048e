"""The parts of a cell's median: the wait, computing, the queue, clocks, and what is left."""

import math
import re
from dataclasses import dataclass

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.words import STEP_MS
from iolab.results.run_info import ModelInfo

CLOCK_MS = 0.5  # an event loop rounds a timer up to the millisecond in which epoll counts: half of one on average


@dataclass(frozen=True)
class Part:
    """A part of the median in ms, what it is, and how that is known."""

    ms: float
    what: str
    known: str


def find(analysis: Analysis, name: str, cpus: float | None = None, variant: str | None = None) -> AnalysedCell:
    """Return the cell that `name` means, such as C16, "C 16" or "C@16".

    Where CPUs or settings vary, `cpus` and `variant` select one. Raises UsageError, with the cells of the run, where
    no cell or more than one is meant.
    """
    match = re.fullmatch(r"\s*([A-Za-z]+)\D*?(\d+)\s*", name, re.ASCII)
    key = (match[1].upper(), int(match[2])) if match else None
    named = [each for each in analysis.cells if (each.cell.model, each.cell.concurrency) == key]
    found = [each for each in named if cpus in (None, each.cell.cpus) and variant in (None, each.cell.variant)]
    if len(found) == 1:
        return found[0]
    if named:
        limits = dict.fromkeys(f"{each.cell.cpus:g}" for each in named)
        variants = dict.fromkeys(each.cell.variant for each in named if each.cell.variant)
        ways = [f"CPUS={'|'.join(limits)}"] if len(limits) > 1 else []
        ways += [f'VARIANT="{"|".join(variants)}"'] if len(variants) > 1 else []
        number = len(found) or "none of that kind"
        raise UsageError(f"CELL={name}: this run has {number}; say which with {' and '.join(ways) or 'its name alone'}")
    if not analysis.cells:
        raise UsageError(f"CELL={name}: this run has no cell: no trial of it has ended")
    there = ", ".join(dict.fromkeys(f"{each.cell.model}{each.cell.concurrency}" for each in analysis.cells))
    raise UsageError(f"CELL={name}: this run has {there}")


def budget(analysis: Analysis, each: AnalysedCell) -> list[Part]:
    """Return the parts that the median is made of; they add up to it. Raises UsageError where there is no median."""
    cell = each.cell
    if cell.median_ms is None:
        raise UsageError(f"{cell.model} with {cell.concurrency} users has no result: see its findings")
    settings = analysis.experiment.settings(cell.variant)
    model = next(model for model in analysis.run.models if model.letter == cell.model)
    workers = model.workers
    if cell.service_ms is None or cell.predicted_mean_ms is None:
        return _from_outside(cell, cell.median_ms)
    wait = "as given (WAIT_MS), not measured" if analysis.experiment.running else "setting (WAIT_MS)"
    parts = [Part(settings.wait_ms, "the wait", wait)]
    if settings.cpu_ms:
        parts.append(Part(settings.cpu_ms, "the computing", "setting (CPU_MS)"))
    queue_ms = (cell.predicted_median_ms or cell.predicted_mean_ms) - cell.service_ms
    if cell.short_queue and queue_ms > 0:
        known = f"theory: {(cell.backlog or 0) + 2} users circulate behind a listen backlog of {cell.backlog}"
        parts.append(Part(queue_ms, "the queue", known))
    elif cell.server.listen_overflows and cell.median_ms < cell.predicted_mean_ms:
        queue_ms = max(0.0, math.floor(cell.median_ms / cell.service_ms) - 1) * cell.service_ms
        parts.append(Part(queue_ms, "the queue", "whole service times in the median; other attempts were dropped"))
    elif queue_ms > 0:
        known = f"theory: {cell.concurrency} users, {_at_once(cell, model, settings, analysis.run.at_once(model))}"
        parts.append(Part(queue_ms, "the queue", known))
    own_ms = _a_request_ms(cell.server.cpu_s, cell) - settings.cpu_ms
    turns = cell.median_ms / cell.service_ms if workers == 1 else 1.0
    if own_ms > 0:
        one_by_one = f", times {turns:.1f} requests one after the other" if turns > 1.5 else ""
        parts.append(Part(own_ms * turns, "the server's own work", f"its CPU time a request{one_by_one}"))
    client_ms = _a_request_ms(cell.client.cpu_s, cell)
    if client_ms > 0:
        parts.append(Part(client_ms, "the load generator's own work", "its CPU time a request"))
    if math.isinf(workers) and cell.server.threads_peak == 1:
        clock_ms = max(0.0, min(CLOCK_MS, cell.median_ms - sum(part.ms for part in parts)))
        known = "assumed, not measured: epoll counts in ms, and an event loop rounds up, by 0.5 ms on average"
        parts.append(Part(clock_ms, "the event loop's clock", known))
    left_ms = cell.median_ms - sum(part.ms for part in parts)
    return [*parts, Part(left_ms, "what is left", _left(analysis, settings, left_ms))]


def _left(analysis: Analysis, settings: ServerSettings, left_ms: float) -> str:
    """Return what the rest of a median may be."""
    if settings.wait_distribution != "constant":
        return "service times are random: the parts above are means, not medians"
    if left_ms < 0:
        return "the parts are means, or overlap: together they are more than the median"
    own = "the server's own work, which is not known, " if analysis.experiment.running else ""
    return f"{own}scheduling, TCP, timers that fire late"


def _from_outside(cell: Cell, median_ms: float) -> list[Part]:
    """Return the parts for a server of which neither the wait nor the workers are known."""
    client_ms = _a_request_ms(cell.client.cpu_s, cell)
    own = [Part(client_ms, "the load generator's own work", "its CPU time a request")] if client_ms > 0 else []
    rest = "wait, queue and work of the server, and TCP: what each takes is not known (give WORKERS and WAIT_MS)"
    return [*own, Part(median_ms - client_ms, "what is left", rest)]


def _at_once(cell: Cell, model: ModelInfo, settings: ServerSettings, threads: float) -> str:
    """Return what requests queue for: a worker, a connection, or the CPU, on which `threads` compute at once."""
    predicted_ms, users = cell.predicted_mean_ms or math.nan, cell.concurrency
    by_workers_ms = max(1.0, users / model.workers) * (cell.service_ms or math.nan)
    by_connections_ms = users * settings.wait_ms / settings.connections
    if by_connections_ms > by_workers_ms and by_connections_ms >= predicted_ms - STEP_MS:
        return f"{settings.downstream} of which have a connection to the downstream service"
    by_cores_ms = users * settings.cpu_ms / min(threads, cell.cpus)
    if by_cores_ms > by_workers_ms + STEP_MS and by_cores_ms >= predicted_ms - STEP_MS:
        limit = f", with {cell.cpus:g} CPU" if cell.cpus < threads else ""
        if threads == 1:
            return f"one computes at a time{limit}"
        return f"{'any number' if math.isinf(threads) else f'{threads:g}'} can compute at a time{limit}"
    if model.queues(reuseport=settings.reuseport) > 1:
        return f"{model.workers:g} served at once, each worker from an accept queue of its own"
    return f"{model.workers:g} served at once"


def _a_request_ms(cpu_s: float | None, cell: Cell) -> float:
    return cpu_s / cell.counted * 1000 if cpu_s and cell.counted else 0.0
