"""Run folders of crowds, made up of figures like those that were measured: 10,000 users on one CPU."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from iolab.chat.entries import Entry, Form, Outcome, Transport
from iolab.kinds.crowd.records import Click, CrowdRecord, Obstacle
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, Holding, ServerUsage
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from tests import quiet

KIB, MIB = 1024, 2**20
PATIENCE_S, QUIET_S, BUSY_S = 10.0, 10.0, 20.0
MODELS = {
    "A": ("Blocking", "blocking", 1.0),
    "B": ("Thread pool", "threadpool", 8.0),
    "C": ("asyncio", "asyncio", math.inf),
    "D": ("Thread per connection", "threadperconnection", math.inf),
}


@dataclass(frozen=True)
class Kind:
    """What a model and transport is like: `room` for so many users, the rest meet the obstacle."""

    model: str
    transport: Transport
    room: int
    obstacle: Obstacle | None = "queue"
    evidence: str = ""
    rest: Outcome = "waiting"
    server_kib: float = 14.7
    kernel_kib: Mapping[str, float] = field(default_factory=lambda: {"sockets": 0.5, "slab": 9.0})
    threads_each: float = 0.0
    idle: float = 0.00004
    p50_ms: float = 0.2
    p99_ms: float = 1.2
    pause_s: float | None = 0.02
    form: Form = "usual"


D_KERNEL = {"sockets": 0.5, "slab": 9.0, "stacks": 16.0, "tables": 4.0}
A = Kind("A", "poll", 1, evidence="its only thread is in use, and all other users wait", pause_s=None)
B = Kind("B", "poll", 8, evidence="all its 8 threads are in use, and the other users wait", pause_s=None)
C = Kind("C", "websocket", 10**6)
C_POLL = Kind("C", "poll", 10**6, server_kib=12.9, idle=0.028, p50_ms=0.4, p99_ms=3.0)
LEAN = Kind("C", "websocket", 10**6, server_kib=1.7, form="lean")
D = Kind(
    "D", "poll", 21_700, "threads", 'the server printed "no new thread" with 21,701 threads: 65,500 of 65,530 memory maps', "refused", 29.5, D_KERNEL, 1.0,
    p50_ms=0.8, p99_ms=2.9, idle=0.003, pause_s=None,
)  # fmt: skip
ALL = (A, B, C, C_POLL, D)


def folder(results: Path, *, status: str = "complete", name: str = "crowd", **changes: Any) -> RunFolder:
    """Return a new run folder of a crowd without any level."""
    made = RunFolder.create(results, name)
    facts: dict[str, Any] = {
        "kind": "crowd",
        "experiment": {"schema": 2, "kind": "crowd", "name": name, "question": "How much memory do mostly idle users need?",
                       "crowd": {"users": [100, 1000, 10_000]}},
        "models": tuple(
            ModelInfo(letter=letter, title=title, service=service, workers=workers)
            for letter, (title, service, workers) in MODELS.items()
        ),
        "runtime": "docker", "runtime_reason": "a test", "generator": "crowd",
        "cpu_plans": (CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True),),
        "environment": {"kernel": "Linux 6.12"}, "trials_planned": 15,
        "started": datetime(2026, 11, 25, 14, 0, tzinfo=UTC), "status": status,
    }  # fmt: skip
    made.write_run(RunInfo.model_validate({**facts, **changes}))
    return made


def add(made: RunFolder, kind: Kind, users: int, **changes: Any) -> CrowdRecord:
    """Append a level of so many users; `changes` are of its line, after everything was made."""
    index = len(made.read_trials(CrowdRecord))
    title, service, workers = MODELS[kind.model]
    entries = _entries(kind, users)
    outcomes = [entry.outcome for entry in entries]
    held = outcomes.count("held")
    clicks = _clicks(kind, held)
    facts = {
        "index": index, "model": kind.model, "title": title, "service": service, "transport": kind.transport, "form": kind.form, "asked": users,
        "users": users, "cpus": 1.0, "processes": 1, "threads": 8 if kind.model == "B" else None,
        "started": datetime(2026, 11, 25, 14, 0, tzinfo=UTC) + timedelta(minutes=index), "duration_s": 45.0,
        "valid": True, "reason": None, "patience_s": PATIENCE_S, "held": held, "late": outcomes.count("late"),
        "waiting": outcomes.count("waiting"), "refused": outcomes.count("refused"), "lost": outcomes.count("lost"),
        "obstacle": None if held == users else kind.obstacle, "evidence": "" if held == users else kind.evidence,
        "quiet_s": QUIET_S, "busy_s": BUSY_S, "clicks_per_s": held / 50, "clicks": len(clicks),
        "answered": sum(click.answered_s is not None for click in clicks), **_holdings(kind, users, held, workers),
        "server": ServerUsage(cpu_s=1.3), "client": ClientUsage(cpu_s=2.0), "client_share": min(0.1 + users / 1e5, 0.7),
        "machine": quiet.machine(45.0, (1.5, 2.5), (0.05, 0.05), own_s=0.5),
        "rows": made.write_rows(index, users=entries, clicks=clicks),
    }  # fmt: skip
    record = CrowdRecord.model_validate({**facts, **changes})
    made.append(record)
    return record


def _entries(kind: Kind, users: int) -> list[Entry]:
    entries = []
    for user in range(users):
        start_s = user / 5000
        if user < kind.room:
            entries.append(Entry(user, start_s, start_s + 0.0003, start_s + 0.002 + user % 97 / 1e4, "held"))
        else:
            connected_s = None if kind.rest == "refused" else start_s + 0.0003
            served_s = start_s + PATIENCE_S + 1 if kind.rest == "late" else None
            entries.append(Entry(user, start_s, connected_s, served_s, kind.rest))
    return entries


def _clicks(kind: Kind, held: int) -> list[Click]:
    number = round(held / 50 * BUSY_S)
    waits_s = np.geomspace(kind.p50_ms**2 / kind.p99_ms, kind.p99_ms, max(number, 1)) / 1000
    order = np.random.default_rng(1).permutation(max(number, 1))[:number]
    return [
        Click(place, place * BUSY_S / number, place * BUSY_S / number + 1e-5, place * BUSY_S / number + waits_s[each])
        for place, each in enumerate(order)
    ]


def _holdings(kind: Kind, users: int, held: int, workers: float) -> dict[str, Holding]:
    """Return the four moments; whoever is not held has a connection in the kernel, unless they were refused."""
    connected = held if kind.rest == "refused" else users
    threads = 1 + (int(workers) if 1 < workers < math.inf else 0)
    base = {"virtual_bytes": 200 * MIB, "sockets_bytes": 0, "slab_bytes": 90 * MIB, "stacks_bytes": 3 * MIB}

    def holding(cpu_s: float, present: int, open_to: int, switches: int) -> Holding:
        kernel = {f"{name}_bytes": int(base.get(f"{name}_bytes", 9 * MIB) + kib * KIB * open_to)
                  for name, kib in {"stacks": 0.0, "tables": 0.0, **kind.kernel_kib}.items()}  # fmt: skip
        return Holding(
            cpu_s=cpu_s,
            rss_bytes=int(22 * MIB + kind.server_kib * KIB * present),
            virtual_bytes=int(base["virtual_bytes"] + (8 * MIB * kind.threads_each + 20 * KIB) * present),
            threads=threads + int(kind.threads_each * present),
            context_switches=switches,
            **kernel,
            collector_pause_s=kind.pause_s,
        )

    return {
        "empty": holding(0.2, 0, 0, 100),
        "quiet": holding(1.0, held, connected, 2000),
        "quiet_end": holding(1.0 + kind.idle * QUIET_S, held, connected, 2050),
        "busy": holding(1.5 + kind.idle * QUIET_S, held, connected, 6050),
    }


def run(results: Path, levels: Iterable[int] = (100, 1000), kinds: Iterable[Kind] = ALL, **changes: Any) -> RunFolder:
    """Return a whole run: every kind at every level."""
    made = folder(results, **changes)
    for kind in kinds:
        for users in levels:
            add(made, kind, users)
    return made
