"""Made-up faults: a run folder with a record of each, and its rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iolab.kinds.crowd.records import Entry
from iolab.kinds.faults.records import (
    Broadcast,
    Calm,
    Clicks,
    Fault,
    FaultRecord,
    FaultsRun,
    Figures,
    HalfOpen,
    Heard,
    Herd,
    Killed,
    Parting,
    SlowReaders,
    Vanished,
)
from iolab.results.folder import RunFolder

FIGURES: dict[Fault, Figures] = {
    "calm": Calm(),
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
    "killed": Killed(know=1000, first_s=0.01, median_s=0.02, last_s=0.03),
    "herd": Herd(
        start_s=0.5, came=1000, served=1000, median_s=0.3, last_s=1.2, tries=1040, refused=40, overflows=7, drops=7
    ),
}  # fmt: skip
CLICKS = Clicks(sent=400, answered=399, p50_s=0.001, p99_s=0.004, slowest_s=0.02, lost=0, unrecorded=0)


def record(fault: Fault, **changes: Any) -> FaultRecord:
    """Return a record of a fault."""
    facts: dict[str, Any] = {
        "index": list(FIGURES).index(fault), "fault": fault, "users": 1000, "back": 1000, "duration_s": 8.0,
        "started": datetime(2026, 11, 25, tzinfo=UTC), "valid": True, "figures": FIGURES[fault], "clicks": CLICKS,
    }  # fmt: skip
    return FaultRecord.model_validate({**facts, **changes})


def run(folder: RunFolder, **changes: Any) -> FaultsRun:
    """Write a whole run, with the rows of those faults that have a curve."""
    heard = [Heard(message, user, 0.001 * user * message) for message in (1, 2, 3) for user in range(100)]
    partings = [Parting(user, 0.01 + 0.0001 * user) for user in range(100)]
    herd = [Entry(user, 0.0, 0.01, 0.1 + 0.01 * user, "held") for user in range(100)]
    rows = {
        "broadcast": folder.write_rows(1, users=heard),
        "killed": folder.write_rows(5, users=partings),
        "herd": folder.write_rows(6, users=herd),
    }
    facts: dict[str, Any] = {
        "status": "complete", "model": "C", "title": "asyncio", "service": "asyncio", "way": "websocket",
        "runtime": "docker", "runtime_reason": "a test", "cpus": 1.0, "asked": 1000, "users": 1000, "capped": "",
        "dead_after_s": 15, "hold_s": 20, "click_rps": 50, "environment": {},
        "started": datetime(2026, 11, 25, tzinfo=UTC),
        "faults": [record(fault, rows=rows.get(fault, {})) for fault in FIGURES],
    }  # fmt: skip
    made = FaultsRun.model_validate({**facts, **changes})
    folder.write("faults.json", made.model_dump_json(by_alias=True))
    return made


def folder(results: Path) -> RunFolder:
    """Return a new run folder."""
    return RunFolder.create(results, "faults", newest=False)
