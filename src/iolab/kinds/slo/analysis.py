"""From the run folder of a search to the bracket of each model, compared with theory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iolab.kinds import recorded
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.plan import most_rps, next_trial
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.search import Bracket, bracket
from iolab.kinds.slo.settings import SloExperiment
from iolab.kinds.slo.steps import TriedRate, tried
from iolab.results.folder import RunFolder
from iolab.results.run_info import ModelInfo, RunInfo

INTERRUPTED, RUNNING = "it was interrupted", "the run has not ended"


@dataclass(frozen=True)
class Found:
    """The result of a model's search: its rates in the order in which they were tried, and the bracket.

    `theory_rps` is the rate up to which an M/D/c queue meets the objective, or M/M/c with exponential service; None if
    the model has no queue. `reason` says why the search did not end; "" if it did. `highest_rps` is the highest
    rate that can be tried: the most that the load generator sends, or, if `is_full`, of which a run holds all requests;
    `limit` is what ended the load generator at the lowest rate at which it did.
    """

    letter: str
    name: str
    workers: float
    tried: tuple[TriedRate, ...]
    calibration: Calibration
    theory_rps: float | None
    highest_rps: float
    is_full: bool = False
    reason: str = ""

    @property
    def bracket(self) -> Bracket:
        """What the verdicts say."""
        return bracket([each.step for each in self.tried])

    @property
    def best(self) -> TriedRate | None:
        """The highest rate at which the objective holds, of those below the lowest at which it fails."""
        return self._at(self.bracket.holds_rps)

    @property
    def broken(self) -> TriedRate | None:
        """The lowest rate at which it fails."""
        return self._at(self.bracket.fails_rps)

    @property
    def limit(self) -> str:
        """What ended the load generator."""
        ended = self._at(self.bracket.client_rps)
        return ended.disturbance.message if ended and ended.disturbance else ""

    def _at(self, rate_rps: float | None) -> TriedRate | None:
        return next((each for each in self.tried if each.rate_rps == rate_rps), None)


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
    found = tuple(_found(model, read.run, records, read.experiment) for model in begun)
    return SloAnalysis(read.run, read.experiment, objective, found, tuple(records))


def _found(model: ModelInfo, run: RunInfo, records: Sequence[SloRecord], experiment: SloExperiment) -> Found:
    own = [record for record in records if record.model == model.letter]
    objective, calibration, theory_rps = experiment.wanted, own[0].calibration, None
    if math.isfinite(model.places):
        theory_rps = objective.by_theory(
            calibration.service_s, calibration.transit_s, model.places, experiment.server.wait_distribution
        )
    reason = next((str(record.reason) for record in own if not record.valid), "")
    if not reason and next_trial(experiment, model, run, records):
        reason = RUNNING if run.status == "running" else INTERRUPTED
    return Found(
        letter=model.letter,
        name=model.service,
        workers=model.places,
        tried=tuple(tried(run, own, objective)),
        calibration=calibration,
        theory_rps=theory_rps,
        highest_rps=own[0].highest_rps,
        is_full=own[0].highest_rps >= most_rps(experiment.search, model.places),
        reason=reason,
    )
