"""Findings of other programs and other virtual machines: on the cores of servers and load generator, and elsewhere."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from iolab.findings import NOT_CHECKED
from iolab.findings.evidence import Conditions, core_count
from iolab.results.records import CoreUsage, Finding, TrialRecord
from iolab.results.run_info import CpuPlanInfo

BUSY_SHARE, STEAL_SHARE = 0.25, 0.05  # of a core
IDLE_SHARE, MOST_IDLE = 0.05, 0.5  # of each core, and of a core in all: what an idle system computes
STEP_S = 0.01  # of /proc/stat
LEAST_SPAN_S, LEAST_STEAL_S = 0.2, 0.05
QUIET = "stop other programs (top and docker ps show them), and run it again"
LISTED = 8  # cores


class Set(NamedTuple):
    """Cores that matter, whose they are, and the most CPU time that the lab's own programs can have used on them.

    Which of these cores they used is not known: the kernel counts a process's time for all cores together.
    """

    whose: str
    cores: Sequence[CoreUsage]
    own_s: float

    def others(self, span_s: float) -> float:
        """Return how many cores other programs used."""
        return (sum(core.busy_s for core in self.cores) - self.own_s) / span_s

    def surely(self, span_s: float) -> list[int]:
        """Return the cores on which others computed, even if all of the lab's own time was spent on that core."""
        return [core.core for core in self.cores if (core.busy_s - self.own_s) / span_s > BUSY_SHARE]

    def disturbed(self, span_s: float) -> tuple[float, str] | None:
        """Return how many cores others used, and words for it with the cores; None if it is no finding."""
        if sure := self.surely(span_s):
            least = Set(self.whose, [core for core in self.cores if core.core in sure], self.own_s).others(span_s)
            return least, f"{least:.1f} of {_named(self, sure)}"
        used = self.others(span_s)
        return (used, f"{used:.1f} of {_named(self, [])}") if used > tolerated(len(self.cores), span_s) else None


class Worst(NamedTuple):
    """The trial in which a finding was worst."""

    value: float
    repeat: int
    text: str


def why_unchecked(trial: TrialRecord) -> str:
    """Return why other programs and stolen time could not be checked in a trial; "" if they were."""
    machine = trial.machine
    if machine.by_core is None or machine.span_s is None:
        return "this system does not tell what each of its cores does (/proc/stat)"
    if machine.span_s < LEAST_SPAN_S:
        return f"a trial of {machine.span_s:.2f} s is too short for the kernel's clock ticks"
    if trial.server.cpu_s is None:
        return "the CPU time of the server is not known"
    return "the CPU time of the load generator is not known" if trial.client.cpu_s is None else ""


def not_checked(evidence: Conditions) -> Iterator[Finding]:
    """In some trials, or in all, it is not known what other programs did: nothing may be taken for quiet."""
    valid = [trial for trial in evidence.trials if trial.valid]
    reasons = [why for trial in valid if (why := why_unchecked(trial))]
    if reasons:
        yield Finding(
            id=NOT_CHECKED,
            severity="note",
            message=f"{_unchecked(len(reasons), sum(map(_is_blind, valid)), len(valid))}: "
            + max(reasons, key=reasons.count),
            remedy="look at the machine yourself during a run (top), or use Linux and servers that the lab starts",
        )


def _is_blind(trial: TrialRecord) -> bool:
    """Return whether not even stolen time is known of a trial."""
    return not trial.machine.by_core or (trial.machine.span_s or 0.0) < LEAST_SPAN_S


def _unchecked(number: int, blind: int, trials: int) -> str:
    """Return what was not checked: other programs in `number` of the trials, in `blind` of them stolen time, too."""
    some = f" in {number} of {trials} trials"
    if 0 < blind < number:
        return f"other programs were not checked{some}, nor stolen time in {blind} of them"
    what = "other programs and stolen time" if blind else "other programs"
    return f"{what} were not checked{some if number < trials else ''}"


def busy_machine(evidence: Conditions) -> Iterator[Finding]:
    """Other programs computed on the cores of the server or the load generator; those elsewhere are only named."""
    near: Worst | None = None
    far: Worst | None = None
    for trial in evidence.trials:
        if why_unchecked(trial):
            continue
        span_s = trial.machine.span_s or 0.0
        disturbed = [found for each in sets(trial, evidence.plan) if (found := each.disturbed(span_s))]
        most = max((used for used, _ in disturbed), default=0.0)
        if disturbed and (near is None or most > near.value):
            near = Worst(most, trial.repeat, " and ".join(text for _, text in disturbed))
        elsewhere = _elsewhere(trial, evidence.plan)
        used, number = elsewhere.others(span_s), len(elsewhere.cores)
        if elsewhere.disturbed(span_s) and (far is None or used > far.value):
            far = Worst(used, trial.repeat, f"{used:.1f} of the {core_count(number)} that the run did not use")
    if near:
        yield Finding(
            id="busy_machine",
            severity="warning",
            message=f"other programs or containers used {near.text}{evidence.during(near.repeat)}",
            remedy=QUIET,
            value=near.value,
        )
    if far:
        yield Finding(
            id="busy_elsewhere",
            severity="note",
            message=f"other programs or containers used {far.text}{evidence.during(far.repeat)}",
            remedy="nothing to do: servers and load generator have cores of their own; memory and caches are shared",
            value=far.value,
        )


def stolen_time(evidence: Conditions) -> Iterator[Finding]:
    """The hypervisor gave time of the server's or the load generator's cores to other virtual machines."""
    worst: Worst | None = None
    for trial in evidence.trials:
        span_s = trial.machine.span_s
        if not span_s or span_s < LEAST_SPAN_S:
            continue
        for each in sets(trial, evidence.plan):
            for core in each.cores:
                share = core.steal_s / span_s
                enough = core.steal_s > LEAST_STEAL_S and share > STEAL_SHARE
                if enough and (worst is None or share > worst.value):
                    worst = Worst(share, trial.repeat, f"{share:.0%} of the CPU time of {_named(each, [core.core])}")
    if worst:
        yield Finding(
            id="stolen_time",
            severity="warning",
            message=f"the hypervisor took {worst.text}{evidence.during(worst.repeat)}",
            remedy="other virtual machines use the same host: run it again later, or on a dedicated machine",
            value=worst.value,
        )


def sets(trial: TrialRecord, plan: CpuPlanInfo) -> list[Set]:
    """Return the cores of the server and those of the load generator; where they are the same, or any: one set.

    iolab itself is not pinned: its own time can be on the cores of each set, and is no neighbour's in any.
    """
    known, lab_s = trial.machine.by_core or (), trial.machine.own_s or 0.0
    server_s, client_s = trial.server.cpu_s or 0.0, trial.client.cpu_s or 0.0
    if not plan.pinned:
        return [Set("this machine's", known, server_s + client_s + lab_s)]
    theirs = [core for core in known if core.core in plan.server]
    loads = [core for core in known if core.core in plan.loadgen]
    if plan.shared:
        cores = [core for core in known if core in theirs or core in loads]
        return [Set("the server's and the load generator's", cores, server_s + client_s + lab_s)]
    found = [Set("the server's", theirs, server_s + lab_s), Set("the load generator's", loads, client_s + lab_s)]
    return [each for each in found if each.cores]


def tolerated(cores: int, span_s: float) -> float:
    """Return how many of so many cores other programs may use in all before it is a finding.

    An idle system computes, too: on many cores more, but never as much as one busy program. In a short trial on many
    cores, the steps of the kernel's counts, one for each core, can add up to more than that.
    """
    most = max(MOST_IDLE, cores * STEP_S / span_s)
    return max(BUSY_SHARE, min(IDLE_SHARE * cores, most))


def _elsewhere(trial: TrialRecord, plan: CpuPlanInfo) -> Set:
    used = {*plan.server, *plan.loadgen}
    cores = [core for core in trial.machine.by_core or () if plan.pinned and core.core not in used]
    return Set("unused", cores, trial.machine.own_s or 0.0)


def _named(each: Set, sure: Sequence[int]) -> str:
    """Return "core 3 (the server's)", or "cores 3, 4 (of the load generator's)"."""
    numbers = sure or [core.core for core in each.cores]
    whose = f"of {each.whose}" if len(each.cores) > 1 else each.whose
    listed = ", ".join(map(str, numbers[:LISTED])) + (" and more" if len(numbers) > LISTED else "")
    return f"core{'s' if len(numbers) > 1 else ''} {listed} ({whose})"
