"""What the trials of a search say: which of them count, and the verdict of each rate."""

from collections.abc import Sequence
from dataclasses import dataclass

from iolab.kinds import arrivals
from iolab.kinds.slo.judgement import decided
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.search import Step, Verdict
from iolab.report import doubts
from iolab.results.records import Finding
from iolab.results.run_info import RunInfo

LOOKS = 3  # trials at one rate whose requests count together
AGAIN = 2  # times that a disturbed trial is measured again
# Of the findings, those of one trial's time: the cores, for example, are the same in every trial.
MACHINE = ("busy_machine", "stolen_time", "slowed_by_heat", "own_quota")
LATE_READS = "late_reads"
CLIENT = ("loadgen_bottleneck", LATE_READS, "no_connection_left", "late_sends")
OVERLOADED = ("no_connection_left", "late_sends")  # of a load generator whose connections a slow server holds


@dataclass(frozen=True)
class TriedRate:
    """A rate, the undisturbed trials there, and those that were disturbed, with what disturbed the last of them.

    `verdict` is None as long as there is more to measure there.
    """

    rate_rps: float
    good: tuple[SloRecord, ...]
    disturbed: tuple[SloRecord, ...]
    disturbance: Finding | None
    verdict: Verdict | None

    @property
    def last(self) -> SloRecord | None:
        """The record of the value at this rate: of all undisturbed trials together."""
        return self.good[-1] if self.good else None

    @property
    def step(self) -> Step:
        """What the search knows of it; what is not decided yet is undecided."""
        return Step(self.rate_rps, self.verdict or "undecided")


def disturbances(run: RunInfo, record: SloRecord, limit_s: float) -> list[Finding]:
    """Return the findings that forbid a trial to decide, those of the machine first.

    If a server is so slow that its requests hold all connections of the load generator, the later requests are late.
    Such a trial counts if even the time from when its requests were sent breaks the objective. Answers that were read
    late only make response times longer, so a trial that holds all the same counts.
    """
    late = arrivals.late_sends(record.late_p99_s)
    during = [*doubts.during(run, (record,), record.cpus), *([late] if late else [])]
    if record.machine.group_throttled_s is None:  # there is a quota, and it is not known whether it disturbed
        during = [each for each in during if each.id != "own_quota"]
    found = [each for name in (*MACHINE, *CLIENT) for each in during if each.id == name and each.severity != "note"]
    if record.high_s is not None and record.high_s < limit_s and all(each.id == LATE_READS for each in found):
        return []
    fails = record.low_s is not None and record.low_s >= limit_s
    overloaded = any(each.id == "no_connection_left" for each in found)
    return [] if fails and overloaded and all(each.id in OVERLOADED for each in found) else found


def tried(run: RunInfo, records: Sequence[SloRecord], objective: Objective) -> list[TriedRate]:
    """Return the rates of one model in the order in which they were tried first; trials that failed are left out."""
    rates: dict[float, list[SloRecord]] = {}
    for record in records:
        if record.valid:
            rates.setdefault(record.rate_rps, []).append(record)
    return [_tried(run, rate_rps, found, objective) for rate_rps, found in rates.items()]


def _tried(run: RunInfo, rate_rps: float, records: Sequence[SloRecord], objective: Objective) -> TriedRate:
    found = [(record, disturbances(run, record, objective.limit_s)) for record in records]
    good = tuple(record for record, why in found if not why)
    bad = [(record, why[0]) for record, why in found if why]
    verdict = decided(good[-1], objective.limit_s, good[-1].unanswered) if good else None
    if verdict is None and len(bad) > AGAIN:
        verdict = "client" if bad[-1][1].id in CLIENT else "disturbed"
    return TriedRate(rate_rps, good, tuple(record for record, _ in bad), bad[-1][1] if bad else None, verdict)
