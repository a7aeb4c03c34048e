"""One freeze of a server as two ways of measuring see it; for reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iolab.kinds import recorded
from iolab.kinds.freeze.records import FreezeRecord, Name
from iolab.kinds.freeze.settings import FreezeExperiment
from iolab.report import doubts, numbers
from iolab.report.summary import rounded
from iolab.results.folder import RunFolder
from iolab.results.run_info import RunInfo
from iolab.results.samples import Sample
from iolab.theory.statistics import Array, percentile

PERCENTILES = (0.5, 0.9, 0.95, 0.99)
LATE_S = 0.1


@dataclass(frozen=True)
class Standstill:
    """The freeze as one way of measuring sees it: samples, and response times in ms (None: too few requests)."""

    name: Name
    samples: Sequence[Sample]

    @property
    def latencies_s(self) -> Array:
        """The response times of all answered requests."""
        return np.array([one.latency_s for one in self.samples if one.status == 200 and one.latency_s is not None])

    def percentiles_ms(self) -> dict[str, float | None]:
        """Return the percentiles, and the slowest."""
        values = self.latencies_s
        found = {f"p{share * 100:g}": percentile(values, share) for share in PERCENTILES}
        found["slowest"] = float(values.max()) if len(values) else None
        return {name: None if value is None else round(value * 1000, 3) for name, value in found.items()}

    def late(self, limit_s: float = LATE_S) -> float | None:
        """Return the share of the answered requests that took longer than that; None if none was answered."""
        values = self.latencies_s
        return float((values > limit_s).mean()) if len(values) else None

    def late_before(self, moment_s: float, limit_s: float = LATE_S) -> float:
        """Return the share of the requests answered before a moment that took longer than that; 0 without any."""
        early = [
            one.latency_s
            for one in self.samples
            if one.status == 200 and one.latency_s is not None and (one.start_s or 0.0) + one.latency_s < moment_s
        ]
        return sum(each > limit_s for each in early) / len(early) if early else 0.0


def percent(share: float | None) -> str:
    """Return a share of requests as a report has it."""
    return numbers.NOT_KNOWN if share is None else f"{share:.1%}"


@dataclass(frozen=True)
class Analysis:
    """The content of a report; `standstills` are those of valid trials."""

    run: RunInfo
    experiment: FreezeExperiment
    records: Sequence[FreezeRecord]
    standstills: Sequence[Standstill]
    cells: Sequence[dict[str, Any]]


def analyse(folder: RunFolder) -> Analysis:
    """Read a run folder, and compute the content of its reports; raises UsageError if it cannot be read."""
    read = recorded.read(folder, FreezeExperiment, FreezeRecord)
    run, experiment = read.run, read.experiment
    records = sorted(read.trials, key=lambda record: record.index)
    found = [(each, Standstill(each.name, folder.rows_of(each, "requests", Sample))) for each in records]
    return Analysis(
        run=run,
        experiment=experiment,
        records=records,
        standstills=[standstill for record, standstill in found if record.valid],
        cells=[_cell(run, experiment, record, standstill) for record, standstill in found],
    )


def _cell(run: RunInfo, experiment: FreezeExperiment, record: FreezeRecord, standstill: Standstill) -> dict[str, Any]:
    return {
        "name": record.name,
        "model": run.models[0].letter,
        "service": run.models[0].service,
        "concurrency": experiment.concurrency[0],
        "cpus": experiment.cpus[0],
        "valid": record.valid,
        "reason": record.reason,
        "requests": len(standstill.samples),
        **standstill.percentiles_ms(),
        "later_than_100_ms": rounded(standstill.late(), 6),
        "findings": [finding.model_dump() for finding in doubts.of_record(run, record, experiment.cpus[0])],
    }
