"""From the run folder of a faults run to the content of its reports."""

import json
from dataclasses import dataclass
from typing import Any

from iolab.kinds import recorded
from iolab.kinds.faults.findings import findings
from iolab.kinds.faults.records import FaultRecord
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import Finding
from iolab.results.run_info import RunInfo


@dataclass(frozen=True)
class FaultsAnalysis:
    """A faults run: its `records` in their order; rows for curves are read from `folder`."""

    run: RunInfo
    experiment: FaultsExperiment
    folder: RunFolder
    records: tuple[FaultRecord, ...]

    @property
    def asked(self) -> int:
        """How many users the experiment wants."""
        return self.experiment.crowd.users[0]

    def findings(self, record: FaultRecord) -> tuple[Finding, ...]:
        """Return the findings of one of its faults."""
        return findings(record, self.run)


def analyse(folder: RunFolder) -> FaultsAnalysis:
    """Read the run folder of a faults run; raises UsageError if it is damaged."""
    found = recorded.read(folder, FaultsExperiment, FaultRecord)
    records = tuple(sorted(found.trials, key=lambda record: record.index))
    return FaultsAnalysis(found.run, found.experiment, folder, records)


def objects(analysis: FaultsAnalysis) -> list[dict[str, Any]]:
    """Return an object for each fault, for summary.json; None was not measured, "Infinity" never ended."""
    return [_cell(record, analysis) for record in analysis.records]


def _cell(record: FaultRecord, analysis: FaultsAnalysis) -> dict[str, Any]:
    facts = json.loads(record.model_dump_json(exclude={"rows", "started"}))
    findings_ = [finding.model_dump() for finding in analysis.findings(record)]
    return {**facts, "acknowledged_clicks_safe": record.acknowledged_clicks_safe, "findings": findings_}
