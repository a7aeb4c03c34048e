from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.slo.document import sentence, verdict
from iolab.kinds.slo.plan import BISECTIONS, HIGH, LOW, Found, Objective, TriedRate, by_theory, next_rate, search
from iolab.results.samples import OpenSample

KNOWN = Calibration(service_s=0.02, overhead_s=0.0, transit_s=0.0)


@pytest.mark.parametrize(
    ("text", "quantile", "limit_s"),
    [("p99<100ms", 0.99, 0.1), (" p95 < 0.2s ", 0.95, 0.2), ("mean<50ms", None, 0.05), ("p99.9<1s", 0.999, 1.0)],
)
def test_an_objective_is_read(text: str, quantile: float | None, limit_s: float) -> None:
    found = Objective.parse(text)
    assert (found.quantile, found.limit_s) == (quantile, limit_s)


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<100", "p98<100ms", "p99<0ms", "p99>100ms", "p99<-1s", f"p99<{'9' * 400}s"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be such as p99<100ms"):
        Objective.parse(text)


def test_a_request_without_an_answer_breaks_it() -> None:
    fine = OpenSample(0.0, 0.0, 0.02, 200, 0.02)
    objective = Objective.parse("p95<100ms")
    assert objective.value_s([fine] * 50) == pytest.approx(0.02)
    assert objective.value_s([*[fine] * 50, OpenSample(0.0, 0.0, 0.02, 0, None)]) is None
    assert objective.value_s([]) is None


@pytest.mark.parametrize(("limit", "expected"), [(30.0, 30.0), (1000.0, 98.0), (1.0, None)])
def test_the_search_ends_near_the_highest_rate(limit: float, expected: float | None) -> None:
    trials = tuple(search(lambda rate: TriedRate(rate, rate / 1000, rate < limit), 98.0))
    found = Found("A", "blocking", 1, trials, KNOWN, None)
    if expected is None:
        assert found.best is None
    else:
        assert found.best
        assert expected / 1.06 < found.best.rate_rps <= expected


def test_a_search_that_goes_on_takes_the_step_that_it_would_have_taken() -> None:
    """Its trials are all that it knows."""
    trials = list(search(lambda rate: TriedRate(rate, rate / 1000, rate < 30.0), 98.0))
    assert [trial.rate_rps for trial in trials[:3]] == pytest.approx([98.0, 20.0, (98.0 * 20.0) ** 0.5])
    assert len(trials) == 2 + BISECTIONS
    for number, trial in enumerate(trials):
        assert next_rate(trials[:number], 98.0) == trial.rate_rps
    assert next_rate(trials, 98.0) is None
    assert next_rate([TriedRate(98.0, 0.1, holds=True)], 98.0) is None
    assert next_rate([TriedRate(98.0, 0.1, holds=False), TriedRate(20.0, 0.1, holds=False)], 98.0) is None


def test_one_rate_that_failed_by_chance_counts_against_those_above_it() -> None:
    trials = (
        TriedRate(98, 1, holds=False),
        TriedRate(5, 0, holds=True),
        TriedRate(40, 0, holds=True),
        TriedRate(30, 1, holds=False),
    )
    found = Found("A", "blocking", 1, trials, KNOWN, None)
    assert found.best == trials[1]
    assert found.broken == trials[3]


def test_theory_says_what_a_queue_sustains() -> None:
    """An M/D/1 queue's mean is 40 ms at a utilisation of 2/3, an M/M/1 queue's at 1/2."""
    mean, loose = Objective.parse("mean<40ms"), Objective.parse("p99<1s")
    assert by_theory(mean, KNOWN, 1, "constant") == pytest.approx(50 * 2 / 3)
    assert by_theory(mean, KNOWN, 1, "exponential") == pytest.approx(25)
    assert by_theory(Objective.parse("mean<10ms"), KNOWN, 1, "constant") == 0.0
    assert 400 * HIGH < by_theory(loose, KNOWN, 8, "constant") < 400  # higher than the search goes
    assert LOW < HIGH < 1


def test_the_time_that_client_and_network_take_is_part_of_the_objective() -> None:
    slow = Calibration(service_s=0.02, overhead_s=0.0, transit_s=0.01)
    assert by_theory(Objective.parse("mean<50ms"), slow, 1, "constant") == pytest.approx(50 * 2 / 3)
    assert by_theory(Objective.parse("mean<9ms"), slow, 1, "constant") == 0.0


def test_sentences_say_what_was_found() -> None:
    objective = Objective.parse("p99<100ms")
    held, broken = TriedRate(30.0, 0.09, holds=True), TriedRate(32.0, 0.12, holds=False)
    unanswered = TriedRate(32.0, None, holds=False)

    def say(
        *trials: TriedRate, workers: float = 1, theory_rps: float | None = 31.0, reason: str = ""
    ) -> tuple[str, str]:
        found = Found("A", "x", workers, trials, KNOWN, theory_rps, reason)
        return verdict(found), sentence(found, objective)

    assert say(held, broken) == (
        "30.0/s",
        "A meets p99<100ms up to 30.0/s, 60% utilisation; at 32.0/s the p99 is 120 ms.",
    )
    assert say(held, unanswered)[1].endswith("60% utilisation; at 32.0/s a request got no response.")
    assert say(held, broken, workers=float("inf"), theory_rps=None)[1] == (
        "A meets p99<100ms up to 30.0/s; at 32.0/s the p99 is 120 ms."
    )
    assert say(held)[1] == "A meets p99<100ms at 30.0/s, the highest rate that was tried."
    assert say(broken) == ("none", "A does not meet p99<100ms at any rate that was tried.")
    why = "The search for A did not end: it was interrupted."
    cut = "it was interrupted"
    assert say(broken, held, reason=cut)[1] == (
        f"A meets p99<100ms at 30.0/s, 60% utilisation; at 32.0/s the p99 is 120 ms. {why}"
    )
    assert say(held, reason=cut)[1] == f"A meets p99<100ms at 30.0/s. {why}"
    assert say(broken, reason=cut) == ("not known", f"A does not meet p99<100ms at 32.0/s. {why}")
    assert say(reason=cut)[1] == why


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
