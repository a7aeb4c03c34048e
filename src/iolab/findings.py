"""What a reader of a cell must know before believing its numbers: a value with evidence and remedy, never a print."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iolab.records import CpuPlanInfo, Finding, ServerUsage, TrialRecord

GRAVITY = {"error": 0, "warning": 1, "note": 2}
THROTTLED_SHARE = 0.02
LEAST_A_USER = 6  # requests
FEWER = "if it cannot serve so many: fewer users (CONCURRENCY), or a longer listen queue (BACKLOG)"
RETRY_S = 1.0  # Linux tries a dropped connection attempt again after 1 s, then 2 s, then 4 s


@dataclass(frozen=True)
class Evidence:
    """All that findings look at: the trials of one cell, their usage summed up, and where it ran."""

    trials: Sequence[TrialRecord]
    plan: CpuPlanInfo
    usage: ServerUsage
    duration_s: float
    median_s: float | None
    slowest_s: float | None
    backlog: int | None
    runtime: str


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings of a cell, the gravest first."""
    found = [finding for rule in RULES for finding in rule(evidence)]
    return tuple(sorted(found, key=lambda finding: GRAVITY[finding.severity]))


def invalid_trials(evidence: Evidence) -> Iterator[Finding]:
    """A trial that cannot be trusted: server or load generator failed, or requests were not answered."""
    some_are_valid = any(trial.valid for trial in evidence.trials)
    for trial in evidence.trials:
        if trial.valid:
            continue
        unanswered = 0 < trial.ok < trial.sent
        fate = "is not counted" if some_are_valid or not trial.ok else "is shown, and is not to be trusted"
        yield Finding(
            id="failed_requests" if unanswered else "invalid_trial",
            severity="error",
            message=f"repeat {trial.repeat + 1} {fate}: {trial.reason}",
            remedy=FEWER if unanswered else "mend the cause and run the benchmark again",
        )


def listen_queue_overflowed(evidence: Evidence) -> Iterator[Finding]:
    """The kernel dropped connection attempts, which makes medians fall and tails explode."""
    overflows = evidence.usage.listen_overflows
    if not overflows or evidence.median_s is None or evidence.slowest_s is None:
        return
    queue = f"of {evidence.backlog}" if evidence.backlog else "of the server's default length"
    first = evidence.trials[0]
    longer = max(128, 2 * first.concurrency)
    where = "" if evidence.runtime == "docker" else " (counted on the whole machine)"
    served = ""
    if evidence.slowest_s >= RETRY_S:
        served = (
            f" Who got in waited {evidence.median_s * 1000:.0f} ms in the median, behind a short queue;"
            f" who was dropped tried again after 1 s and more, the slowest for {evidence.slowest_s:.1f} s."
        )
    yield Finding(
        id="listen_overflow",
        severity="warning",
        message=f"the listen queue {queue} overflowed: {overflows} connection attempts were dropped{where}.{served}",
        remedy=f"without drops: make bench MODELS={first.model} CONCURRENCY={first.concurrency} BACKLOG={longer}",
    )


def few_requests_a_user(evidence: Evidence) -> Iterator[Finding]:
    """The ramps at both ends weigh as much as the steady state between them."""
    first = evidence.trials[0]
    each = first.requested / first.concurrency
    if each < LEAST_A_USER:
        yield Finding(
            id="short_trial",
            severity="warning",
            message=f"a user sends {each:g} requests in a trial: too few for a steady state between its ends",
            remedy=f"make it longer: REQUESTS={LEAST_A_USER * 2 * first.concurrency}",
        )


def shared_cores(evidence: Evidence) -> Iterator[Finding]:
    """Server and load generator ran on the same cores."""
    if not evidence.plan.shared:
        return
    cores = len(evidence.plan.server)
    them = "the core" if cores == 1 else f"the {cores} cores"
    yield Finding(
        id="shared_cores",
        severity="warning",
        message=f"CPUS={evidence.plan.cpus:g} left no core to the load generator: it shared {them} with the server",
        remedy=f"use CPUS={cores - 1}" if cores > 1 else "use a machine with more cores",
    )


def not_pinned(evidence: Evidence) -> Iterator[Finding]:
    """The platform cannot keep processes on cores."""
    if not evidence.plan.pinned:
        yield Finding(
            id="not_pinned",
            severity="warning",
            message="this platform cannot keep processes on cores: CPUS was not enforced",
            remedy="use Docker, or Linux",
        )


def throttled(evidence: Evidence) -> Iterator[Finding]:
    """The CPU quota held the server back."""
    throttled_s, quota = evidence.usage.throttled_s, f"the quota of {evidence.plan.cpus:g} CPU"
    if throttled_s and throttled_s > THROTTLED_SHARE * evidence.duration_s:
        yield Finding(
            id="throttled",
            severity="warning",
            message=f"{quota} held the server's cores back for {throttled_s:.2f} s of {evidence.duration_s:.1f} s",
            remedy="that is the experiment if you limit CPUS on purpose; else give more CPUS",
        )


RULES: Sequence[Callable[[Evidence], Iterator[Finding]]] = (
    invalid_trials,
    listen_queue_overflowed,
    few_requests_a_user,
    throttled,
    shared_cores,
    not_pinned,
)
