"""What a search says of a percentile of few requests."""

from typing import Any

import pytest

from iolab.kinds.slo import words
from iolab.kinds.slo.records import SloRecord
from tests.kinds.slo.test_plan import record


def tried(objective: str, counted: int) -> SloRecord:
    facts: dict[str, Any] = {"objective": objective, "value_s": 0.04, "low_s": None, "high_s": None, "counted": counted}
    return record(0, 100.0).model_copy(update=facts)


@pytest.mark.parametrize(("objective", "least"), [("p50<100ms", 6), ("p95<100ms", 72), ("p99<100ms", 368)])
def test_a_percentile_of_too_few_responses_is_not_shown(objective: str, least: int) -> None:
    name = objective.partition("<")[0]
    few, enough = tried(objective, least - 1), tried(objective, least)
    assert words.known(few) == f"{name} not known: too few responses ({least - 1})"
    assert few.bounded_s is None
    assert f"{name} 40.0 ms (interval not known)" in words.line(enough).text
    assert "40.0 ms" not in words.line(few).text


def test_a_mean_is_shown_of_any_number() -> None:
    assert words.known(tried("mean<100ms", 3)) == "mean 40.0 ms (interval not known)"
