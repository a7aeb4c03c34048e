"""The report of work that blocks, on made-up measurements."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from iolab.kinds import registry
from iolab.kinds.breaking import document as breaking
from iolab.kinds.breaking.cells import Analysis, StrategyResult
from iolab.kinds.breaking.culprit import Culprit, Named
from iolab.kinds.breaking.figure import harmed, picture
from iolab.kinds.breaking.plan import Strategy, expected
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import pages
from iolab.report.document import Figure, Quote, Sentences, Table
from iolab.results.records import ServerUsage
from iolab.results.run_info import RunInfo
from iolab.results.samples import Sample
from tests.conftest import ROOT
from tests.rendered import figures

EXPERIMENT = registry.read(ROOT / "experiments" / "break.toml", {}, BreakExperiment)
RUN = RunInfo(
    kind="break",
    experiment={"name": "break"},
    models=(),
    runtime="local",
    runtime_reason="a test",
    generator="hey",
    cpu_plans=(),
    environment={},
    trials_planned=10,
    started=datetime.now(UTC),
    status="partial",
)


def result(name: str, rate_rps: float, bystander_ms: float) -> StrategyResult:
    """Return a strategy of the lab's own experiment, at that rate, with a bystander that waits so long."""
    strategy: Strategy = next(each for each in EXPERIMENT.broken.strategies if each.name == name)
    samples = tuple(Sample(number / rate_rps, 0.02, 200) for number in range(300))
    bystander = tuple(Sample(number * 0.1, bystander_ms / 1000, 200) for number in range(20))
    return StrategyResult(strategy, expected(strategy, 16, 0.02, 2), samples, bystander, ServerUsage())


HEALTHY = result("await asyncio.sleep", 760, 0.8)
ALL = [
    HEALTHY,
    result("computing in the loop", 192, 150),
    result("time.sleep in the loop", 49, 600),
    result("time.sleep in 8 threads", 397, 1),
    result("computing in 8 threads", 188, 60),
    result("computing in 2 processes", 347, 1),
]
CULPRITS = [
    Culprit(
        work="wait",
        coroutine=Named(where="server_broken.py:46", what="answer()", count=9, of=10, said="Executing <Task>"),
    ),
    Culprit(
        work="compute",
        line=Named(where="server_broken.py:42", what="while <True>:", count=3, of=4, said="watchdog: <it>"),
    ),
]


def analysis(results: Sequence[StrategyResult], culprits: Sequence[Culprit] = ()) -> Analysis:
    return Analysis(RUN, EXPERIMENT, (), results, culprits, ())


def test_sentences_are_said_where_the_data_show_them() -> None:
    told = " ".join(breaking.sentences(ALL, 2))
    assert told.count("What blocks the loop blocks every connection") == 1
    assert "Threads help if requests wait" in told
    assert "Threads do not help if requests compute" in told
    assert "loop's own thread must wait" in told
    assert "1.8 times the rate" in told


def test_the_verdict_names_the_ways_that_delay_the_bystander_the_worst_first() -> None:
    assert breaking.verdict(ALL) == (
        "A bystander, whose requests do no work, waits 600 ms (time.sleep in the loop), 150 ms (computing in the loop)"
        " and 60.0 ms (computing in 8 threads): more than 10 times the median with requests that await (0.8 ms)."
    )
    unharmed = [HEALTHY, result("time.sleep in the loop", 49, 7.9), result("time.sleep in 8 threads", 397, 1)]
    assert breaking.verdict(unharmed) == (
        "In 2 other strategies the bystander waits at most 10 times the median with requests that await (0.8 ms)."
    )
    assert breaking.verdict([HEALTHY]) == ""
    assert breaking.verdict(ALL[1:]) == ""


def test_nothing_is_claimed_that_the_data_do_not_show() -> None:
    unharmed = [
        HEALTHY,
        result("time.sleep in the loop", 400, 1),
        result("time.sleep in 8 threads", 397, 1),
        result("computing in the loop", 100, 1),
        result("computing in 8 threads", 188, 1),
        result("computing in 2 processes", 110, 1),
    ]
    assert breaking.sentences(unharmed, 2) == []
    alike = [HEALTHY, result("computing in the loop", 100, 1), result("computing in 8 threads", 101, 1)]
    assert "interpreter lock" in " ".join(breaking.sentences(alike, 2))
    assert breaking.sentences([replace(one, lock=False) for one in alike], 2) == []  # a free-threaded build
    assert breaking.sentences([HEALTHY], 2) == []


def test_on_one_cpu_nothing_is_said_of_the_lock() -> None:
    assert breaking.sentences(ALL, 1)[-1] == (
        "Threads do not help if requests compute: with 1 CPU, the CPU alone explains that."
    )
    assert "interpreter" not in " ".join(breaking.sentences(ALL, 1))


def test_a_median_of_few_requests_of_the_bystander_says_how_few() -> None:
    blocked = result("time.sleep in the loop", 49, 600)
    few = replace(blocked, bystander=blocked.bystander[:3])
    assert "waits 600 ms (time.sleep in the loop, 3 requests): more" in breaking.verdict([HEALTHY, few])
    assert "waits 600 ms (time.sleep in the loop): more" in breaking.verdict([HEALTHY, blocked])


def test_the_culprit_is_what_the_log_names_or_nothing() -> None:
    waiting, computing = ([*breaking.culprit(each)] for each in CULPRITS)
    assert waiting[1:] == [Quote("Executing <Task>"), Sentences(["The watchdog names no line."])]
    assert "answer(), server_broken.py:46 (9 of 10 warnings)" in str(waiting[0])
    assert computing[0] == Sentences(["asyncio logged no warning about a slow coroutine."])
    assert "server_broken.py:42, while <True>:" in str(computing[1])
    assert computing[2:] == [Quote("watchdog: <it>")]


def test_ways_of_one_kind_of_work_stand_together_and_sections_ask_for_each_culprit() -> None:
    document = breaking.report(analysis(ALL, CULPRITS))
    assert document.question == "How long do 16 users and a bystander wait if a request blocks the event loop?"
    (answer,) = document.answer
    (shown,) = (block for block in answer.blocks if isinstance(block, Table))
    assert [row[0].split()[0] for row in shown.rows] == ["await", *["time.sleep"] * 2, *["computing"] * 3]
    assert shown.ends == {2}
    assert shown.rows[0][-3:] == ["0.8 ms", "20", "0.8 ms"]
    assert [section.heading for section in document.details] == [
        "Waiting in the loop: which code blocks it?",
        "Computing in the loop: which code blocks it?",
    ]
    assert "a request that computes 5 ms" in document.method[0]


def test_the_page_escapes_what_a_log_says_and_needs_nothing_else() -> None:
    page = pages.render(breaking.report(analysis(ALL, CULPRITS)))
    assert "while &lt;True&gt;:" in page
    assert "watchdog: &lt;it&gt;" in page
    assert "https://" not in page.replace("http://www.w3.org/", "")
    assert "src=" not in page
    assert figures(page) == 1


def test_a_way_whose_bystander_is_harmed_has_another_colour() -> None:
    assert [harmed(each, HEALTHY) for each in ALL] == [False, True, True, False, True, False]
    assert not any(harmed(each, None) for each in ALL)
    harmless = picture([HEALTHY], HEALTHY, EXPERIMENT, narrow=False)
    assert "#d55e00" not in harmless
    assert "#0072b2" in harmless
    drawn = picture(ALL, HEALTHY, EXPERIMENT, narrow=False)
    assert "#d55e00" in drawn
    assert "Computing, 5.0 ms per request" in drawn
    assert "time.sleep in the loop" in drawn
    assert "600 ms" in drawn


def test_colours_are_explained_where_there_is_a_way_to_compare_with() -> None:
    captions = [
        block.caption
        for results in (ALL, ALL[1:])
        for block in breaking.report(analysis(results)).answer[0].blocks
        if isinstance(block, Figure)
    ]
    assert ["Orange" in caption for caption in captions] == [True, False]


@pytest.mark.parametrize("results", [[], ALL[:1]])
def test_a_run_that_is_not_whole_says_so_and_claims_nothing(results: list[StrategyResult]) -> None:
    document = breaking.report(analysis(results))
    assert document.lacks == "This run was interrupted: it has 0 of 10 trials."
    assert figures(pages.render(document)) == len(results)
    assert not document.details
    assert all(block.texts == [] for block in document.answer[0].blocks if isinstance(block, Sentences))


@pytest.mark.parametrize("bystander_ms", [0.0, 0.01, 1e7])
def test_the_bystander_s_axis_takes_any_latency(bystander_ms: float) -> None:
    extreme = result("time.sleep in the loop", 49, bystander_ms)
    assert picture([HEALTHY, extreme], HEALTHY, EXPERIMENT, narrow=False).rstrip().endswith("</svg>")
