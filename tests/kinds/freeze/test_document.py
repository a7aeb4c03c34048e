"""The report of a standstill, on made-up samples."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from iolab.kinds import registry
from iolab.kinds.freeze import document as freeze
from iolab.kinds.freeze.cells import Analysis, Standstill
from iolab.kinds.freeze.records import FreezeRecord, Name
from iolab.kinds.freeze.settings import Freeze, FreezeExperiment
from iolab.report import markdown, pages
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from iolab.results.samples import Sample
from tests import quiet
from tests.conftest import ROOT
from tests.rendered import figures

STOP = Freeze()
EXPERIMENT = registry.read(ROOT / "experiments" / "freeze.toml", {}, FreezeExperiment)
RUN = RunInfo(
    kind="freeze",
    experiment={"name": "freeze"},
    models=(ModelInfo(letter="C", title="asyncio", service="asyncio", workers=8),),
    runtime="local",
    runtime_reason="a test",
    generator="iolab",
    cpu_plans=(CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(0,), shared=True, pinned=True),),
    environment={},
    trials_planned=2,
    started=datetime.now(UTC),
    status="complete",
)


def counted(name: Name, latencies_s: Sequence[float]) -> Standstill:
    samples = tuple(Sample(number * 10 / len(latencies_s), each, 200) for number, each in enumerate(latencies_s))
    return Standstill(name, samples)


def analysis(*standstills: Standstill, run: RunInfo = RUN) -> Analysis:
    records = [
        FreezeRecord(
            index=number,
            name=each.name,
            started=RUN.started,
            duration_s=10,
            valid=True,
            reason=None,
            server=quiet.SERVER,
            client=quiet.CLIENT,
            machine=quiet.machine(10.0),
        )
        for number, each in enumerate(standstills)
    ]
    return Analysis(run, EXPERIMENT, records, standstills, ())


def told(*standstills: Standstill) -> str:
    return " ".join(freeze.sentences(standstills, STOP))


FEW_LATE = counted("closed loop", [0.021] * 396 + [2.0] * 4)
MANY_LATE = counted("planned", [0.021] * 320 + [2.0 - number / 40 for number in range(80)])


def test_omission_is_said_where_the_data_show_it() -> None:
    both = told(FEW_LATE, MANY_LATE)
    assert "frozen for 2 s, 20% of the 10 s of planned requests" in both
    assert "coordinated omission" in both
    alike = told(FEW_LATE, counted("planned", [0.021] * 99 + [2.0]))
    assert "the share of planned requests that took longer than 100 ms is not more than 3 times" in alike
    assert "coordinated omission" not in alike


def test_omission_is_not_said_where_the_freeze_does_not_explain_the_late_requests() -> None:
    none_late = counted("closed loop", [0.021] * 400)
    short = Freeze(for_s=0.05)
    (_, one) = freeze.sentences([none_late, counted("planned", [0.021] * 1599 + [0.12])], short)
    assert one == (
        "1 of 1,600 planned requests took longer than 100 ms; a freeze of 0.05 s makes about 0 of them so late. Fewer"
        " than 6 are too few to tell. So this run does not show what the closed loop omits."
    )
    (_, some) = freeze.sentences([none_late, counted("planned", [0.021] * 1500 + [0.12] * 100)], short)
    assert "100 of 1,600 planned requests took longer than 100 ms; a freeze of 0.05 s makes about 0" in some
    assert "too few" not in some
    assert "coordinated omission" not in told(none_late, counted("planned", [0.021] * 380 + [2.0] * 20))  # of 76
    assert "coordinated omission" not in told(none_late, counted("planned", [0.12] * 150 + [0.021] * 250))  # before it
    assert "coordinated omission" not in told(none_late, counted("planned", [0.021] * 20 + [2.0] * 5))
    assert "coordinated omission" in told(none_late, MANY_LATE)


def test_the_verdict_has_the_share_of_late_requests_of_each_way_that_was_measured() -> None:
    assert freeze.verdict([FEW_LATE, MANY_LATE]) == (
        "1.0% of the requests of the closed loop took longer than 100 ms; 19.2% of the requests planned at a constant"
        " rate took longer than 100 ms, counted from when each was planned."
    )
    assert freeze.verdict([FEW_LATE]) == "1.0% of the requests of the closed loop took longer than 100 ms."
    assert freeze.verdict([MANY_LATE]).startswith(
        "19.2% of the requests planned at a constant rate took longer than 100 ms"
    )
    assert freeze.verdict([]) == ""
    assert freeze.report(analysis(FEW_LATE, MANY_LATE)).verdict == freeze.verdict([FEW_LATE, MANY_LATE])


def test_where_planned_requests_are_late_less_often_the_two_are_not_said_to_be_alike() -> None:
    fewer = told(counted("closed loop", [0.021] * 70 + [2.0] * 30), counted("planned", [0.021] * 99 + [2.0]))
    assert "is not more than 3 times that of the closed loop" in fewer
    assert "small" not in fewer


def test_of_one_way_alone_no_comparison_is_said() -> None:
    closed, planned = told(FEW_LATE), told(MANY_LATE)
    for each in (closed, planned):
        assert "coordinated omission" not in each
        assert "difference" not in each


def test_percentiles_of_both_ways_stand_side_by_side() -> None:
    assert FEW_LATE.percentiles_ms()["p95"] == pytest.approx(21)
    assert (MANY_LATE.percentiles_ms()["p95"] or 0) > 1000
    assert counted("planned", [0.02] * 10).percentiles_ms()["p99"] is None
    shown = freeze.percentiles([FEW_LATE, MANY_LATE])
    assert [column.heading for column in shown.columns] == ["Response time", "closed loop", "planned"]
    assert shown.rows[0] == ["p50", "21.0 ms", "21.0 ms"]
    assert ["later than 100 ms", "1.0%", "19.2%"] in shown.rows
    assert ["requests", "400", "400"] in shown.rows
    assert ["p99", "too few"] in freeze.percentiles([counted("planned", [0.02] * 10)]).rows


def test_the_report_has_the_question_the_table_and_the_sentences() -> None:
    document = freeze.report(analysis(FEW_LATE, MANY_LATE))
    assert (
        document.question
        == "A server is stopped for 2 s of 10 s: which response times do 4 users and planned requests have?"
    )
    assert "load by the lab's client for planned arrivals" in document.about
    assert not document.lacks
    (found,) = document.findings
    assert (found.severity, found.place) == ("warning", "every trial")
    assert "left no core for the load generator" in found.message
    text = markdown.render(document)
    assert "| Response time | closed loop | planned |\n| :-- | --: | --: |\n| p50 | 21.0 ms | 21.0 ms |" in text
    assert "coordinated omission" in text
    assert "asyncio, wait 20 ms constant" in text
    assert "listen backlog 1024" in text
    page = pages.render(document)
    assert figures(page) == 1
    assert "https://" not in page.replace("http://www.w3.org/", "")


def test_the_picture_has_a_panel_for_each_way_and_its_share_of_late_requests() -> None:
    drawn = freeze.picture([FEW_LATE, MANY_LATE], STOP, narrow=False)
    assert "closed loop, 400 requests: 1.0% later than 100 ms" in drawn
    assert "planned, 400 requests: 19.2% later than 100 ms" in drawn


@pytest.mark.parametrize("standstills", [(), (FEW_LATE,)])
def test_a_run_that_is_not_whole_says_so(standstills: tuple[Standstill, ...]) -> None:
    document = freeze.report(analysis(*standstills, run=RUN.model_copy(update={"status": "partial"})))
    assert document.lacks == f"This run was interrupted: it has {len(standstills)} of 2 trials."
    assert figures(pages.render(document)) == len(standstills)
