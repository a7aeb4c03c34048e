"""The standstill's picture and sentence, on made-up samples."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from iolab.kinds import registry
from iolab.kinds.freeze import page as freeze_page
from iolab.kinds.freeze.cells import Analysis, Standstill
from iolab.kinds.freeze.records import Name
from iolab.kinds.freeze.settings import Freeze, FreezeExperiment
from iolab.results.records import RunInfo, Sample
from tests.conftest import ROOT

STOP = Freeze()
EXPERIMENT = registry.read(ROOT / "experiments" / "freeze.toml", {}, FreezeExperiment)
RUN = RunInfo(
    kind="freeze",
    experiment={"name": "freeze"},
    models=(),
    runtime="local",
    runtime_reason="a test",
    generator="hey",
    cpu_plans=(),
    environment={},
    trials_planned=2,
    started=datetime.now(UTC),
)


def counted(name: Name, latencies_s: Sequence[float]) -> Standstill:
    samples = tuple(Sample(number * 10 / len(latencies_s), each, 200) for number, each in enumerate(latencies_s))
    return Standstill(name, "hey", samples)


def analysis(*standstills: Standstill, lacks: Sequence[str] = ()) -> Analysis:
    return Analysis(RUN, EXPERIMENT, "asyncio", standstills, (), lacks)


FEW_LATE = counted("closed loop", [0.021] * 396 + [2.0] * 4)
MANY_LATE = counted("planned", [0.021] * 320 + [2.0 - number / 40 for number in range(80)])


def test_omission_is_said_where_the_data_show_it() -> None:
    told = freeze_page.sentence([FEW_LATE, MANY_LATE], STOP)
    assert "20% of the time" in told
    assert "1.0% of its requests later than 100 ms" in told
    assert "19% were" in told
    assert "coordinated omission" in told
    assert "do not lie far apart" in freeze_page.sentence([FEW_LATE, counted("planned", [0.021] * 99 + [2.0])], STOP)


def test_of_one_way_alone_no_comparison_is_said() -> None:
    closed, planned = (freeze_page.sentence([each], STOP) for each in (FEW_LATE, MANY_LATE))
    assert "1.0% of its requests later than 100 ms." in closed
    assert "19% were later than 100 ms." in planned
    for told in (closed, planned):
        assert "coordinated omission" not in told
        assert "apart" not in told
    assert freeze_page.sentence([], STOP) == ""


def test_percentiles_of_both_ways_stand_side_by_side() -> None:
    assert FEW_LATE.percentiles_ms()["p95"] == pytest.approx(21)
    assert (MANY_LATE.percentiles_ms()["p95"] or 0) > 1000
    assert counted("planned", [0.02] * 10).percentiles_ms()["p99"] is None
    page = freeze_page.render(analysis(FEW_LATE, MANY_LATE))
    assert page.count("<svg") == 1
    assert "stood still for 2 s of 10 s" in page
    assert "https://" not in page.replace("http://www.w3.org/", "")
    assert 'class="lacks"' not in page


def test_markdown_has_the_question_the_table_and_the_sentence() -> None:
    text = freeze_page.markdown(analysis(FEW_LATE, MANY_LATE))
    assert text.startswith("# A server stands still for 2 s of 10 s: what do 4 users wait?\n")
    assert "| Latency | closed loop (hey) | planned (hey) |\n| :-- | --: | --: |\n| p50 | 21.0 ms | 21.0 ms |" in text
    assert "| later than 100 ms | 1.0% | 19.2% |" in text
    assert "coordinated omission" in text


@pytest.mark.parametrize("standstills", [(), (FEW_LATE,)])
def test_a_run_that_is_not_whole_says_so_in_both(standstills: tuple[Standstill, ...]) -> None:
    found = analysis(*standstills, lacks=["This run is not whole: <it> was interrupted."])
    assert "not whole: &lt;it&gt; was interrupted" in freeze_page.render(found)
    assert freeze_page.render(found).count("<svg") == len(standstills)
    assert "not whole" in freeze_page.markdown(found)
