from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from iolab.kinds.closed.evidence import Evidence
from iolab.kinds.closed.findings import findings
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, CpuPlanInfo, MachineUsage, ServerUsage
from iolab.theory.littles_law import Population


def trial(**changes: object) -> ClosedRecord:
    clean = ClosedRecord(
        index=0, repeat=0, model="A", service="blocking", concurrency=16, cpus=1.0, requested=208, sent=208, ok=208, errors=0,
        started=datetime.now(UTC), duration_s=4.0, valid=True, reason=None, rows={"requests": "samples/0000.csv.gz"},
        server=ServerUsage(), client=ClientUsage(),
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
        (Population(16, 14.0, 0.1, 1.8, 0.1), "1.8 were missing in between: the load generator was slow to ask again"),
    ],
)
def test_littles_law_names_repeats_and_cause(population: Population, words: str) -> None:
    severity, message = found(replace(CLEAN, populations=[(0, ALL_THERE), (1, population)]))["littles_law"]
    assert severity == "warning"
    assert "suspect, repeat 2:" in message
    assert f"{population.mean:.1f} of 16 users" in message
    assert words in message


def test_littles_law_knows_requests_that_failed() -> None:
    trials = (trial(), trial(repeat=1, errors=20, ok=188))
    broken = Population(16, 14.0, 0.1, 1.8, 0.1)
    found_ = found(replace(CLEAN, trials=trials, populations=[(0, ALL_THERE), (1, broken)]))
    assert "requests that failed have no latency" in found_["littles_law"][1]
    assert "littles_law" not in found(replace(CLEAN, populations=[(0, ALL_THERE), (1, ALL_THERE)]))


def test_an_invalid_trial_tells_its_reason() -> None:
    evidence = replace(CLEAN, trials=(trial(), trial(repeat=1, valid=False, reason="the server ended with status 137")))
    assert found(evidence) == {"invalid_trial": ("error", "repeat 2 is not counted: the server ended with status 137")}


def test_failed_requests_make_a_trial_doubtful_and_say_whether_it_counts() -> None:
    failed = trial(repeat=1, valid=False, ok=200, errors=8, reason="8 of 208 requests got no answer 200")
    severity, message = found(replace(CLEAN, trials=(trial(), failed)))["failed_requests"]
    assert (severity, message) == ("error", "repeat 2 is not counted: 8 of 208 requests got no answer 200")
    (alone,) = findings(replace(CLEAN, trials=(failed,)))
    assert alone.message.startswith("repeat 2 is shown, and is not to be trusted: ")
    assert "CONCURRENCY" in alone.remedy


def test_an_overflow_explains_median_and_tail() -> None:
    usage = CLEAN.usage.model_copy(update={"listen_overflows": 31})
    severity, message = found(replace(CLEAN, usage=usage, median_s=0.124, slowest_s=5.4))["listen_overflow"]
    assert severity == "warning"
    assert "31 connection attempts were dropped." in message
    assert "124 ms" in message
    assert "5.4 s" in message
    assert "whole machine" in found(replace(CLEAN, usage=usage, runtime="local"))["listen_overflow"][1]
    assert "of 5 " in found(replace(CLEAN, usage=usage, backlog=5))["listen_overflow"][1]


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
    assert "loadgen_bottleneck" not in found(replace(CLEAN, client_cpu_s=4.0))
    assert "95% of the time on its core" in found(replace(CLEAN, client_cpu_s=7.6))["loadgen_bottleneck"][1]
    two = CLEAN.plan.model_copy(update={"loadgen": (1, 2)})
    assert "loadgen_bottleneck" not in found(replace(CLEAN, client_cpu_s=7.6, plan=two))


def test_a_load_generator_near_the_most_it_reaches_by_itself() -> None:
    known = replace(CLEAN, trials=(trial(client=ClientUsage(ceiling_rps=10_000.0)),))
    assert "loadgen_bottleneck" not in found(replace(known, rate_rps=4900.0))
    message = found(replace(known, rate_rps=5100.0))["loadgen_bottleneck"][1]
    assert "5,100 requests a second, of the 10,000 that it reaches against a server that does nothing" in message
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
        ((20.0, 20.4, 27.0, 20.1), "outlier_repeat", "repeat 3 is unlike the others: its median is 27.0 ms"),
        ((27.0, 20.4, 20.2, 20.1), "first_run", "the first repeat is unlike the others"),
        ((20.0, 27.0), None, ""),
    ],
)
def test_what_repeats_tell_of_each_other(medians: tuple[float, ...], id_: str | None, words: str) -> None:
    told = found(replace(CLEAN, medians_s=[(number, median / 1000) for number, median in enumerate(medians)]))
    assert list(told) == ([id_] if id_ else [])
    assert not id_ or words in told[id_][1]


def test_latencies_late_by_a_second_and_none_by_less() -> None:
    draw = np.random.default_rng(5)
    usual = draw.normal(0.144, 0.002, 500)
    late = np.concatenate([2.1 + draw.uniform(0, 0.1, 20), 5.3 + draw.uniform(0, 0.1, 5)])
    message = found(replace(CLEAN, median_s=0.144, latencies_s=np.concatenate([usual, late])))["syn_retransmitted"][1]
    assert "25 of 525" in message
    assert "(20 by 2 to 3 s, 5 by 5 to 6 s)" in message
    slow = draw.exponential(0.4, 525)  # slow, but by no timer
    assert "syn_retransmitted" not in found(replace(CLEAN, median_s=0.28, latencies_s=slow))


def test_latencies_late_by_40_ms() -> None:
    draw = np.random.default_rng(6)
    usual, late = draw.normal(0.021, 0.001, 400), draw.normal(0.0625, 0.001, 40)
    waits = replace(CLEAN, median_s=0.021, expected_s=0.02)
    message = found(replace(waits, latencies_s=np.concatenate([usual, late])))["delayed_ack"][1]
    assert "40 of 440" in message
    assert "40 of 40 " in found(replace(waits, median_s=0.0625, latencies_s=late))["delayed_ack"][1]
    two_turns = np.concatenate([usual, draw.normal(0.041, 0.001, 400)])  # a second turn of the pool is no timer
    assert "delayed_ack" not in found(replace(waits, median_s=0.030, latencies_s=two_turns))


def usage(**changes: float) -> MachineUsage:
    quiet = {"cores": 2, "span_s": 4.0, "busy_s": 1.2, "steal_s": 0.0, "own_s": 0.1, "clock_step_s": 0.0, "slowed": 0}
    return MachineUsage.model_validate(quiet | changes)


@pytest.mark.parametrize(
    ("changes", "id_", "words"),
    [
        ({}, None, ""),
        ({"busy_s": 5.1}, "busy_machine", "used 1.0 of 2 cores during repeat 1"),
        ({"steal_s": 1.0}, "stolen_time", "12% of this machine's CPU time"),
        ({"clock_step_s": -3.0}, "clock_step", "set by -3.00 s"),
        ({"slowed": 4}, "slowed_by_heat", "4 times"),
    ],
)
def test_what_the_machine_did_meanwhile(changes: dict[str, float], id_: str | None, words: str) -> None:
    known = trial(machine=usage(**changes), server=ServerUsage(cpu_s=0.8), client=ClientUsage(cpu_s=0.2))
    told = found(replace(CLEAN, trials=(known,)))
    assert list(told) == ([id_] if id_ else [])
    assert not id_ or words in told[id_][1]
