"""Findings of the machine: quotas, cores, clocks and heat; neighbours.py has those of other programs."""

from collections.abc import Callable, Iterator, Sequence

from iolab.findings import neighbours
from iolab.findings.evidence import Conditions, core_count, cpus, of_all
from iolab.results.records import Finding, ServerUsage, TrialRecord
from iolab.results.run_info import CpuPlanInfo, RunInfo

THROTTLED_SHARE = 0.02
CLOCK_STEP_S = 0.05
BOTH_BUSY = 0.1  # share of the time: up to it, two threads of one physical core rarely meet
QUOTA = "raise its quota (--cpus of the container, CPUQuota of the systemd unit), or use fewer CPUS"


def throttled(evidence: Conditions) -> Iterator[Finding]:
    """The CPU quota throttled the server."""
    throttled_s, number = evidence.usage.throttled_s, len(evidence.plan.server)
    theirs = "the server's core" if number == 1 else "the server's cores"
    if throttled_s and throttled_s > THROTTLED_SHARE * evidence.duration_s:
        yield Finding(
            id="throttled",
            severity="warning",
            message=f"the quota of {cpus(evidence.plan.cpus)} throttled {theirs} for {of_all(throttled_s, number)} of"
            f" {evidence.duration_s:.1f} s",
            remedy="nothing to do if you limit CPUS on purpose; else give more CPUS",
            value=throttled_s / evidence.duration_s,
        )


def shared_cores(evidence: Conditions) -> Iterator[Finding]:
    """Server and load generator ran on the same cores."""
    if not evidence.plan.shared:
        return
    cores = len(evidence.plan.server)
    them = "the core" if cores == 1 else f"the {cores} cores"
    yield Finding(
        id="shared_cores",
        severity="warning",
        message=f"CPUS={evidence.plan.cpus:g} left no core for the load generator: it shared {them} with the server",
        remedy=f"use CPUS={cores - 1}" if cores > 1 else "use a machine with more cores",
    )


def not_pinned(evidence: Conditions) -> Iterator[Finding]:
    """The platform cannot pin processes to cores."""
    if not evidence.plan.pinned and evidence.plan.server:
        yield Finding(
            id="not_pinned",
            severity="warning",
            message="this platform cannot pin processes to cores: CPUS was not enforced",
            remedy="use Docker, or Linux",
        )


def sibling_cores(evidence: Conditions) -> Iterator[Finding]:
    """A core of the server and one of the load generator are threads of one physical core."""
    pairs = evidence.plan.siblings
    if not pairs or evidence.plan.shared:
        return
    shares = [share for trial in evidence.trials for pair in pairs if (share := _both_busy(trial, pair)) is not None]
    server, load = pairs[0]
    more = f", and {len(pairs) - 1} more such pair{'s' if len(pairs) > 2 else ''}" if len(pairs) > 1 else ""
    met = f"; both computed for at most {max(shares):.0%} of the time" if shares else ""
    yield Finding(
        id="sibling_cores",
        severity="note" if shares and max(shares) <= BOTH_BUSY else "warning",
        message=f"core {server} (server) and core {load} (load generator) are two threads of one physical core{more}:"
        f" while one computes, the other is slower{met}",
        remedy="fewer CPUS, or a machine with more physical cores, or without SMT",
        value=max(shares, default=None),
    )


def _both_busy(trial: TrialRecord, pair: tuple[int, int]) -> float | None:
    """Return for which share of a trial both cores can have computed at most; None if that is not known."""
    busy = {core.core: core.busy_s for core in trial.machine.by_core or ()}
    if not trial.machine.span_s or not busy.keys() >= set(pair):
        return None
    return min(busy[core] for core in pair) / trial.machine.span_s


def own_quota(evidence: Conditions) -> Iterator[Finding]:
    """A quota of the lab's own control group, as in a dev container or in CI, throttled it, or can."""
    share, how_long = _group_throttled(evidence)
    if share > THROTTLED_SHARE:
        yield Finding(
            id="own_quota",
            severity="warning",
            message=f"a CPU quota of the lab's own control group throttled it {how_long}",
            remedy=QUOTA,
            value=share,
        )
        return
    quotas = [quota for trial in evidence.trials if (quota := trial.machine.group_quota or 0.0) > 0]
    used = len({*evidence.plan.server, *evidence.plan.loadgen})
    if evidence.runtime == "local" and quotas and min(quotas) < used:  # containers have control groups of their own
        watched = [trial.machine for trial in evidence.trials if trial.machine.span_s is not None]
        uncounted = sum(machine.group_throttled_s is None for machine in watched)
        told = [f"it throttled them {how_long}, which is too little to count ({THROTTLED_SHARE:.0%})"] if share else []
        if uncounted:
            some = "" if uncounted == len(watched) else f" in {uncounted} of {len(watched)} trials"
            told.append(f"whether it throttled them is not known{some}")
        yield Finding(
            id="own_quota",
            severity="warning" if uncounted else "note",
            message=f"the lab's own control group has a quota of {cpus(min(quotas))}, and servers and load generator"
            f" have {core_count(used)}: {'; '.join(told) or 'it did not throttle them'}",
            remedy=QUOTA,
            value=used / min(quotas),
        )


def _group_throttled(evidence: Conditions) -> tuple[float, str]:
    """Return the share of the time for which the lab's own group was throttled in the worst trial, and words for it."""
    worst, how_long = 0.0, ""
    for trial in evidence.trials:
        machine = trial.machine
        throttled_s, span_s = machine.group_throttled_s, machine.span_s
        if throttled_s and span_s and throttled_s / span_s > worst:
            worst, cores = throttled_s / span_s, machine.cores or len(machine.by_core or ())
            how_long = f"for {of_all(throttled_s, cores)} of {span_s:.1f} s{evidence.during(trial.repeat)}"
    return worst, how_long


def clock_trouble(evidence: Conditions) -> Iterator[Finding]:
    """The wall clock was set, or heat slowed the cores."""
    for trial in evidence.trials:
        step_s = trial.machine.clock_step_s
        if step_s is not None and abs(step_s) > CLOCK_STEP_S:
            yield Finding(
                id="clock_step",
                severity="note",
                message=f"the wall clock was set by {step_s:+.2f} s{evidence.during(trial.repeat)};"
                " this affects times of day, but not response times, which use a monotonic clock",
                remedy="nothing to do for response times",
                value=abs(step_s),
            )
            break


def slowed_by_heat(evidence: Conditions) -> Iterator[Finding]:
    """Heat slowed a core of the server or the load generator; nothing where the processor does not count it."""
    used, anywhere = {*evidence.plan.server, *evidence.plan.loadgen}, not evidence.plan.pinned
    slowed = sum(
        core.slowed or 0
        for trial in evidence.trials
        for core in trial.machine.by_core or ()
        if anywhere or core.core in used
    )
    whose = "server and load generator" if evidence.plan.server else "the load generator"
    if slowed:
        yield Finding(
            id="slowed_by_heat",
            severity="warning",
            message=f"heat slowed the cores of {whose} {'once' if slowed == 1 else f'{slowed} times'}",
            remedy="let it cool, plug in the laptop, and run it again",
            value=slowed,
        )


def during(run: RunInfo, trials: Sequence[TrialRecord], cpus: float) -> Iterator[Finding]:
    """Yield the findings of the machine during single trials under one CPU limit, each only once."""
    yield from on(next(plan for plan in run.cpu_plans if plan.cpus == cpus), run.runtime, trials)


def on(plan: CpuPlanInfo, runtime: str, trials: Sequence[TrialRecord]) -> Iterator[Finding]:
    """Yield the findings of the machine during trials on the cores of a plan, each only once."""
    counted = [trial for trial in trials if trial.server.throttled_s is not None]
    evidence = Conditions(
        trials=trials,
        plan=plan,
        usage=ServerUsage(throttled_s=sum(trial.server.throttled_s or 0.0 for trial in counted) if counted else None),
        duration_s=sum(trial.duration_s for trial in counted),
        runtime=runtime,
    )
    yield from (finding for rule in RULES for finding in rule(evidence))


RULES: Sequence[Callable[[Conditions], Iterator[Finding]]] = (
    throttled,
    shared_cores,
    sibling_cores,
    not_pinned,
    own_quota,
    neighbours.busy_machine,
    neighbours.stolen_time,
    neighbours.not_checked,
    clock_trouble,
    slowed_by_heat,
)
