"""Made-up faults: a run folder with a record of each, and its rows."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iolab.chat.entries import Entry
from iolab.kinds import registry
from iolab.kinds.faults.records import (
    Baseline,
    Broadcast,
    Clicks,
    Delivery,
    Disconnection,
    Fault,
    FaultRecord,
    Figures,
    HalfOpen,
    Herd,
    Killed,
    SlowReaders,
    Vanished,
)
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.results.folder import RunFolder
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from tests import quiet

PATH = Path(__file__).parents[1] / "experiments" / "faults.toml"
FIGURES: dict[Fault, Figures] = {
    "baseline": Baseline(),
    "broadcast": Broadcast(messages=3, reached=1000, first_s=0.002, median_s=0.02, last_s=0.04, slowest_s=0.09),
    "slow": SlowReaders(
        stuck=10, chars=4000, messages=15, cut=10, cut_s=1.5, before_s=0.05, last_s=0.06, slowest_s=0.08, others_lost=0,
        rss_growth_bytes=2**20, sockets_growth_bytes=None,
    ),
    "vanished": Vanished(vanished=100, stated_s=15, first_s=4.0, noticed_s=6.1, freed_s=6.2, left=0),
    "half_open": HalfOpen(
        sent=5000, kept=4097, cookies=903, drops=0, newcomers=200, served_before=200, before_median_s=0.001,
        before_last_s=0.02, served=199, median_s=0.002, last_s=0.03,
    ),
    "killed": Killed(detected=1000, first_s=0.01, median_s=0.02, last_s=0.03),
    "herd": Herd(
        start_s=0.5, reconnecting=1000, served=1000, median_s=0.3, last_s=1.2, tries=1040, refused=40, overflows=7, drops=7
    ),
}  # fmt: skip
CPUS = CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True)
CLICKS = Clicks(sent=400, answered=399, p50_s=0.001, p99_s=0.004, slowest_s=0.02, lost=0, unrecorded=0)


def figures(fault: Fault, shares: Sequence[int]) -> Figures:
    """Return the figures of a fault with fewer users than FIGURES has."""
    found, users = FIGURES[fault], sum(shares)
    names = (
        "reached",
        "stuck",
        "cut",
        "vanished",
        "detected",
        "reconnecting",
        *(["served"] if fault == "herd" else []),
    )
    few = {name: min(value, users) for name in names if (value := getattr(found, name, None)) is not None}
    return found.model_copy(update=few)


def record(fault: Fault, **changes: Any) -> FaultRecord:
    """Return a record of a fault."""
    facts: dict[str, Any] = {
        "index": list(FIGURES).index(fault), "model": "C", "title": "asyncio", "service": "asyncio", "transport": "websocket",
        "asked": 1000, "allowed": 1000, "cpus": 1.0, "fault": fault, "users": 1000, "back": 1000, "duration_s": 8.0,
        "started": datetime(2026, 11, 25, tzinfo=UTC), "valid": True, "reason": None, "figures": FIGURES[fault], "clicks": CLICKS,
        "server": quiet.SERVER, "client": quiet.CLIENT, "machine": quiet.machine(8.0),
    }  # fmt: skip
    return FaultRecord.model_validate({**facts, **changes})


def run(folder: RunFolder, *, records: Sequence[FaultRecord] | None = None, **changes: Any) -> RunFolder:
    """Write a run into a folder: `records`, or all, with the rows of those faults that have a curve."""
    deliveries = [Delivery(message, user, 0.001 * user * message) for message in (1, 2, 3) for user in range(100)]
    disconnections = [Disconnection(user, 0.01 + 0.0001 * user) for user in range(100)]
    herd = [Entry(user, 0.0, 0.01, 0.1 + 0.01 * user, "held") for user in range(100)]
    rows = {
        "broadcast": folder.write_rows(1, deliveries=deliveries),
        "killed": folder.write_rows(5, disconnections=disconnections),
        "herd": folder.write_rows(6, users=herd),
    }
    facts: dict[str, Any] = {
        "kind": "faults", "experiment": registry.read(PATH, {}, FaultsExperiment).model_dump(mode="json", by_alias=True),
        "models": (ModelInfo(letter="C", title="asyncio", service="asyncio", workers=math.inf),),
        "runtime": "docker", "runtime_reason": "a test", "generator": "crowd", "cpu_plans": (CPUS,), "environment": {},
        "trials_planned": 7, "started": datetime(2026, 11, 25, tzinfo=UTC), "status": "complete",
    }  # fmt: skip
    folder.write_run(RunInfo.model_validate({**facts, **changes}))
    for each in [record(fault, rows=rows.get(fault, {})) for fault in FIGURES] if records is None else records:
        folder.append(each)
    return folder


def folder(results: Path) -> RunFolder:
    """Return a new run folder."""
    return RunFolder.create(results, "faults")
