"""From the run folder of a crowd experiment to its cells, one for each model, transport and number of users."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from iolab.chat.entries import FORMS, Entry
from iolab.errors import UsageError
from iolab.kinds import recorded
from iolab.kinds.crowd.cells import CrowdCell, Line, cell
from iolab.kinds.crowd.findings import findings
from iolab.kinds.crowd.records import Click, CrowdRecord
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.results.folder import RunFolder
from iolab.results.rows import Row
from iolab.results.run_info import RunInfo

Read = recorded.Recorded[CrowdExperiment, CrowdRecord]
Pick = Callable[[Sequence[CrowdRecord]], Sequence[CrowdRecord]]


@dataclass(frozen=True)
class CrowdAnalysis:
    """The content of a crowd report; cells by model, transport and users. `folder` is the run folder's name."""

    run: RunInfo
    experiment: CrowdExperiment
    folder: str
    cells: tuple[CrowdCell, ...]

    @property
    def lines(self) -> list[list[CrowdCell]]:
        """The cells of each model and transport, by increasing users."""
        found: dict[Line, list[CrowdCell]] = {}
        for each in self.cells:
            found.setdefault(each.line, []).append(each)
        return list(found.values())

    @property
    def workers(self) -> dict[str, float]:
        """How many requests each model serves at once, by letter."""
        return {model.letter: model.workers for model in self.run.models}


def analyse(folder: RunFolder, pick: Pick = lambda records: records) -> CrowdAnalysis:
    """Read a run folder and compute the cells that `pick` selects; raises UsageError if it is damaged."""
    found = recorded.read(folder, CrowdExperiment, CrowdRecord)
    order = list(found.models)
    picked = sorted(
        pick(found.trials),
        key=lambda each: (
            order.index(each.model),
            each.transport != "websocket",
            list(FORMS).index(each.form),
            each.users,
            each.asked,
        ),
    )
    cells = tuple(_cell(folder, found.run, record) for record in picked)
    return CrowdAnalysis(found.run, found.experiment, folder.path.name, cells)


def _cell(folder: RunFolder, run: RunInfo, record: CrowdRecord) -> CrowdCell:
    found = cell(
        record,
        _rows(folder, record, "users", Entry, record.users),
        _rows(folder, record, "clicks", Click, record.clicks),
    )
    return replace(found, findings=findings(found, run))


def _rows(folder: RunFolder, record: CrowdRecord, kind: str, row: type[Row], expected: int) -> list[Row]:
    return folder.rows_of(record, kind, row, expected) if kind in record.rows else []


def nearest(users: int) -> Pick:
    """Return a function that picks, for each model and transport, the valid trial nearest to `users`, by ratio.

    It takes the usual chat servers: other forms show what an implementation costs, not a model.
    """

    def pick(records: Sequence[CrowdRecord]) -> list[CrowdRecord]:
        best: dict[tuple[str, str], CrowdRecord] = {}
        for record in records:
            key = (record.model, record.transport)
            usual = record.form == "usual"
            if usual and record.valid and record.users and (key not in best or distance(record) < distance(best[key])):
                best[key] = record
        return list(best.values())

    def distance(record: CrowdRecord) -> float:
        return abs(math.log(record.users / users))

    return pick


def newest(results: Path, users: int) -> CrowdAnalysis | None:
    """Return the newest complete crowd run in `results`, with the cells nearest to `users`; None if there is none.

    Other runs and damaged folders are skipped: the result is only an addition to the report of another run.
    """
    for path in sorted(results.glob("*/run.json"), reverse=True):
        folder = RunFolder(path.parent)
        try:
            run = folder.read_run()
            if path.parent.is_symlink() or (run.kind, run.status) != ("crowd", "complete"):
                continue
            analysis = analyse(folder, nearest(users))
        except (UsageError, OSError):
            continue
        if analysis.cells:
            return analysis
    return None


def objects(analysis: CrowdAnalysis) -> list[dict[str, Any]]:
    """Return an object for each cell, for summary.json; None was not measured, "Infinity" never ended."""
    return [dict(_facts(each)) for each in analysis.cells]


def _facts(each: CrowdCell) -> Iterator[tuple[str, Any]]:
    record = each.record
    yield from record.model_dump(mode="json", exclude={"title", "rows", "started"}).items()
    yield "held_share", each.held_share
    yield "answered_within_patience", each.prompt
    yield "users_per_s", each.rate
    for name, times in (("established", each.established), ("click", each.clicks)):
        for key in ("p50_s", "p99_s", "max_s"):
            yield f"{name}_{key.removesuffix('_s')}_ms", _ms(getattr(times, key))
    yield "server_bytes_per_user", each.server_bytes
    yield "virtual_bytes_per_user", each.virtual_bytes
    yield "kernel_bytes_per_connection", {**asdict(each.kernel), "total": each.kernel.total}
    yield "idle_share", each.idle_share
    yield "context_switches_per_s", {"quiet": each.quiet_switches, "busy": each.busy_switches}
    yield "client_late_p99_ms", _ms(each.late_p99_s)
    yield "collector_pause_s", each.pause_s
    yield "findings", [finding.model_dump() for finding in each.findings]


def _ms(value_s: float | None) -> float | str | None:
    return None if value_s is None else "Infinity" if math.isinf(value_s) else round(value_s * 1000, 3)
