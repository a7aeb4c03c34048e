"""Of the load: what was asked, what was sent, what was answered, and who was waiting."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from iolab.findings import by_gravity, machine
from iolab.findings.evidence import cores, listed
from iolab.kinds.closed import repeats
from iolab.kinds.closed.evidence import Evidence
from iolab.results.records import Finding
from iolab.theory.littles_law import TOLERANCE

QUOTA_PERIOD_S, LEAST_PERIODS = 0.1, 10  # Linux's cpu.max, and Docker's --cpus, count in periods of 100 ms
LEAST_A_USER = 6  # requests
FEWER = "if it cannot serve so many: fewer users (CONCURRENCY), or a longer listen queue (BACKLOG)"
LOADGEN_SHARE = 0.7  # of its cores' time
CEILING_SHARE = 0.5  # of the most that it reaches against a null server; from there on it queues by itself
LATE_S = 0.95  # Linux tries a dropped connection attempt again after 1 s; timers may fire a little early
RETRY_S = 1.0  # Linux tries a dropped connection attempt again after 1 s, then 2 s, then 4 s


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


def fewer_sent(evidence: Evidence) -> Iterator[Finding]:
    """The load generator sent less than it was asked for, so the load was lighter than the numbers say."""
    short = [trial for trial in evidence.trials if 0 < trial.sent < trial.requested]
    if short:
        sent, requested = sum(trial.sent for trial in short), sum(trial.requested for trial in short)
        yield Finding(
            id="fewer_sent",
            severity="error",
            message=f"{listed([trial.repeat for trial in short])}: {sent} of {requested} requests were sent",
            remedy="run it again; with the other load generator (LOADGEN) if that happens again",
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


def littles_law_broken(evidence: Evidence) -> Iterator[Finding]:
    """Throughput x mean latency is not the number of users: some of them were not waiting for an answer."""
    broken = [(repeat, found) for repeat, found in evidence.populations if not found.holds]
    if not broken:
        return
    first = evidence.trials[0]
    users = first.concurrency
    repeats = "every repeat" if len(broken) == len(evidence.populations) else listed([each for each, _ in broken])
    repeat, worst = max(broken, key=lambda each: abs(each[1].users - each[1].mean))
    failed = sum(trial.errors for trial in evidence.trials if trial.repeat == repeat)
    short = (users - worst.mean) / users
    factor = math.ceil(short / TOLERANCE * 1.2)  # the ends stay as long as they are
    longer = f"make it longer, the ends weigh less then: REQUESTS={factor * first.requested}"
    if evidence.usage.listen_overflows:
        longer = "dropped connections make the end long: a longer listen queue (BACKLOG=128)"
    causes = {
        "at the start, until all of them had come: the load generator's ramp": (worst.start, longer),
        "at the end, when they had sent their share and others still waited: the ramp down": (worst.end, longer),
        "in between: requests that failed have no latency": (
            worst.middle if failed else 0.0,
            "find out why requests fail: the other findings say it",
        ),
        "in between: the load generator was slow to ask again": (
            0.0 if failed else worst.middle,
            "give the load generator more cores (fewer CPUS), or fewer users",
        ),
    }
    cause, (missing, remedy) = max(causes.items(), key=lambda item: item[1][0])
    yield Finding(
        id="littles_law",
        severity="warning",
        message=f"suspect, {repeats}: by Little's law (throughput x mean latency) {worst.mean:.1f} of {users} users"
        f" were waiting on average; {missing:.1f} were missing {cause}",
        remedy=remedy,
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


def loadgen_was_the_bottleneck(evidence: Evidence) -> Iterator[Finding]:
    """The load generator's CPU, or its rate, was near its limit: it measured itself."""
    number = len(evidence.plan.loadgen)
    why = []
    if evidence.client_cpu_s is not None and evidence.duration_s > 0 and number:
        share = evidence.client_cpu_s / (evidence.duration_s * number)
        if share > LOADGEN_SHARE:
            why.append(f"computed {share:.0%} of the time on its {cores(number)}")
    ceilings = [trial.client.ceiling_rps for trial in evidence.trials if trial.client.ceiling_rps]
    if evidence.rate_rps is not None and ceilings and evidence.rate_rps > CEILING_SHARE * max(ceilings):
        why.append(
            f"made {evidence.rate_rps:,.0f} requests a second, of the {max(ceilings):,.0f} that it reaches against a"
            " server that does nothing"
        )
    if why:
        yield Finding(
            id="loadgen_bottleneck",
            severity="warning",
            message=f"the load generator {' and '.join(why)}: latencies may be its own",
            remedy="a lighter one (LOADGEN=hey), fewer users, or more cores for it (fewer CPUS)",
        )


def retransmissions(evidence: Evidence) -> Iterator[Finding]:
    """Latencies stand in groups where TCP's timers end: dropped connection attempts, delayed acknowledgements."""
    latencies = evidence.latencies_s
    if not len(latencies) or evidence.median_s is None or evidence.median_s > 0.5:
        return
    late = latencies[latencies >= LATE_S]
    seconds = Counter(int(latency + 0.05) for latency in late)
    between = int(((latencies >= 0.6) & (latencies < LATE_S)).sum())
    # Who waits in a queue may wait for any time; who waits for a timer waits either briefly or a second.
    if len(late) > max(1, 10 * between):
        groups = ", ".join(f"{number} by {second} to {second + 1} s" for second, number in sorted(seconds.items()))
        yield Finding(
            id="syn_retransmitted",
            severity="note",
            message=f"{len(late)} of {len(latencies)} requests are late by a second or more ({groups}), and hardly"
            " one by less: that is TCP's own timer, which tries a dropped connection attempt again after 1 s",
            remedy="a longer listen queue (BACKLOG), or connections that stay open",
        )
    if evidence.expected_s is None or evidence.plan.cpus != int(evidence.plan.cpus):
        return  # a quota holds a server back for tens of milliseconds, too
    more = latencies - evidence.expected_s
    delayed = int(((more > 0.037) & (more < 0.052)).sum())
    valley = int(((more > 0.012) & (more < 0.034)).sum())
    if delayed > max(3 * valley, 0.02 * len(latencies)):
        yield Finding(
            id="delayed_ack",
            severity="note",
            message=f"{delayed} of {len(latencies)} requests took 40 ms more than they should: that is TCP's delayed"
            " acknowledgement, which a server meets that writes an answer in two pieces",
            remedy="set TCP_NODELAY in the server, or write the answer in one piece",
        )


def short_for_the_quota(evidence: Evidence) -> Iterator[Finding]:
    """A fraction of a CPU is a quota in each period of 100 ms: a trial of a few periods sees chance."""
    limit = evidence.plan.cpus
    if limit == int(limit) or not evidence.spans_s or min(evidence.spans_s) >= LEAST_PERIODS * QUOTA_PERIOD_S:
        return
    span_s = min(evidence.spans_s)
    first = evidence.trials[0]
    longer = math.ceil(first.requested * LEAST_PERIODS * QUOTA_PERIOD_S / span_s * 1.2)
    yield Finding(
        id="short_for_quota",
        severity="warning",
        message=f"the shortest trial took {span_s:.2f} s: {limit:g} CPU is a quota of {limit * 100:g} ms in each period"
        f" of 100 ms, and a trial of fewer than {LEAST_PERIODS} periods shows chance",
        remedy=f"make it longer: REQUESTS={longer}",
    )


RULES: Sequence[Callable[[Evidence], Iterator[Finding]]] = (
    invalid_trials,
    fewer_sent,
    listen_queue_overflowed,
    littles_law_broken,
    few_requests_a_user,
    machine.throttled,
    short_for_the_quota,
    machine.shared_cores,
    machine.not_pinned,
    loadgen_was_the_bottleneck,
    repeats.repeats_disagree,
    machine.busy_machine,
    retransmissions,
    machine.clock_trouble,
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings of a cell, the gravest first."""
    return by_gravity(finding for rule in RULES for finding in rule(evidence))
