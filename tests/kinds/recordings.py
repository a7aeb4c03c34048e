"""A run folder of each kind of experiment, as small as can be: what reports make of it needs no measurement."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from iolab import experiment_file
from iolab.kinds import registry
from iolab.kinds.arrival_records import Calibration
from iolab.results.folder import RunFolder
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from iolab.results.samples import OpenSample, Pair, Sample
from tests import crowds, quiet
from tests import faults as made_up
from tests.conftest import RECORDED, ROOT

CPUS = CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True)
REQUESTS = [Sample(number * 0.02, 0.02, 200) for number in range(100)]
ARRIVALS = [OpenSample(number * 0.05, number * 0.05, number * 0.05 + 0.02, 200, 0.02) for number in range(80)]
PAIRS = [Pair(board, move, 0.06 * move, 0.06 * (move + 1), 0.06, 200) for board in (0, 1) for move in (0, 1)]
LOAD = {
    "model": "A", "service": "blocking", "cpus": 1.0, "requested": 80, "sent": 80, "ok": 80, "errors": 0,
    "process": "poisson", "rate_rps": 20.0, "plan_s": 4.0, "seed": 1, "utilisation": 0.4,
    "calibration": Calibration(service_s=0.02, overhead_s=0.0, transit_s=0.0),
}  # fmt: skip
BREAK = experiment_file.document(ROOT / "experiments" / "break.toml")
KINDS = ("closed", "open", "slo", "crowd", "faults", "freeze", "break", "chess")


def one_cell(folder: Path) -> Path:
    """Copy the recorded benchmark to this folder, of which one cell is kept: for tests that do not read what it says."""
    shutil.copytree(RECORDED, folder, ignore=shutil.ignore_patterns("report.*", "summary.json", "export"))
    lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if (json.loads(line)["model"], json.loads(line)["concurrency"]) == ("C", 16)]
    assert kept
    (folder / "trials.jsonl").write_text("".join(kept))
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "trials_planned": len(kept)}))
    return folder


def written(results: Path, kind: str, facts: dict[str, Any], rows: dict[str, Sequence[NamedTuple]]) -> RunFolder:
    """Return a run of one trial of the kind's own experiment."""
    of_kind, name = registry.kind(kind), {"open": "queue", "closed": "bench"}.get(kind, kind)
    changes = {"chess": {"models": ["A"], "concurrency": [2], "chess": {"moves": 2}}}.get(kind, {})
    settings = experiment_file.parsed(ROOT / "experiments" / f"{name}.toml", changes, of_kind.settings)
    folder = RunFolder.create(results, name)
    service = facts.get("service", "broken")
    folder.write_run(
        RunInfo(
            kind=kind, experiment=settings.model_dump(mode="json", by_alias=True), runtime="local", environment={},
            models=(ModelInfo(letter="A", title="Blocking", service=service, workers=1),), runtime_reason="a test",
            generator="locust", cpu_plans=(CPUS.model_copy(update={"cpus": settings.cpus[0]}),), trials_planned=1, started=datetime.now(UTC), status="complete",
        )
    )  # fmt: skip
    used = {"server": quiet.SERVER, "client": quiet.CLIENT, "machine": quiet.machine()}
    envelope = {"index": 0, "started": datetime.now(UTC), "duration_s": 4.0, "valid": True, "reason": None, **used}
    folder.append(of_kind.record.model_validate({**envelope, **facts, "rows": folder.write_rows(0, **rows)}))
    return folder


def recording(kind: str, results: Path) -> RunFolder:
    """Return a run of that kind in a folder of its own under `results`."""
    if kind == "closed":
        shutil.copytree(RECORDED, results / "run")
        return RunFolder.open(results / "run")
    if kind == "crowd":
        return crowds.run(results, (100,), (crowds.C,))
    if kind == "faults":
        return made_up.run(made_up.folder(results))
    facts: dict[str, dict[str, Any]] = {
        "open": {**LOAD, "variant": "constant", "planned_utilisation": 0.4, "utilisation_of": "A"},
        "slo": {
            **LOAD,
            "objective": "p99<100ms",
            "lead_s": 0.0,
            "value_s": 0.02,
            "low_s": 0.02,
            "high_s": 0.02,
            "counted": 80,
            "independent": 80,
            "open": False,
            "unanswered": 0,
            "late_p99_s": 0.0,
            "highest_rps": 20_000.0,
        },
        "freeze": {"name": "planned"},
        "break": {"strategy": BREAK["broken"]["strategies"][0]},
        "chess": {"model": "A", "service": "blocking"},
    }
    rows: dict[str, dict[str, Sequence[NamedTuple]]] = {
        "freeze": {"requests": REQUESTS},
        "break": {"requests": REQUESTS, "bystander": REQUESTS},
        "chess": {"pairs": PAIRS},
    }
    return written(results, kind, facts[kind], rows.get(kind, {"requests": ARRIVALS}))
