"""Findings: response times in groups where timers of TCP end."""

from collections import Counter
from collections.abc import Iterator

from iolab.host.proc import LINEAR_TIMEOUTS
from iolab.kinds.closed import limits
from iolab.kinds.closed.evidence import SLOW_S, Evidence
from iolab.report import numbers
from iolab.results.records import Finding
from iolab.theory.retries import FALLBACK_S, FIRST_S, attempts_again_s
from iolab.theory.statistics import Array

EARLY_S = FIRST_S - SLOW_S
OF_YOURS = "a longer listen backlog of your server"
BACKLOG = "a longer listen backlog (BACKLOG)"
LONG_MEDIAN_S = 0.5  # behind such a queue, a second is no sign of a timer
LONG_EXPECTED_S = 0.1  # beyond that, a service time that is a little longer adds 40 ms, too


def slow_by_a_timer(evidence: Evidence) -> Iterator[Finding]:
    """Some requests take a second or longer, and almost none a little less: they waited for a timer, not in a queue."""
    latencies = evidence.latencies_s
    if not len(latencies) or evidence.median_s is None or evidence.median_s > LONG_MEDIAN_S:
        return
    if limits.limited(evidence) and not (evidence.client.syn_retransmits or evidence.usage.listen_overflows):
        return  # they waited for accepted connections to close
    late = latencies[latencies >= SLOW_S]
    between = int(((latencies >= 0.6) & (latencies < SLOW_S)).sum())
    # A wait in a queue can have any length; a wait for a timer is either short or a second.
    if len(late) > max(1, 10 * between):
        seconds = Counter(int(latency + EARLY_S) for latency in late)
        groups = ", ".join(f"{number} took {second} to {second + 1} s" for second, number in sorted(seconds.items()))
        told = f"{len(late)} of {len(latencies)} requests took 1 s or longer ({groups}), and {between} took 0.6 to"
        told += f" {SLOW_S:g} s."
        yield Finding(
            id="syn_retransmitted",
            severity="note",
            message=f"{told} {_cause(evidence)} {_again(evidence, late)}",
            measured=told,
            remedy=f"{OF_YOURS if evidence.runtime == 'url' else BACKLOG}, or connections that stay open",
            value=len(late),
        )


def _cause(evidence: Evidence) -> str:
    if evidence.client.syn_retransmits or evidence.usage.listen_overflows:
        return "They waited for timers of TCP, since packets of connection attempts were dropped."
    return "Such groups are those of TCP's timers, but no counter of this run shows dropped packets."


def _again(evidence: Evidence, late: Array) -> str:
    """Say when TCP sends connection attempts again here, and what else the slowest requests waited for."""
    again, linear = evidence.client.syn_retransmits, evidence.linear_timeouts
    sent = "How many connection attempts were sent again is not known"
    if again is not None:
        sent = f"Connection attempts were sent again {numbers.counted(again, 'time')}"
    if linear is None:
        when = f"after which times is not known: run.json does not have {LINEAR_TIMEOUTS}"
    else:
        moments = attempts_again_s(linear, max(float(late.max()), FIRST_S))
        times = numbers.listed([f"{moment:g}" for moment in moments])
        when = f"the kernel sends them again after {times} s ({LINEAR_TIMEOUTS} = {linear})"
    return f"{sent}; {when}.{_longest(evidence, late)}"


def _longest(evidence: Evidence, late: Array) -> str:
    """Name the requests whose handshake's last packet was dropped, as far as the counters show them.

    Such a client is connected, and sends no attempt again. So fewer attempts were sent again than the response times
    would take, and timers of something else expired: TCPTimeouts counts those of attempts too.
    """
    longest = late[late >= FIRST_S + FALLBACK_S - EARLY_S]
    if not len(longest) or not evidence.usage.listen_overflows:
        return ""
    again, timeouts, linear = evidence.client.syn_retransmits, evidence.client.timeouts, evidence.linear_timeouts
    which = f"{numbers.counted(len(longest), 'request')} of {FIRST_S + FALLBACK_S:g} s or longer"
    if again is None or timeouts is None or linear is None:
        return f" What else the {which} waited for is not known: the counters or settings of TCP are missing."
    needed = sum(len(attempts_again_s(linear, float(latency) + EARLY_S)) for latency in late)
    if again >= needed:
        return ""
    if timeouts <= again:
        return f" What else the {which} waited for is not known: no other timer of TCP expired."
    return (
        f" If all these requests had waited for attempts, {needed} would have been sent again; and of the {timeouts}"
        f" timers of TCP that expired, {timeouts - again} were not of attempts. So the last packet (ACK) of some"
        f" handshakes was dropped: such a client is connected, and its request waits for the fallback timer of"
        f" {FALLBACK_S:g} s (RFC 6298, 5.7). Among them are the {which}.{_cookies(evidence)}"
    )


def _cookies(evidence: Evidence) -> str:
    sent = evidence.usage.syn_cookies
    return f" The server answered {numbers.counted(sent, 'attempt')} with a SYN cookie." if sent else ""


def delayed_acknowledgements(evidence: Evidence) -> Iterator[Finding]:
    """Some requests take 40 ms longer than the others: TCP's delayed acknowledgements."""
    latencies = evidence.latencies_s
    if not len(latencies) or evidence.expected_s is None or evidence.expected_s > LONG_EXPECTED_S:
        return
    if evidence.plan.cpus != int(evidence.plan.cpus):
        return  # a quota stops a server for tens of milliseconds, too
    more = latencies - evidence.expected_s
    delayed = int(((more > 0.037) & (more < 0.052)).sum())
    valley = int(((more > 0.012) & (more < 0.034)).sum())
    if delayed > max(3 * valley, 0.02 * len(latencies)):
        longer = f"{delayed} of {len(latencies)} requests took about 40 ms longer than"
        why = "the time of TCP's delayed acknowledgement, which delays a response that a server writes in two pieces"
        yield Finding(
            id="delayed_ack",
            severity="note",
            message=f"{longer} predicted: {why}",
            measured=f"{longer} the others: {why}",
            remedy="set TCP_NODELAY in the server, or write the response in one piece",
            value=delayed / len(latencies),
        )
