"""Findings of the machine: quotas, cores, and other programs."""

from collections.abc import Iterator, Sequence

from iolab.findings.evidence import Conditions
from iolab.results.records import Finding, RunInfo, ServerUsage, TrialRecord

THROTTLED_SHARE = 0.02
BUSY_SHARE, STEAL_SHARE, LEAST_SPAN_S = 0.25, 0.05, 0.2  # /proc/stat counts in steps of 10 ms
CLOCK_STEP_S = 0.05


def throttled(evidence: Conditions) -> Iterator[Finding]:
    """The CPU quota throttled the server."""
    throttled_s, quota = evidence.usage.throttled_s, f"the quota of {evidence.plan.cpus:g} CPU"
    if throttled_s and throttled_s > THROTTLED_SHARE * evidence.duration_s:
        yield Finding(
            id="throttled",
            severity="warning",
            message=f"{quota} throttled the server's cores for {throttled_s:.2f} s of {evidence.duration_s:.1f} s",
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
    if not evidence.plan.pinned:
        yield Finding(
            id="not_pinned",
            severity="warning",
            message="this platform cannot pin processes to cores: CPUS was not enforced",
            remedy="use Docker, or Linux",
        )


def busy_machine(evidence: Conditions) -> Iterator[Finding]:
    """Other programs, or other virtual machines on the same host, used the CPU while trials ran."""
    worst: tuple[float, int, float, int] | None = None
    stolen: tuple[float, int] | None = None
    for trial in evidence.trials:
        machine = trial.machine
        if not machine.span_s or not machine.cores or machine.busy_s is None:
            continue
        known = (trial.server.cpu_s, trial.client.cpu_s, machine.own_s)
        if None not in known and machine.span_s >= LEAST_SPAN_S:
            others = (machine.busy_s - sum(each or 0.0 for each in known)) / machine.span_s
            if others > BUSY_SHARE * machine.cores and (worst is None or others > worst[2]):
                worst = (others / machine.cores, trial.repeat, others, machine.cores)
        share = (machine.steal_s or 0.0) / (machine.span_s * machine.cores)
        if share > STEAL_SHARE and (stolen is None or share > stolen[0]):
            stolen = (share, trial.repeat)
    if worst:
        _, repeat, others, cores = worst
        yield Finding(
            id="busy_machine",
            severity="warning",
            message=f"other programs or containers used {others:.1f} of {cores} cores{evidence.during(repeat)}",
            remedy="stop other programs (top and docker ps show them), and run it again",
            value=others,
        )
    if stolen:
        yield Finding(
            id="stolen_time",
            severity="warning",
            message=f"the hypervisor took {stolen[0]:.0%} of this machine's CPU time{evidence.during(stolen[1])}",
            remedy="other virtual machines use the same host: run it again later, or on a dedicated machine",
            value=stolen[0],
        )


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
    slowed = sum(trial.machine.slowed or 0 for trial in evidence.trials)
    if slowed:
        yield Finding(
            id="slowed_by_heat",
            severity="warning",
            message=f"heat slowed the processor's cores {slowed} times",
            remedy="let it cool, plug in the laptop, and run it again",
            value=slowed,
        )


def during(run: RunInfo, trials: Sequence[TrialRecord], cpus: float) -> Iterator[Finding]:
    """Yield the findings of the machine during single trials under one CPU limit, each only once."""
    throttled_s = [trial.server.throttled_s for trial in trials if trial.server.throttled_s is not None]
    evidence = Conditions(
        trials=trials,
        plan=next(plan for plan in run.cpu_plans if plan.cpus == cpus),
        usage=ServerUsage(throttled_s=sum(throttled_s) if throttled_s else None),
        duration_s=sum(trial.duration_s for trial in trials),
        runtime=run.runtime,
    )
    for rule in (throttled, shared_cores, not_pinned, busy_machine, clock_trouble):
        yield from rule(evidence)
