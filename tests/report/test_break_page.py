"""The page and sentences about work that blocks, on made-up measurements."""

import pytest

from iolab import experiment
from iolab.kinds.breaking import page as break_page
from iolab.kinds.breaking.plan import Blame, Named, Seen, Way, expected
from iolab.results.records import Sample, ServerUsage
from tests.conftest import ROOT

EXPERIMENT = experiment.read(ROOT / "experiments" / "break.toml", {})


def seen(name: str, rate_rps: float, bystander_ms: float) -> Seen:
    """Return a way of the lab's own experiment, at that rate, with a bystander who waits so long."""
    assert EXPERIMENT.broken
    way: Way = next(each for each in EXPERIMENT.broken.ways if each.name == name)
    samples = tuple(Sample(number / rate_rps, 0.02, 200) for number in range(300))
    bystander = tuple(Sample(number * 0.1, bystander_ms / 1000, 200) for number in range(20))
    return Seen(way, expected(way, 16, 0.02, 2), samples, bystander, ServerUsage())


HEALTHY = seen("await asyncio.sleep", 760, 0.8)
ALL = [
    HEALTHY,
    seen("time.sleep in the loop", 49, 600),
    seen("time.sleep in 8 threads", 397, 1),
    seen("computing in the loop", 192, 150),
    seen("computing in 8 threads", 188, 60),
    seen("computing in 2 processes", 347, 1),
]
BLAMES = [
    Blame("wait", Named("server_broken.py:46", "answer()", 9, 10, "Executing <Task>"), None),
    Blame("compute", None, Named("server_broken.py:42", "while <True>:", 3, 4, "watchdog: <it>")),
]


def test_sentences_are_said_where_the_data_show_them() -> None:
    told = " ".join(break_page.sentences(ALL))
    assert "waits 600 ms instead of 0.8 ms" in told
    assert told.count("What blocks the loop blocks everyone") == 2
    assert "Threads help who waits" in told
    assert "Threads do not help who computes" in told
    assert "loop's own thread must wait" in told
    assert "1.8 times the rate" in told


def test_nothing_is_claimed_that_the_data_do_not_show() -> None:
    unharmed = [
        HEALTHY,
        seen("time.sleep in the loop", 400, 1),
        seen("time.sleep in 8 threads", 397, 1),
        seen("computing in the loop", 100, 1),
        seen("computing in 8 threads", 188, 1),
        seen("computing in 2 processes", 110, 1),
    ]
    assert break_page.sentences(unharmed) == []
    assert break_page.sentences([HEALTHY]) == []


def test_the_culprit_is_whom_the_log_names_or_nobody() -> None:
    waiting, computing = (" ".join(break_page.culprit(each)) for each in BLAMES)
    assert "answer(), server_broken.py:46 (9 of 10 warnings)" in waiting
    assert "The watchdog names no line" in waiting
    assert "asyncio warns of no slow coroutine" in computing
    assert "server_broken.py:42, while <True>:" in computing


def test_the_page_escapes_what_a_log_says_and_needs_nothing_else() -> None:
    page = break_page.render(ALL, BLAMES, EXPERIMENT, "local")
    assert "while &lt;True&gt;:" in page
    assert "watchdog: &lt;it&gt;" in page
    assert "https://" not in page
    assert "src=" not in page
    assert page.count('class="way good"') == 3  # await, sleeping threads, processes: their bystanders are not harmed
    assert page.count('class="way"') == 3


@pytest.mark.parametrize(("value_ms", "low", "high"), [(0.0, 0, 0), (1, 10, 20), (1000, 80, 90), (1e9, 100, 100)])
def test_the_bystander_s_scale_is_logarithmic_and_bounded(value_ms: float, low: float, high: float) -> None:
    assert low <= break_page._on_scale(value_ms) <= high
