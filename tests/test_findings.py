from dataclasses import replace
from datetime import UTC, datetime

import pytest

from iolab.findings import Evidence, findings
from iolab.records import ClientUsage, CpuPlanInfo, ServerUsage, TrialRecord


def trial(**changes: object) -> TrialRecord:
    clean = TrialRecord(
        index=0, repeat=0, model="A", service="blocking", concurrency=16, cpus=1.0, requested=208, sent=208, ok=208, errors=0,
        started=datetime.now(UTC), duration_s=4.0, valid=True, reason=None, samples="samples/0000.csv.gz",
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
