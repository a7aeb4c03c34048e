"""The standstill's picture and sentence, on made-up samples."""

from collections.abc import Sequence

import pytest

from iolab.experiment import Freeze
from iolab.kinds.freeze import page as freeze_page
from iolab.kinds.freeze.cells import Name, Seen
from iolab.results.records import Sample

STOP = Freeze()


def seen(name: Name, latencies_s: Sequence[float]) -> Seen:
    samples = tuple(Sample(number * 10 / len(latencies_s), each, 200) for number, each in enumerate(latencies_s))
    return Seen(name, "hey", samples)


FEW_LATE = seen("closed loop", [0.021] * 396 + [2.0] * 4)
MANY_LATE = seen("planned", [0.021] * 320 + [2.0 - number / 40 for number in range(80)])


def test_omission_is_said_where_the_data_show_it() -> None:
    told = freeze_page.sentence([FEW_LATE, MANY_LATE], STOP)
    assert "20% of the time" in told
    assert "1.0% of its requests later than 100 ms" in told
    assert "19% were" in told
    assert "coordinated omission" in told
    assert "do not lie far apart" in freeze_page.sentence([FEW_LATE, seen("planned", [0.021] * 99 + [2.0])], STOP)


def test_percentiles_of_both_ways_stand_side_by_side() -> None:
    assert FEW_LATE.percentiles_ms()["p95"] == pytest.approx(21)
    assert (MANY_LATE.percentiles_ms()["p95"] or 0) > 1000
    assert seen("planned", [0.02] * 10).percentiles_ms()["p99"] is None
    page = freeze_page.render("asyncio", [FEW_LATE, MANY_LATE], STOP)
    assert page.count("<svg") == 1
    assert "stood still for 2 s of 10 s" in page
    assert "https://" not in page.replace("http://www.w3.org/", "")
