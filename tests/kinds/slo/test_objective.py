"""Objectives: what is one, what no rate can meet, and what theory expects of it."""

from typing import Any

import numpy as np
import pytest

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.kinds.slo.judgement import decided, judge
from iolab.kinds.slo.objective import Objective
from iolab.theory.statistics import Array

P99 = Objective.parse("p99<100ms")


@pytest.mark.parametrize(
    ("text", "quantile", "limit_s"),
    [("p99<100ms", 0.99, 0.1), (" p95 < 0.2s ", 0.95, 0.2), ("mean<50ms", None, 0.05), ("p99.9<1s", 0.999, 1.0)],
)
def test_an_objective_is_read(text: str, quantile: float | None, limit_s: float) -> None:
    found = Objective.parse(text)
    assert (found.quantile, found.limit_s, found.name) == (quantile, limit_s, text.split("<", maxsplit=1)[0].strip())


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<100", "p98<100ms", "p99<0ms", "p99>100ms", "p99<-1s", f"p99<{'9' * 400}s"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be such as p99<100ms"):
        Objective.parse(text)


@pytest.mark.parametrize(
    ("text", "server", "fine"),
    [
        ("p99<20ms", {}, False),
        ("p99<21ms", {}, True),
        ("mean<5ms", {"wait_distribution": "exponential"}, False),
        ("mean<21ms", {"wait_distribution": "exponential"}, True),
        ("p50<15ms", {"wait_distribution": "exponential"}, True),  # ln 2 x 20 ms = 13.9 ms
        ("p50<13ms", {"wait_distribution": "exponential"}, False),
        ("p50<24ms", {"cpu_ms": 5.0}, False),
    ],
)
def test_an_objective_that_no_rate_can_meet_is_refused(text: str, server: dict[str, Any], fine: bool) -> None:
    settings = ServerSettings.model_validate(server)
    if fine:
        Objective.parse(text).check(settings)
        return
    with pytest.raises(UsageError, match=f"SLO={text}: without any queue it is .* ms, so no rate can meet it"):
        Objective.parse(text).check(settings)


@pytest.mark.parametrize(
    ("text", "constant_s", "server", "fine"),
    [
        ("p99<20.2ms", 0.02026, {}, False),  # the setting of 20 ms allows it
        ("p99<20.3ms", 0.02026, {}, True),
        ("mean<20.2ms", 0.02026, {"wait_distribution": "exponential"}, False),
        ("p50<14.1ms", 0.02026, {"wait_distribution": "exponential"}, False),  # 20.26 ms - 20 ms + ln 2 x 20 ms
        ("p50<14.2ms", 0.02026, {"wait_distribution": "exponential"}, True),
        ("p95<60ms", 0.068, {"cpu_ms": 10.0}, False),  # with a quarter of a CPU
    ],
)
def test_an_objective_below_what_was_measured_without_a_queue_is_refused(
    text: str, constant_s: float, server: dict[str, Any], fine: bool
) -> None:
    settings = ServerSettings.model_validate(server)
    Objective.parse(text).check(settings)
    if fine:
        Objective.parse(text).check_measured("A", constant_s, settings)
        return
    with pytest.raises(UsageError) as refused:
        Objective.parse(text).check_measured("A", constant_s, settings)
    assert str(refused.value).startswith(f"SLO={text}: without any queue it is about ")
    assert str(refused.value).endswith(" ms for A, as measured now, so no rate can meet it: allow more time")


@pytest.mark.parametrize(
    ("text", "service_s", "workers", "expected"),
    [
        ("p99<100ms", 0.02026, 1, 27.42),
        ("p95<100ms", 0.02026, 1, 34.05),
        ("p99<1s", 0.02026, 1, 47.06),
        ("p99<100ms", 0.02009, 8, 371.2),
        ("mean<40ms", 0.02, 1, 50 * 2 / 3),  # an M/D/1 queue's mean is twice the service time at 2/3
        ("mean<10ms", 0.02, 1, 0.0),
    ],
)
def test_theory_says_up_to_which_rate_it_holds(text: str, service_s: float, workers: int, expected: float) -> None:
    assert Objective.parse(text).by_theory(service_s, 0.0, workers) == pytest.approx(expected, rel=2e-4)


def test_exponential_service_and_the_time_of_the_network_leave_less() -> None:
    mean = Objective.parse("mean<40ms")
    assert mean.by_theory(0.02, 0.0, 1, "exponential") == pytest.approx(25)
    assert Objective.parse("mean<50ms").by_theory(0.02, 0.01, 1) == pytest.approx(50 * 2 / 3)
    assert Objective.parse("mean<9ms").by_theory(0.02, 0.01, 1) == 0.0


def independent(count: int, slow: int) -> Array:
    """Return so many response times, of which some take 200 ms, spread evenly, and the others 30 ms."""
    found = np.random.default_rng(1).uniform(0.028, 0.032, count)
    found[:: count // slow if slow else count + 1][:slow] = 0.2
    if slow:
        found[np.random.default_rng(2).permutation(count)] = found.copy()
    return found


def verdict(count: int, slow: int, times: float = 1.0) -> str | None:
    values = independent(count, slow)
    return decided(judge(P99, [values], [values], times), P99.limit_s)


def test_a_verdict_needs_an_interval_on_one_side() -> None:
    """Of 5000 requests, 50 may be slow by definition; by chance it can be 36 to 65 where the objective just breaks."""
    assert verdict(5000, 0) == "holds"
    assert verdict(5000, 30) == "holds"
    assert verdict(5000, 50) == "undecided"
    assert verdict(5000, 85) == "fails"


def test_few_requests_can_fail_but_not_hold() -> None:
    assert verdict(300, 0) == "undecided"
    assert verdict(300, 30) == "fails"


def test_more_is_measured_only_where_it_can_decide() -> None:
    assert verdict(300, 0, times=10.0) is None
    assert verdict(5000, 50, times=3.0) == "undecided"  # the p99 is 100 ms as far as is known: no end in sight
    assert verdict(5000, 40, times=10.0) is None
    assert verdict(5000, 40, times=1.0) == "undecided"


def test_requests_of_several_trials_count_together() -> None:
    values = independent(800, 0)
    one, three = (judge(P99, [values] * number, [values] * number, 1.0) for number in (1, 3))
    assert (one.counted, three.counted) == (800, 2400)
    assert three.independent == pytest.approx(3 * one.independent, rel=0.1)


def test_what_the_load_generator_was_late_cannot_break_an_objective_and_is_not_hidden() -> None:
    """A response time counts from the planned moment; late sending makes it longer, and that is not the server's."""
    sent = independent(5000, 0)
    late = sent + 0.2
    found = judge(P99, [late], [sent], 1.0)
    assert decided(found, P99.limit_s) == "undecided"
    assert decided(judge(P99, [late], [late], 1.0), P99.limit_s) == "fails"


def test_a_request_without_an_answer_breaks_it() -> None:
    values = independent(5000, 0)
    found = judge(P99, [values], [values], 1.0)
    assert decided(found, P99.limit_s, unanswered=1) == "fails"
    nothing = judge(P99, [], [], 1.0)
    assert (nothing.value_s, nothing.low_s, nothing.high_s) == (None, None, None)
    assert decided(nothing, P99.limit_s) == "undecided"
    assert decided(judge(P99, [], [], 2.0), P99.limit_s) is None
