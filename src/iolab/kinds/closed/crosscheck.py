"""The same cells measured by several load generators: whether medians agree within 2%, and if not, why."""

import re
import resource
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from iolab.errors import LoadFailed
from iolab.findings import by_gravity, generator, machine
from iolab.findings.generator import share_of_a_core
from iolab.host.activity import watching
from iolab.host.cores import CpuPlan, affinity
from iolab.host.processes import run
from iolab.kinds.closed.cells import Analysis
from iolab.lab import Model
from iolab.results.records import ClientUsage, Finding, TrialRecord
from iolab.runtime import Runtime, Server, plan_info
from iolab.runtime.usage import metering

AGREE = 0.02
WRK_S = 3
LEAST_LEFT_MS = 0.05  # half of the resolution of hey
_MEDIAN = re.compile(r"^\s*50%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_FACTORS = {"us": 1e-3, "ms": 1.0, "s": 1e3}

CellName = tuple[str, int]


@dataclass(frozen=True)
class Told:
    """The result of one load generator for a cell: the median in ms, its own CPU time a request in ms, and findings."""

    median_ms: float
    client_ms: float | None
    findings: tuple[Finding, ...] = ()


def of_run(analysis: Analysis) -> dict[CellName, Told]:
    """Return the result of a run's load generator for each cell that has one."""
    told = {}
    for each in analysis.cells:
        cell = each.cell
        if cell.median_ms:
            client_ms = cell.client.cpu_s / cell.counted * 1000 if cell.client.cpu_s and cell.counted else None
            told[cell.model, cell.concurrency] = Told(cell.median_ms, client_ms, cell.findings)
    return told


def by_wrk(
    runtime: Runtime, models: Sequence[Model], concurrency: Sequence[int], plan: CpuPlan, repeats: int
) -> dict[CellName, Told]:
    """Return the result of wrk for each cell; nothing where it is not installed. Raises LoadFailed where it fails."""
    if shutil.which("wrk") is None:
        return {}
    told = {}
    with runtime:
        for model in models:
            for users in concurrency:
                with runtime.serve(model, plan) as server, affinity(plan.loadgen):
                    tries = [_tried(server, users, repeat) for repeat in range(repeats)]
                clients = [each.client_ms for each, _ in tries if each.client_ms is not None]
                trials = [trial for _, trial in tries]
                of_wrk = generator.on(len(plan.loadgen), trials)
                of_machine = machine.on(plan_info(plan, pinned=runtime.pinned), runtime.name, trials)
                told[model.letter, users] = Told(
                    statistics.median(each.median_ms for each, _ in tries),
                    statistics.mean(clients) if clients else None,
                    by_gravity([*of_wrk, *of_machine]),
                )
    return told


def _tried(server: Server, users: int, repeat: int) -> tuple[Told, TrialRecord]:
    """Run wrk once; return its result, and what server, client and machine did meanwhile."""
    started, began = datetime.now(UTC), time.monotonic()
    with metering(server) as meter, watching() as watch:
        one, cpu_s = wrk(server.url, users)
    used = watch.usage()
    trial = TrialRecord(
        index=repeat,
        repeat=repeat,
        started=started,
        duration_s=time.monotonic() - began,
        valid=True,
        reason=None,
        server=meter.usage(),
        client=ClientUsage(cpu_s=cpu_s, busiest_share=share_of_a_core(cpu_s, used.span_s)),  # wrk has one thread
        machine=used,
    )
    return one, trial


def wrk(url: str, users: int) -> tuple[Told, float]:
    """Run wrk for WRK_S seconds; return its median, and its CPU time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["wrk", "--threads", "1", "--connections", str(users), "--duration", f"{WRK_S}s", "--latency", url]
    done = run(command, timeout_s=WRK_S + 30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    median, requests = _MEDIAN.search(done.stdout), _REQUESTS.search(done.stdout)
    if done.status != 0 or median is None or requests is None:
        raise LoadFailed(f"wrk failed: {(done.stderr or done.stdout).strip()[-200:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Told(float(median[1]) * _FACTORS[median[2]], cpu_s / max(1, int(requests[1])) * 1000), cpu_s


def verdict(told: Mapping[str, Told]) -> str:
    """Return whether the load generators agree on a cell, and if not, what may explain it."""
    if len(told) < 2:
        return "nothing to compare with"
    low = min(told, key=lambda name: told[name].median_ms)
    high = max(told, key=lambda name: told[name].median_ms)
    apart = told[high].median_ms / told[low].median_ms - 1
    if apart <= AGREE:
        return f"agree within {AGREE:.0%} ({apart:.1%})"
    more = f"{high} measures {told[high].median_ms - told[low].median_ms:.2f} ms ({apart:.1%}) more than {low}"
    clients = told[high].client_ms, told[low].client_ms
    if None in clients:
        return f"{more}; their own CPU time is not known"
    heavy, light = clients[0] or 0.0, clients[1] or 0.0
    uses = f"{heavy:.2f} ms of CPU time a request, {low} {light:.2f} ms"
    if heavy <= light:
        return f"{more}, though it does not use more CPU time ({uses}): why is not known"
    own_ms = heavy - light
    left_ms = told[high].median_ms - told[low].median_ms - own_ms
    if left_ms < LEAST_LEFT_MS:
        return f"{more}. It uses {uses}: {own_ms:.2f} ms more, enough to explain it"
    explained = f"that explains {own_ms:.2f} ms at most"
    return f"{more}. It uses {uses}: {explained}, and the reason for the other {left_ms:.2f} ms is not known"
