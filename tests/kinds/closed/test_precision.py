"""Rounds are added until medians are known, or time is out."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from iolab.kinds.closed.plan import Trial
from iolab.kinds.closed.precision import Precision, half_width, rounds_until
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.samples import Sample
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
    for latency_s in (0.0208, 0.0209, 0.0208):
        known.add(record("C"), samples(latency_s))
    assert known.reached()
    for latency_s in (0.080, 0.095, 0.110):
        known.add(record("A"), samples(latency_s))
    assert not known.reached()
    for _ in range(40):
        known.add(record("A"), samples(0.095))
    assert known.reached()


def test_each_setting_is_a_cell_of_its_own() -> None:
    known = Precision(0.03, 0.0001)
    for _ in range(3):
        for change in ({"variant": "a"}, {"variant": "b"}, {"concurrency": 16}, {"cpus": 2.0}, {"model": "A"}):
            known.add(record().model_copy(update=change), samples(0.02))
    assert len(known.repeats) == 5
    known.repeats.clear()
    for _ in range(3):
        for variant, latency_s in (("short queue", 0.02), ("long queue", 0.32)):
            known.add(record().model_copy(update={"variant": variant}), samples(latency_s))
    assert known.reached()


def test_what_is_not_valid_tells_nothing() -> None:
    known = Precision(0.5, 0.0001)
    for _ in range(3):
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


def test_half_a_width_is_a_share_of_the_median() -> None:
    assert half_width((19.0, 21.0), 20.0) == pytest.approx(0.05)
    assert half_width(None, 20.0) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--precision", "300%"), "PRECISION=300%: must be a share below 1"),
        (("--budget", "soon"), "must be a time, such as 90s"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, ...], words: str) -> None:
    done = inside("bench", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
