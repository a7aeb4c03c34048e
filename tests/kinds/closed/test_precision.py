"""Rounds are added until medians are known, or time is out."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from iolab.errors import UsageError
from iolab.kinds.closed.plan import Trial
from iolab.kinds.closed.precision import Median, Precision, at_least, check_resolution, reach, rounds_until
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.samples import Sample
from iolab.theory.statistics import median_interval
from tests.conftest import Run


def record(model: str = "C", *, valid: bool = True) -> ClosedRecord:
    return ClosedRecord(
        index=0, repeat=0, model=model, service="x", concurrency=4, cpus=1.0, requested=4, sent=4, ok=4, errors=0,
        started=datetime.now(UTC), duration_s=1.0, valid=valid, reason=None,
        server=ServerUsage(), client=ClientUsage(),
    )  # fmt: skip


def samples(latency_s: float) -> list[Sample]:
    return [Sample(0.0, latency_s, 200)] * 20


def endless() -> Iterator[list[Trial]]:
    number = 0
    while True:
        yield [Trial(index=number, repeat=number, model="C", service="x", concurrency=4, cpus=1.0, requests=4)]
        number += 1


def test_it_is_reached_when_every_cell_is_known() -> None:
    known = Precision(0.03, 0.0001)
    for latency_s in (0.0208, 0.0209, 0.0208, 0.0209, 0.0208):
        known.add(record("C"), samples(latency_s))
    assert known.reached()
    for latency_s in (0.080, 0.095, 0.110):
        known.add(record("A"), samples(latency_s))
    assert not known.reached()
    for _ in range(40):
        known.add(record("A"), samples(0.095))
    assert known.reached()


def test_three_repeats_that_agree_by_chance_do_not_end_it() -> None:
    known = Precision(0.03, 0.0001)
    for number in range(5):
        assert not known.reached(), number
        known.add(record(), samples(0.02))
    assert known.reached()


def test_it_must_be_reached_in_two_rounds_one_after_the_other() -> None:
    """The last of six repeats makes the interval short enough; the round before, it was too long."""
    latencies_s = (0.0200, 0.0205, 0.0200, 0.0205, 0.0215, 0.0203)
    wanted = 0.037
    widths = []
    for count in (5, 6):
        values = [np.full(20, each) for each in latencies_s[:count]]
        widths.append(reach(median_interval(values, 0.0001), float(np.median(np.concatenate(values)))) or 1.0)
    assert widths[1] < wanted < widths[0]
    known = Precision(wanted, 0.0001)
    for latency_s in latencies_s:
        known.add(record(), samples(latency_s))
    assert not known.reached()
    known.add(record(), samples(0.0203))
    assert known.reached()


def test_each_setting_is_a_cell_of_its_own() -> None:
    known = Precision(0.03, 0.0001)
    for change in ({}, {"variant": "long queue"}, {"concurrency": 16}, {"cpus": 2.0}, {"model": "A"}):
        known.add(record().model_copy(update=change), samples(0.02))
    assert len(known.repeats) == 5


def test_variants_that_differ_are_no_repeats_that_disagree() -> None:
    known = Precision(0.03, 0.0001)
    for _ in range(5):
        for variant, latency_s in (("short queue", 0.02), ("long queue", 0.32)):
            known.add(record().model_copy(update={"variant": variant}), samples(latency_s))
    assert known.reached()


def test_what_is_not_valid_tells_nothing() -> None:
    known = Precision(0.5, 0.0001)
    for _ in range(9):
        known.add(record(valid=False), samples(0.02))
    assert not known.reached()


@pytest.mark.parametrize(("enough_after", "time_after", "rounds"), [(5, 99, 5), (99, 4, 4), (0, 0, 3), (1, 99, 3)])
def test_at_least_the_planned_rounds_then_until_enough_or_out_of_time(
    enough_after: int, time_after: int, rounds: int
) -> None:
    done: list[Trial] = []
    for trial in rounds_until(endless(), 3, lambda: len(done) >= enough_after, lambda: len(done) >= time_after):
        done.append(trial)  # noqa: PERF402 (the conditions look at it meanwhile)
    assert len(done) == rounds


def test_the_longer_side_of_an_interval_is_a_share_of_the_median() -> None:
    assert reach((19.0, 21.0), 20.0) == pytest.approx(0.05)
    assert reach((19.8, 22.0), 20.0) == pytest.approx(0.1)
    assert reach((18.0, 20.2), 20.0) == pytest.approx(0.1)
    assert reach(None, 20.0) is None


def test_no_interval_is_shorter_than_the_precision_asked_for() -> None:
    assert at_least((19.9, 20.1), 20.0, 0.05) == pytest.approx((19.0, 21.0))
    assert at_least((18.0, 20.1), 20.0, 0.05) == pytest.approx((18.0, 21.0))
    assert at_least((19.9, 23.0), 20.0, 0.05) == pytest.approx((19.0, 23.0))


def test_a_precision_below_the_resolution_is_refused_with_the_least_one() -> None:
    medians = [Median(0.08, "A", 4), Median(0.02, "C", 16)]
    check_resolution(0.005, "hey", medians)  # 0.1 ms
    check_resolution(0.0001, "locust", medians)
    with pytest.raises(UsageError) as refused:
        check_resolution(0.0049, "hey", medians)
    assert str(refused.value) == (
        "PRECISION=0.49%: hey measures in steps of 0.1 ms, and that share of the shortest expected median (C with"
        " 16 users, 20 ms) is 0.098 ms: ask for 0.5% or more, or use LOADGEN=locust"
    )
    with pytest.raises(UsageError, match=r"ask for 0\.13% or more"):
        check_resolution(0.001, "hey", [Median(0.08, "A", 4)])  # 0.125%, rounded up


def test_without_theory_the_medians_of_the_first_round_tell_whether_a_precision_can_be_measured() -> None:
    """A server of others: the whole budget would go on a precision that cannot be reached."""
    known = Precision(0.001, 0.0001)
    known.check("hey")  # nothing is measured yet
    known.add(record("http://127.0.0.1:9000"), samples(0.002))
    known.add(record("http://127.0.0.1:9000", valid=False).model_copy(update={"concurrency": 16}), samples(0.001))
    with pytest.raises(UsageError, match=r"shortest measured median \(http://127.0.0.1:9000 with 4 users, 2 ms\)"):
        known.check("hey")
    known.check("locust")
    done: list[Trial] = []

    def stops() -> None:
        raise UsageError(f"after {len(done)}")

    with pytest.raises(UsageError, match="after 1"):
        for trial in rounds_until(endless(), 3, lambda: False, lambda: False, stops):
            done.append(trial)  # noqa: PERF402 (the condition looks at it meanwhile)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--precision", "300%"), "PRECISION=300%: must be a share below 1"),
        pytest.param(
            ("--precision", "0.1%", "--runtime", "local", "--models", "C", "--loadgen", "hey"),
            "hey measures in steps of 0.1 ms",
            marks=pytest.mark.needs("hey"),
        ),
        (("--budget", "soon"), "must be a time, such as 90s"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, ...], words: str) -> None:
    done = inside("bench", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
