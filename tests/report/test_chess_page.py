"""The exhibition's page and sentences, on made-up games."""

import math
import re
from dataclasses import replace

import pytest

from iolab.kinds import registry
from iolab.kinds.chess import page as chess_page
from iolab.kinds.chess.cells import Exhibition
from iolab.kinds.chess.plan import Played, arithmetic
from iolab.kinds.chess.settings import ChessExperiment
from iolab.kinds.chess.timeline import clock, timeline
from iolab.lab import Lab
from iolab.results.records import ModelInfo, Pair, ServerUsage
from tests.conftest import ROOT

MODELS = {
    model.name: ModelInfo(letter=model.letter, title=model.title, service=model.name, workers=model.workers)
    for model in Lab.read(ROOT).models
}
BOARDS = 4
FEW = {"concurrency": [BOARDS], "chess": {"moves": 2}}
EXPERIMENT = registry.read(ROOT / "experiments" / "chess.toml", FEW, ChessExperiment)
RULES = EXPERIMENT.chess


def shown(name: str, begins: list[list[float]], service_s: float) -> Exhibition:
    """Return games of which each pair of moves begins at these seconds and is served for so long."""
    pairs = tuple(
        Pair(board, move, begin / 1000, (begin + service_s) / 1000, service_s / 1000, 200)
        for move, row in enumerate(begins)
        for board, begin in enumerate(row)
    )
    workers = 1 if name == "blocking" else math.inf
    expected = arithmetic(RULES, BOARDS, workers)
    return Exhibition(MODELS[name], expected, Played(RULES, pairs), ServerUsage(threads_peak=1))


ONE_BY_ONE = shown("blocking", [[0, 60, 120, 180], [240, 300, 360, 420]], 60)
CONVOY = shown("asyncio", [[0, 0, 0, 0], [75, 75, 75, 75]], 75)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0"), (40, "40 s"), (60, "1 min"), (90, "90 s"), (750, "12 min 30 s"), (3600, "1 h"), (43_680, "12 h 8 min")],
)
def test_times_are_said_in_few_words(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_sentences_say_what_the_data_show() -> None:
    assert "4 x 2 x 60 s" in chess_page.sentence(ONE_BY_ONE, BOARDS)
    told = chess_page.sentence(CONVOY, BOARDS)
    assert "4 at a time, a convoy" in told
    assert "event loop" in told
    several = replace(CONVOY, usage=ServerUsage(threads_peak=5))
    assert "event loop" not in chess_page.sentence(several, BOARDS)  # threads have no loop that could be why
    smooth = shown("asyncio", [[0, 5, 10, 15], [60, 65, 70, 75]], 45)
    assert "convoy" not in chess_page.sentence(smooth, BOARDS)


def test_a_timeline_has_a_lane_a_board_and_a_box_a_move() -> None:
    drawn = timeline(ONE_BY_ONE.played, BOARDS, ONE_BY_ONE.played.took_s, "a <description>")
    boxes = {name: path.count("M") for name, path in re.findall(r'class="(\w+)" d="([^"]*)"', drawn.svg)}
    assert boxes == {"lane": BOARDS, "think": 8, "move": 8}
    assert "a &lt;description&gt;" in drawn.svg
    first = timeline(ONE_BY_ONE.played, BOARDS, 60, "the first minute")
    assert first.svg.count('class="think" d="M0.00 1.25h916.67') == 1
    assert [text for _, text in first.ticks] == ["0", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min"]


def test_lanes_are_in_the_order_in_which_boards_were_served() -> None:
    later_first = shown("blocking", [[180, 120, 60, 0], [420, 360, 300, 240]], 60)
    one, other = (timeline(each.played, BOARDS, 480, "").svg for each in (later_first, ONE_BY_ONE))
    assert sorted(re.findall(r"M[^M]*?z", one)) == sorted(re.findall(r"M[^M]*?z", other))


def test_the_page_needs_nothing_else_and_shows_two_timelines_a_server() -> None:
    page = chess_page.render([ONE_BY_ONE, CONVOY], EXPERIMENT, "local")
    assert page.count("<svg") == 4
    assert "https://" not in page
    assert "src=" not in page
    assert "arithmetic: 8 min" in page
    assert 'class="lacks"' not in page


def test_markdown_has_the_question_the_table_and_the_sentences() -> None:
    text = chess_page.markdown([ONE_BY_ONE, CONVOY], EXPERIMENT, "local")
    assert text.startswith("# She needs 5 s for a move, her opponents need 55 s: how long do 4 games take?\n")
    assert "| Server | At once | Arithmetic | Measured | She moves | In step |\n| :-- | --: |" in text
    assert "| A Blocking | 1 | 8 min | 8 min | 8% | 1.0 |" in text
    assert "- C: " in text
    assert "a convoy" in text


@pytest.mark.parametrize("exhibitions", [[], [CONVOY]])
def test_a_run_that_is_not_whole_says_so_in_both(exhibitions: list[Exhibition]) -> None:
    lacks = ["This run is not whole: <it> was interrupted."]
    page = chess_page.render(exhibitions, EXPERIMENT, "local", lacks)
    assert "not whole: &lt;it&gt; was interrupted" in page
    assert page.count("<svg") == 2 * len(exhibitions)
    assert "not whole" in chess_page.markdown(exhibitions, EXPERIMENT, "local", lacks)
