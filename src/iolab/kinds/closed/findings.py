"""Findings about the load: what was requested, sent and answered, and how many users had a request under way."""

import math
from collections.abc import Callable, Iterator, Sequence

from iolab.findings import by_gravity, generator, machine
from iolab.findings.evidence import listed
from iolab.kinds.closed import limits, pooled, refused, repeats, timers
from iolab.kinds.closed.evidence import Evidence
from iolab.results.records import Finding
from iolab.theory.littles_law import TOLERANCE, Population

QUOTA_PERIOD_S, LEAST_PERIODS = 0.1, 10  # Linux's cpu.max, and Docker's --cpus, count in periods of 100 ms
LEAST_A_USER = 6  # requests
CEILING_SHARE = 0.5  # of the most that it reaches against a null server; from there on requests queue in it
OF_A_SHORT_QUEUE = {"listen_overflow", "littles_law", "syn_retransmitted"}


def invalid_trials(evidence: Evidence) -> Iterator[Finding]:
    """A trial is not valid: server or load generator failed, or requests got no response."""
    some_are_valid = any(trial.valid for trial in evidence.trials)
    for trial in evidence.trials:
        if trial.valid:
            continue
        unanswered = 0 < trial.ok < trial.sent
        fate = "is left out" if some_are_valid or not trial.ok else "is shown, but cannot be trusted"
        yield Finding(
            id="failed_requests" if unanswered else "invalid_trial",
            severity="error",
            message=f"repeat {trial.repeat + 1} {fate}: {trial.reason}",
            remedy=_fewer(evidence) if unanswered else "remove the cause and run the benchmark again",
            value=(trial.sent - trial.ok) / trial.sent if unanswered else 1.0,
        )


def _fewer(evidence: Evidence) -> str:
    if limits.limited(evidence):
        return limits.more_connections(evidence)
    longer = refused.longer(evidence)
    return f"if the server cannot serve so many: fewer users (CONCURRENCY){f', or {longer}' if longer else ''}"


def fewer_sent(evidence: Evidence) -> Iterator[Finding]:
    """The load generator sent fewer requests than requested, so the load was lighter than the settings say."""
    short = [trial for trial in evidence.trials if 0 < trial.sent < trial.requested]
    if short:
        sent, requested = sum(trial.sent for trial in short), sum(trial.requested for trial in short)
        yield Finding(
            id="fewer_sent",
            severity="error",
            message=f"{listed([trial.repeat for trial in short])}: {sent} of {requested} requests were sent",
            remedy="run the benchmark again; if that happens again, use the other load generator (LOADGEN)",
            value=1 - sent / requested,
        )


def littles_law_broken(evidence: Evidence) -> Iterator[Finding]:
    """Throughput x mean response time is not the number of users: some of them had no request under way."""
    broken = [(repeat, found) for repeat, found in evidence.populations if not found.holds]
    if not broken:
        return
    users = evidence.trials[0].concurrency
    repeats = "every repeat" if len(broken) == len(evidence.populations) else listed([each for each, _ in broken])
    repeat, worst = max(broken, key=lambda each: abs(each[1].users - each[1].mean))
    short = (users - worst.mean) / users
    cause, (missing, remedy) = max(_causes(evidence, repeat, worst, short).items(), key=lambda item: item[1][0])
    yield Finding(
        id="littles_law",
        severity="warning",
        message=f"suspect, {repeats}: by Little's law (throughput x mean response time) {worst.mean:.1f} of {users}"
        f" users had a request under way on average over the whole trial; {missing:.1f} were missing {cause}",
        remedy=remedy,
        value=abs(short),
    )


def _causes(evidence: Evidence, repeat: int, worst: Population, short: float) -> dict[str, tuple[float, str]]:
    """Return how many users each cause explains, and its remedy."""
    failed = sum(trial.errors for trial in evidence.trials if trial.repeat == repeat)
    factor = math.ceil(short / TOLERANCE * 1.2)  # the ends stay as long as they are
    longer = f"longer trials, in which the ends weigh less: REQUESTS={factor * evidence.trials[0].requested}"
    if evidence.usage.listen_overflows and (queue := refused.longer(evidence)):
        longer = f"dropped connection attempts lengthen the end: {queue}"
    return {
        "at the start, before all users had sent a request: the load generator's ramp-up": (worst.start, longer),
        "at the end, after some users had sent all their requests: the ramp-down": (worst.end, longer),
        "in between: requests that failed have no response time": (
            worst.middle if failed else 0.0,
            "find out why requests fail: see the other findings",
        ),
        "in between: the load generator was slow to send the next request": (
            0.0 if failed else worst.middle,
            f"use fewer users{_more_cores(evidence)}",
        ),
    }


def _more_cores(evidence: Evidence) -> str:
    """Return the advice that follows others: of a server that already runs, the lab gives no core."""
    return ", or a machine with more cores" if evidence.runtime == "url" else ", or more cores for it (fewer CPUS)"


def few_requests_a_user(evidence: Evidence) -> Iterator[Finding]:
    """The ramps at both ends weigh as much as the steady state between them."""
    first = evidence.trials[0]
    each = first.requested / first.concurrency
    if each < LEAST_A_USER:
        yield Finding(
            id="short_trial",
            severity="warning",
            message=f"each user sends {each:g} requests in a trial: too few for a steady state between ramp-up and"
            " ramp-down",
            remedy=f"longer trials: REQUESTS={LEAST_A_USER * 2 * first.concurrency}",
            value=1 / each,
        )


def loadgen_was_the_bottleneck(evidence: Evidence) -> Iterator[Finding]:
    """The load generator's CPU time or rate was near its limit: response times contain waiting inside it."""
    why, shares = [], []
    if busy := generator.at_limit(evidence.client, evidence.duration_s, len(evidence.plan.loadgen)):
        shares.append(busy[0])
        why.append(busy[1])
    ceiling_rps = evidence.client.ceiling_rps
    if evidence.rate_rps is not None and ceiling_rps and evidence.rate_rps > CEILING_SHARE * ceiling_rps:
        shares.append(evidence.rate_rps / ceiling_rps)
        why.append(
            f"sent {evidence.rate_rps:,.0f} requests a second, of the {ceiling_rps:,.0f} that it reaches against a null"
            " server"
        )
    if why:
        yield Finding(
            id="loadgen_bottleneck",
            severity="warning",
            message=f"the load generator {' and '.join(why)}: response times may include its own time",
            remedy=f"a lighter load generator (LOADGEN=hey), fewer users{_more_cores(evidence)}",
            value=max(shares),
        )


def short_for_the_quota(evidence: Evidence) -> Iterator[Finding]:
    """A fraction of a CPU is a quota in each period of 100 ms: the result of a few periods is chance."""
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
        f" of 100 ms, and the result of fewer than {LEAST_PERIODS} periods is chance",
        remedy=f"longer trials: REQUESTS={longer}",
        value=1 / span_s,
    )


RULES: Sequence[Callable[[Evidence], Iterator[Finding]]] = (
    invalid_trials,
    refused.open_files,
    fewer_sent,
    limits.connection_limit_reached,
    pooled.waits_for_connections,
    refused.listen_queue_overflowed,
    littles_law_broken,
    few_requests_a_user,
    short_for_the_quota,
    *machine.RULES,
    loadgen_was_the_bottleneck,
    repeats.repeats_disagree,
    timers.slow_by_a_timer,
    timers.delayed_acknowledgements,
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings of a cell, the most severe first."""
    return by_gravity(_judged(finding, evidence) for rule in RULES for finding in rule(evidence))


def _judged(finding: Finding, evidence: Evidence) -> Finding:
    """Mark what an experiment is made to show by low values of the backlog, the connection limit or the connections."""
    expected = (evidence.backlog_varies and evidence.short_queue and finding.id in OF_A_SHORT_QUEUE) or (
        evidence.limit_varies and limits.limited(evidence) and finding.id in limits.SHOWN
    )
    expected = expected or (evidence.connections_vary and finding.id == "downstream_pool")
    return finding.model_copy(update={"expected": True}) if expected else finding
