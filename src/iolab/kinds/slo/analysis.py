"""From the run folder of a search to the rate that each model sustains, compared with theory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iolab.kinds import recorded
from iolab.kinds.slo.plan import Found, Objective, by_theory, next_trial, tried
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import ModelInfo, RunInfo

UNFINISHED = "it was interrupted"


@dataclass(frozen=True)
class SloAnalysis:
    """The content of a report; models whose search has not begun are not in `found`."""

    run: RunInfo
    experiment: SloExperiment
    objective: Objective
    found: tuple[Found, ...]
    records: tuple[SloRecord, ...]


def analyse(folder: RunFolder) -> SloAnalysis:
    """Read a run folder and compute its results; raises UsageError if it cannot be read."""
    read = recorded.read(folder, SloExperiment, SloRecord)
    records, objective = read.trials, read.experiment.wanted
    begun = [model for model in read.run.models if any(record.model == model.letter for record in records)]
    found = tuple(_found(model, records, read.experiment) for model in begun)
    return SloAnalysis(read.run, read.experiment, objective, found, tuple(records))


def _found(model: ModelInfo, records: Sequence[SloRecord], experiment: SloExperiment) -> Found:
    own = [record for record in records if record.model == model.letter]
    trials = tuple(tried(record) for record in own if record.valid)
    calibration = own[0].calibration
    theory_rps = None
    if math.isfinite(model.workers):
        distribution = experiment.server.wait_distribution
        theory_rps = by_theory(experiment.wanted, calibration, model.workers, distribution)
    reason = next((str(record.reason) for record in own if not record.valid), "")
    if not reason and next_trial(model.letter, records, 0):
        reason = UNFINISHED
    return Found(model.letter, model.service, model.workers, trials, calibration, theory_rps, reason)
