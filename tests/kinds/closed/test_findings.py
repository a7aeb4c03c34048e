import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from iolab.kinds.closed.evidence import Evidence
from iolab.kinds.closed.findings import findings
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.run_info import CpuPlanInfo
from iolab.theory.littles_law import Population
from tests import quiet


def trial(**changes: object) -> ClosedRecord:
    clean = ClosedRecord(
        index=0, repeat=0, model="A", service="blocking", concurrency=16, cpus=1.0, requested=208, sent=208, ok=208, errors=0,
        started=datetime.now(UTC), duration_s=4.0, valid=True, reason=None, rows={"requests": "samples/0000.csv.gz"},
        server=quiet.SERVER, client=quiet.CLIENT, machine=quiet.machine(),
    )  # fmt: skip
    return clean.model_copy(update=changes)


CLEAN = Evidence(
    trials=(trial(), trial(repeat=1)),
    plan=CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True),
    usage=ServerUsage(
        cpu_s=1.0, throttled_s=0.01, threads_peak=1, rss_peak_bytes=1, listen_overflows=0, listen_drops=0
    ),
    duration_s=8.0,
    median_s=0.082,
    slowest_s=0.090,
    backlog=None,
    runtime="docker",
)


def found(evidence: Evidence) -> dict[str, tuple[str, str]]:
    return {finding.id: (finding.severity, finding.message) for finding in findings(evidence)}


def test_a_clean_cell_has_none() -> None:
    assert found(CLEAN) == {}


ALL_THERE = Population(users=16, mean=15.9, start=0.06, middle=0.0, end=0.04)


@pytest.mark.parametrize(
    ("population", "words"),
    [
        (Population(16, 8.7, 0.0, 0.0, 7.3), "7.3 were missing at the end"),
        (Population(16, 12.0, 3.9, 0.0, 0.1), "3.9 were missing at the start"),
        (
            Population(16, 14.0, 0.1, 1.8, 0.1),
            "1.8 were missing in between: the load generator was slow to send the next request",
        ),
    ],
)
def test_littles_law_names_repeats_and_cause(population: Population, words: str) -> None:
    evidence = replace(CLEAN, populations=[(0, ALL_THERE), (1, population)])
    severity, message = found(evidence)["littles_law"]
    (finding,) = findings(evidence)
    assert finding.value == pytest.approx((16 - population.mean) / 16)
    assert severity == "warning"
    assert "suspect, repeat 2:" in message
    assert f"{population.mean:.1f} of 16 users" in message
    assert words in message


def test_littles_law_knows_requests_that_failed() -> None:
    trials = (trial(), trial(repeat=1, errors=20, ok=188))
    broken = Population(16, 14.0, 0.1, 1.8, 0.1)
    found_ = found(replace(CLEAN, trials=trials, populations=[(0, ALL_THERE), (1, broken)]))
    assert "requests that failed have no response time" in found_["littles_law"][1]
    assert "littles_law" not in found(replace(CLEAN, populations=[(0, ALL_THERE), (1, ALL_THERE)]))


def test_an_invalid_trial_tells_its_reason() -> None:
    evidence = replace(CLEAN, trials=(trial(), trial(repeat=1, valid=False, reason="the server ended with status 137")))
    assert found(evidence) == {"invalid_trial": ("error", "repeat 2 is left out: the server ended with status 137")}


def test_failed_requests_make_a_trial_doubtful_and_say_whether_it_counts() -> None:
    failed = trial(repeat=1, valid=False, ok=200, errors=8, reason="8 of 208 requests got no answer 200")
    severity, message = found(replace(CLEAN, trials=(trial(), failed)))["failed_requests"]
    assert (severity, message) == ("error", "repeat 2 is left out: 8 of 208 requests got no answer 200")
    (alone,) = findings(replace(CLEAN, trials=(failed,)))
    assert alone.message.startswith("repeat 2 is shown, but cannot be trusted: ")
    assert "CONCURRENCY" in alone.remedy


def overflowed(**changes: object) -> Evidence:
    """Return a cell of 16 users whose accept queue takes six: 500 quick requests, 20 after 2 s, 5 after 5.4 s."""
    draw = np.random.default_rng(5)
    late = np.concatenate([2.05 + draw.uniform(0, 0.1, 20), 5.37 + draw.uniform(0, 0.05, 5)])
    short = replace(
        CLEAN,
        usage=CLEAN.usage.model_copy(update={"listen_overflows": 93}),
        median_s=0.144,
        slowest_s=float(late.max()),
        latencies_s=np.concatenate([draw.normal(0.144, 0.002, 500), late]),
        backlog=5,
        short_queue=True,
        expected_s=0.14,
        client=ClientUsage(syn_retransmits=50, timeouts=55),
        linear_timeouts=4,
    )
    return replace(short, **changes)  # type: ignore[arg-type]


def test_an_overflow_counts_packets_attempts_and_requests() -> None:
    severity, message = found(overflowed())["listen_overflow"]
    assert severity == "warning"
    for words in (
        "(listen backlog 5): the kernel dropped 93 packets of connection attempts. Attempts were sent again 50 times.",
        "25 of 525 requests took 1 s or longer, the slowest 5.4 s",
        "the median is 144 ms, as predicted for the 7 users that circulate (140 ms)",
    ):
        assert words in message
    assert "as predicted" not in found(overflowed(median_s=0.2))["listen_overflow"][1]
    assert "as predicted" not in found(overflowed(short_queue=False))["listen_overflow"][1]
    assert "took 1 s" not in found(overflowed(latencies_s=np.full(500, 0.144)))["listen_overflow"][1]
    assert "sent again is not known" in found(overflowed(client=ClientUsage()))["listen_overflow"][1]
    known = found(overflowed(client=ClientUsage(syn_retransmits=0)))["listen_overflow"][1]
    assert "Attempts were sent again 0 times." in known
    assert "whole machine" in found(overflowed(runtime="local"))["listen_overflow"][1]
    assert "the server's own listen backlog" in found(overflowed(backlog=None))["listen_overflow"][1]


def limited(**changes: object) -> Evidence:
    """Return a cell of 200 users of a pool that accepts 98 connections, of which the other users' requests failed."""
    one = trial(model="B", service="threadpool", concurrency=200, requested=2400, sent=2400, ok=2294, errors=106)
    failed = one.model_copy(update={"valid": False, "reason": "106 of 2400 requests got no answer 200"})
    few = replace(CLEAN, trials=(failed,), median_s=0.25, slowest_s=0.3, expected_s=0.5, accepted=98, accepted_s=0.245)
    return replace(few, **changes)  # type: ignore[arg-type]


def test_a_connection_limit_is_named_where_the_median_is_that_of_accepted_users() -> None:
    severity, message = found(limited())["connection_limit"]
    assert severity == "warning"
    assert "accepts 98 connections, and there are 200 users" in message
    assert "median of 250 ms is that of 98 users (245 ms), not of 200 (500 ms)" in message
    assert "other 102 wait in the accept queue until accepted ones close: the kernel dropped no packet." in message
    assert "106 requests got no answer" in message
    remedies = {each.id: each.remedy for each in findings(limited())}
    assert "CONNECTION_LIMIT=400" in remedies["connection_limit"]
    assert remedies["failed_requests"] == remedies["connection_limit"]  # and no longer listen backlog


def test_a_limit_that_no_variable_changes_has_another_remedy() -> None:
    remedies = {each.id: each.remedy for each in findings(replace(limited(), limit_fixed=True))}
    assert remedies["connection_limit"].startswith("server B, which has the same code")
    assert "CONNECTION_LIMIT=" not in remedies["failed_requests"]


def test_a_connection_limit_is_not_named_without_its_signs() -> None:
    dropped = CLEAN.usage.model_copy(update={"listen_overflows": 5})
    assert "no packet" not in found(limited(usage=dropped))["connection_limit"][1]
    for other in (
        limited(median_s=0.5),  # that of all users
        limited(median_s=0.36),  # of neither
        limited(median_s=0.15),
        limited(median_s=0.5, accepted=180, accepted_s=0.45),  # nearer to that of all users
        limited(median_s=None),
        limited(accepted=None, accepted_s=None),
        limited(expected_s=None),
    ):
        assert "connection_limit" not in found(other)
        assert "BACKLOG=400" in {each.id: each.remedy for each in findings(other)}["failed_requests"]


def pooled(**changes: object) -> Evidence:
    """Return a cell of 64 users who share eight connections to the downstream service, with 20 ms of wait."""
    one = trial(model="C", service="asyncio", concurrency=64, requested=640, sent=640, ok=640)
    few = replace(CLEAN, trials=(one,), median_s=0.165, expected_s=0.16, connections=8, unpooled_s=0.02)
    return replace(few, **changes)  # type: ignore[arg-type]


def test_a_pool_is_named_where_the_median_is_that_of_users_that_share_it() -> None:
    severity, message = found(pooled())["downstream_pool"]
    assert severity == "note"
    assert message.startswith(
        "8 connections to the downstream service are the limit, not the server, which can wait with any number of"
        " requests: other requests wait inside the server for a connection. "
    )
    assert "median of 165 ms is that of 64 users that share them (160 ms); without the pool theory has 20 ms" in message
    (finding,) = findings(pooled())
    assert "DOWNSTREAM=16" in finding.remedy
    assert finding.value == 8
    assert finding.measured
    assert "160 ms" not in finding.measured
    one_of_many = found(pooled(workers=16, connections=1))["downstream_pool"][1]
    assert one_of_many.startswith("1 connection to the downstream service is the limit, not the 16 workers: ")


def test_a_pool_is_not_named_without_its_signs() -> None:
    for other in (
        pooled(median_s=0.021),  # nothing waited
        pooled(median_s=0.3),  # something else did
        pooled(median_s=0.11),
        pooled(median_s=0.13, unpooled_s=0.125),  # nearer to what it is without a pool
        pooled(median_s=None),
        pooled(connections=None),
        pooled(expected_s=None),
        pooled(unpooled_s=None),
    ):
        assert "downstream_pool" not in found(other)


def test_what_a_pool_shows_is_expected_where_it_varies() -> None:
    assert [each.expected for each in findings(pooled(connections_vary=True))] == [True]
    assert [each.expected for each in findings(pooled())] == [False]


def test_a_wait_behind_a_connection_limit_is_no_timer_of_tcp() -> None:
    late = np.concatenate([np.full(500, 0.25), np.full(98, 1.43)])
    assert "syn_retransmitted" not in found(limited(latencies_s=late))
    for other in (
        limited(latencies_s=late, median_s=0.4),
        limited(latencies_s=late, client=ClientUsage(syn_retransmits=3)),
    ):
        assert "syn_retransmitted" in found(other)


def test_what_a_connection_limit_shows_is_expected_where_it_varies() -> None:
    shown = {each.id: each.expected for each in findings(limited(limit_varies=True))}
    assert shown == {"connection_limit": True, "failed_requests": True}
    for other in (limited(), limited(limit_varies=True, median_s=0.5)):
        assert not any(each.expected for each in findings(other))


def test_what_a_short_queue_shows_is_expected_where_the_backlog_varies() -> None:
    broken = [(0, Population(16, 8.7, 0.0, 0.0, 7.3))]
    short = overflowed(populations=broken, trials=(trial(requested=80),))
    shown = {each.id: each.expected for each in findings(replace(short, backlog_varies=True))}
    assert shown == {"listen_overflow": True, "littles_law": True, "syn_retransmitted": True, "short_trial": False}
    for other in (short, replace(short, backlog_varies=True, short_queue=False)):
        assert not any(each.expected for each in findings(other))


@pytest.mark.parametrize(
    ("cpus", "cores", "remedy"), [(2.0, (0, 1), "use CPUS=1"), (1.0, (0,), "use a machine with more cores")]
)
def test_shared_cores(cpus: float, cores: tuple[int, ...], remedy: str) -> None:
    plan = CpuPlanInfo(cpus=cpus, server=cores, loadgen=cores, shared=True, pinned=True)
    (finding,) = findings(replace(CLEAN, plan=plan))
    assert (finding.id, finding.remedy) == ("shared_cores", remedy)


def test_throttling_beyond_a_fiftieth_of_the_load() -> None:
    assert "throttled" not in found(replace(CLEAN, usage=CLEAN.usage.model_copy(update={"throttled_s": 0.15})))
    assert "throttled" in found(replace(CLEAN, usage=CLEAN.usage.model_copy(update={"throttled_s": 0.17})))


def test_a_trial_of_a_few_requests_a_user() -> None:
    assert "short_trial" in found(replace(CLEAN, trials=(trial(requested=80),)))
    assert "short_trial" not in found(replace(CLEAN, trials=(trial(requested=96),)))


def test_what_is_not_known_is_no_finding() -> None:
    assert found(replace(CLEAN, usage=ServerUsage(), median_s=None, slowest_s=None)) == {}


def test_a_platform_that_cannot_pin() -> None:
    assert "not_pinned" in found(replace(CLEAN, plan=CLEAN.plan.model_copy(update={"pinned": False})))


def test_the_gravest_come_first_and_every_one_has_a_remedy() -> None:
    plan = CLEAN.plan.model_copy(update={"shared": True})
    both = findings(replace(CLEAN, plan=plan, trials=(trial(ok=1, errors=207, valid=False, reason="x"),)))
    assert [finding.severity for finding in both] == ["error", "warning"]
    assert all(finding.remedy for finding in both)


def test_fewer_requests_than_asked() -> None:
    severity, message = found(replace(CLEAN, trials=(trial(), trial(repeat=1, sent=150, ok=150))))["fewer_sent"]
    assert (severity, message) == ("error", "repeat 2: 150 of 208 requests were sent")


def test_a_load_generator_near_its_limit() -> None:
    light, heavy = ClientUsage(cpu_s=4.0), ClientUsage(cpu_s=7.6)
    assert "loadgen_bottleneck" not in found(replace(CLEAN, client=light))
    assert "95% of the time of its core" in found(replace(CLEAN, client=heavy))["loadgen_bottleneck"][1]
    for cores in (2, 4, 64):  # more cores help threads, and not one process that uses a single core
        more = CLEAN.plan.model_copy(update={"loadgen": tuple(range(1, 1 + cores))})
        assert "loadgen_bottleneck" not in found(replace(CLEAN, client=heavy, plan=more))
        single = heavy.model_copy(update={"busiest_share": 0.95})
        message = found(replace(CLEAN, client=single, plan=more))["loadgen_bottleneck"][1]
        assert "95% of the time of a core in one process" in message


def test_a_load_generator_near_the_most_it_reaches_by_itself() -> None:
    known = replace(CLEAN, client=ClientUsage(ceiling_rps=10_000.0))
    assert "loadgen_bottleneck" not in found(replace(known, rate_rps=4900.0))
    message = found(replace(known, rate_rps=5100.0))["loadgen_bottleneck"][1]
    assert "5,100 requests a second, of the 10,000 that it reaches against a null server" in message
    assert "loadgen_bottleneck" not in found(replace(CLEAN, rate_rps=5100.0))


def test_a_quota_needs_some_of_its_periods() -> None:
    quarter = CLEAN.plan.model_copy(update={"cpus": 0.25})
    message = found(replace(CLEAN, plan=quarter, spans_s=[0.4, 2.0]))["short_for_quota"][1]
    assert "0.40 s" in message
    assert "25 ms in each period" in message
    assert "short_for_quota" not in found(replace(CLEAN, plan=quarter, spans_s=[1.2, 2.0]))
    assert "short_for_quota" not in found(replace(CLEAN, spans_s=[0.1]))


@pytest.mark.parametrize(
    ("medians", "id_", "words"),
    [
        ((20.0, 20.4, 20.8, 20.1), None, ""),
        ((20.0, 22.5, 25.0, 28.0), "repeats_disagree", "between 20.0 and 28.0 ms"),
        ((20.0, 20.4, 27.0, 20.1), "outlier_repeat", "repeat 3 differs from the others: its median is 27.0 ms"),
        ((27.0, 20.4, 20.2, 20.1), "first_run", "the first repeat differs from the others"),
        ((20.0, 27.0), None, ""),
    ],
)
def test_what_repeats_tell_of_each_other(medians: tuple[float, ...], id_: str | None, words: str) -> None:
    told = found(replace(CLEAN, medians_s=[(number, median / 1000) for number, median in enumerate(medians)]))
    assert list(told) == ([id_] if id_ else [])
    assert not id_ or words in told[id_][1]


@pytest.mark.parametrize(
    ("medians_s", "fixed"),
    [
        ((0.020, 0.0204, 0.027, 0.0201), "something may have disturbed it"),
        ((0.027, 0.0204, 0.0202), "may have been cold"),
    ],
)
def test_what_random_service_times_do_to_repeats_is_not_put_down_to_a_disturbance(
    medians_s: tuple[float, ...], fixed: str
) -> None:
    apart = replace(CLEAN, medians_s=list(enumerate(medians_s)))
    (constant,), (random,) = findings(apart), findings(replace(apart, random_service=True))
    assert fixed in constant.remedy
    assert fixed not in random.remedy
    assert "service times are random, so repeats differ by chance" in random.remedy


def test_requests_that_took_a_second_and_almost_none_a_little_less() -> None:
    message = found(overflowed())["syn_retransmitted"][1]
    assert "25 of 525 requests took 1 s or longer (20 took 2 to 3 s, 5 took 5 to 6 s), and 0 took 0.6 to" in message
    assert "waited for timers of TCP, since packets of connection attempts were dropped" in message
    none = overflowed(usage=CLEAN.usage, client=ClientUsage(syn_retransmits=0))
    assert "no counter of this run shows dropped packets" in found(none)["syn_retransmitted"][1]
    slow = np.random.default_rng(6).exponential(0.4, 525)  # slow, but by no timer
    assert "syn_retransmitted" not in found(overflowed(median_s=0.28, latencies_s=slow))


def test_the_kernel_s_timers_are_read_and_never_assumed() -> None:
    assert (
        "after 1, 2, 3, 4 and 5 s (net.ipv4.tcp_syn_linear_timeouts = 4)" in found(overflowed())["syn_retransmitted"][1]
    )
    older = found(overflowed(linear_timeouts=0))["syn_retransmitted"][1]
    assert "after 1 and 3 s (net.ipv4.tcp_syn_linear_timeouts = 0)" in older
    unknown = found(overflowed(linear_timeouts=None, client=ClientUsage()))["syn_retransmitted"][1]
    assert "How many connection attempts were sent again is not known; after which times is not known" in unknown


def test_a_dropped_last_packet_is_named_only_where_the_counters_show_it() -> None:
    """Attempts alone would be 20 x 2 + 5 x 5 = 65; 50 say that the slowest five sent two each, and then data."""
    message = found(overflowed())["syn_retransmitted"][1]
    for words in (
        "If all these requests had waited for attempts, 65 would have been sent again;",
        "of the 55 timers of TCP that expired, 5 were not of attempts",
        "the last packet (ACK) of some handshakes was dropped",
        "fallback timer of 3 s (RFC 6298, 5.7). Among them are the 5 requests of 4 s or longer",
    ):
        assert words in message
    assert "SYN cookie" not in message
    cookies = overflowed(usage=ServerUsage(listen_overflows=93, syn_cookies=5))
    assert "The server answered 5 attempts with a SYN cookie." in found(cookies)["syn_retransmitted"][1]
    for client, words in (
        (ClientUsage(syn_retransmits=50), "What else the 5 requests of 4 s or longer waited for is not known"),
        (ClientUsage(syn_retransmits=50, timeouts=50), "is not known: no other timer of TCP expired"),
    ):
        other = found(overflowed(client=client))["syn_retransmitted"][1]
        assert words in other
        assert "RFC 6298" not in other
    explained = found(overflowed(client=ClientUsage(syn_retransmits=65, timeouts=70)))["syn_retransmitted"][1]
    assert "4 s or longer" not in explained


def test_latencies_late_by_40_ms() -> None:
    draw = np.random.default_rng(6)
    usual, late = draw.normal(0.021, 0.001, 400), draw.normal(0.0625, 0.001, 40)
    waits = replace(CLEAN, median_s=0.021, expected_s=0.02)
    message = found(replace(waits, latencies_s=np.concatenate([usual, late])))["delayed_ack"][1]
    assert "40 of 440" in message
    assert "40 of 40 " in found(replace(waits, median_s=0.0625, latencies_s=late))["delayed_ack"][1]
    two_turns = np.concatenate([usual, draw.normal(0.041, 0.001, 400)])  # a second turn of the pool is no timer
    assert "delayed_ack" not in found(replace(waits, median_s=0.030, latencies_s=two_turns))


def test_a_queue_of_slightly_longer_service_times_is_no_delayed_acknowledgement() -> None:
    """16 x 23 ms where 16 x 20 ms are expected: the machine was busy."""
    slow = np.random.default_rng(6).normal(0.365, 0.002, 600)
    assert "delayed_ack" not in found(replace(CLEAN, median_s=0.365, expected_s=0.32, latencies_s=slow))


@pytest.mark.parametrize(
    ("changes", "id_", "words"),
    [
        ({}, None, ""),
        ({"busy_s": (0.8, 3.3)}, "busy_machine", "used 0.8 of core 1 (the load generator's) during repeat 1"),
        ({"steal_s": (0.48, 0.0)}, "stolen_time", "12% of the CPU time of core 0 (the server's) during repeat 1"),
        ({"clock_step_s": -3.0}, "clock_step", "set by -3.00 s"),
        ({"slowed": 4}, "slowed_by_heat", "4 times"),
    ],
)
def test_what_the_machine_did_meanwhile(changes: dict[str, Any], id_: str | None, words: str) -> None:
    told = found(replace(CLEAN, trials=(trial(machine=quiet.machine(**changes)),)))
    assert list(told) == ([id_] if id_ else [])
    assert not id_ or words in told[id_][1]


def test_open_files_are_named_where_users_need_more_than_a_process_may_have() -> None:
    failed = trial(valid=False, ok=120, errors=88, reason="88 of 208 requests got no answer 200")
    few = found(replace(CLEAN, trials=(failed,), open_files=40))
    assert few["open_files"][0] == "error"
    assert "may have 40 open files, and 16 users" in few["open_files"][1]
    assert "open_files" not in found(replace(CLEAN, trials=(failed,), open_files=1024))
    assert "open_files" not in found(replace(CLEAN, trials=(failed,)))
    assert "open_files" not in found(replace(CLEAN, open_files=40))


@pytest.mark.parametrize(("backlog", "advised"), [(None, "BACKLOG=128"), (5, "BACKLOG=128"), (128, ""), (1024, "")])
def test_findings_advise_one_length_of_the_queue_and_never_the_one_that_it_has(
    backlog: int | None, advised: str
) -> None:
    failed = trial(valid=False, ok=120, errors=88, reason="88 of 208 requests got no answer 200")
    missing = Population(16, 8.7, 0.0, 0.0, 7.3)
    usage = replace(CLEAN, backlog=backlog, trials=(failed,), populations=[(0, missing)]).usage
    evidence = replace(
        CLEAN,
        backlog=backlog,
        trials=(failed,),
        populations=[(0, missing)],
        usage=usage.model_copy(update={"listen_overflows": 93}),
    )
    remedies = [each.remedy for each in findings(evidence)]
    assert {word for remedy in remedies for word in re.findall(r"BACKLOG=\d+", remedy)} == (
        {advised} if advised else set()
    )
