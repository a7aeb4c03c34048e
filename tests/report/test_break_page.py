"""The page and sentences about work that blocks, on made-up measurements."""

import pytest

from iolab.kinds import registry
from iolab.kinds.breaking import page as break_page
from iolab.kinds.breaking.cells import WayResult
from iolab.kinds.breaking.culprit import Culprit, Named
from iolab.kinds.breaking.plan import Way, expected
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.results.records import Sample, ServerUsage
from tests.conftest import ROOT

EXPERIMENT = registry.read(ROOT / "experiments" / "break.toml", {}, BreakExperiment)


def result(name: str, rate_rps: float, bystander_ms: float) -> WayResult:
    """Return a way of the lab's own experiment, at that rate, with a bystander who waits so long."""
    way: Way = next(each for each in EXPERIMENT.broken.ways if each.name == name)
    samples = tuple(Sample(number / rate_rps, 0.02, 200) for number in range(300))
    bystander = tuple(Sample(number * 0.1, bystander_ms / 1000, 200) for number in range(20))
    return WayResult(way, expected(way, 16, 0.02, 2), samples, bystander, ServerUsage())


HEALTHY = result("await asyncio.sleep", 760, 0.8)
ALL = [
    HEALTHY,
    result("time.sleep in the loop", 49, 600),
    result("time.sleep in 8 threads", 397, 1),
    result("computing in the loop", 192, 150),
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


def test_sentences_are_said_where_the_data_show_them() -> None:
    told = " ".join(break_page.sentences(ALL))
    assert "waits 600 ms instead of 0.8 ms" in told
    assert told.count("What blocks the loop blocks everyone") == 2
    assert "Threads help where requests wait" in told
    assert "Threads do not help where requests compute" in told
    assert "loop's own thread must wait" in told
    assert "1.8 times the rate" in told


def test_nothing_is_claimed_that_the_data_do_not_show() -> None:
    unharmed = [
        HEALTHY,
        result("time.sleep in the loop", 400, 1),
        result("time.sleep in 8 threads", 397, 1),
        result("computing in the loop", 100, 1),
        result("computing in 8 threads", 188, 1),
        result("computing in 2 processes", 110, 1),
    ]
    assert break_page.sentences(unharmed) == []
    assert break_page.sentences([HEALTHY]) == []


def test_the_culprit_is_what_the_log_names_or_nothing() -> None:
    waiting, computing = (" ".join(break_page.culprit(each)) for each in CULPRITS)
    assert "answer(), server_broken.py:46 (9 of 10 warnings)" in waiting
    assert "The watchdog names no line" in waiting
    assert "asyncio warns of no slow coroutine" in computing
    assert "server_broken.py:42, while <True>:" in computing


def test_the_page_escapes_what_a_log_says_and_needs_nothing_else() -> None:
    page = break_page.render(ALL, CULPRITS, EXPERIMENT, "local")
    assert "while &lt;True&gt;:" in page
    assert "watchdog: &lt;it&gt;" in page
    assert "https://" not in page
    assert "src=" not in page
    assert page.count('class="way good"') == 3  # await, sleeping threads, processes: their bystanders are not harmed
    assert page.count('class="way"') == 3
    assert page.count('class="culprit"') == 2
    assert 'class="lacks"' not in page


@pytest.mark.parametrize("results", [[], ALL[:1]])
def test_a_page_of_a_run_that_is_not_whole_says_so_and_claims_nothing(results: list[WayResult]) -> None:
    page = break_page.render(results, [], EXPERIMENT, "local", ["This run is not whole: <it> was interrupted."])
    assert "not whole: &lt;it&gt; was interrupted" in page
    assert page.count('class="way good"') == len(results)
    for heading in ("What that means", "What is it?"):
        assert heading not in page


@pytest.mark.parametrize(("value_ms", "low", "high"), [(0.0, 0, 0), (1, 10, 20), (1000, 80, 90), (1e9, 100, 100)])
def test_the_bystander_s_scale_is_logarithmic_and_bounded(value_ms: float, low: float, high: float) -> None:
    assert low <= break_page._on_scale(value_ms) <= high
