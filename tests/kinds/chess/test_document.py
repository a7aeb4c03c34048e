"""The report of an exhibition, on made-up games."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from iolab.kinds import registry
from iolab.kinds.chess import document as chess
from iolab.kinds.chess.cells import Analysis, Exhibition, has_one_lock
from iolab.kinds.chess.plan import Played, arithmetic
from iolab.kinds.chess.settings import ChessExperiment
from iolab.kinds.chess.timeline import clock, timeline
from iolab.lab import Lab
from iolab.report import markdown, numbers, pages
from iolab.report.document import Figure
from iolab.results.records import ServerUsage
from iolab.results.run_info import GIL_OF_SERVERS, ModelInfo, RunInfo
from iolab.results.samples import Pair
from tests import rendered
from tests.conftest import ROOT

MODELS = {
    model.name: ModelInfo(letter=model.letter, title=model.title, service=model.name, workers=model.workers)
    for model in Lab.read(ROOT).models
}
BOARDS = 4
GO = ModelInfo(letter="K", title="Go", service="go", workers=math.inf, interpreters=math.inf)
FEW = {"concurrency": [BOARDS], "chess": {"moves": 2}}
EXPERIMENT = registry.read(ROOT / "experiments" / "chess.toml", FEW, ChessExperiment)
RULES = EXPERIMENT.chess
RUN = RunInfo(
    kind="chess",
    experiment={"name": "chess"},
    models=tuple(MODELS.values()),
    runtime="local",
    runtime_reason="a test",
    generator="boards",
    cpu_plans=(),
    environment={},
    trials_planned=4,
    started=datetime.now(UTC),
    status="partial",
)


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


def analysis(*exhibitions: Exhibition) -> Analysis:
    return Analysis(RUN, EXPERIMENT, (), exhibitions, ())


def test_the_verdict_has_each_time_and_the_ratio_of_the_slowest_to_the_fastest() -> None:
    assert chess.verdict([ONE_BY_ONE, CONVOY], BOARDS) == (
        "4 games took 8 min on A and 2 min 30 s on C: A needed 3.2 times as long as C."
    )
    assert chess.verdict([CONVOY, replace(CONVOY, model=MODELS["threadperconnection"])], BOARDS) == (
        "4 games took 2 min 30 s on C and 2 min 30 s on D."
    )
    assert chess.verdict([CONVOY], BOARDS) == "4 games took 2 min 30 s on C."
    assert chess.verdict([], BOARDS) == ""
    assert chess.report(analysis(CONVOY)).verdict == "4 games took 2 min 30 s on C."


ONE_BY_ONE = shown("blocking", [[0, 60, 120, 180], [240, 300, 360, 420]], 60)
CONVOY = shown("asyncio", [[0, 0, 0, 0], [75, 75, 75, 75]], 75)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0"), (40, "40 s"), (60, "1 min"), (90, "90 s"), (750, "12 min 30 s"), (3600, "1 h"), (43_680, "12 h 8 min")],
)
def test_times_are_said_in_few_words(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_the_lock_is_named_of_servers_that_have_one_and_not_on_one_cpu() -> None:
    locked = [replace(each, lock=True) for each in (ONE_BY_ONE, CONVOY)]
    every = "Only one thread at a time has the interpreter lock, so every server has only one master."
    assert chess.masters(locked, 2.0) == every
    go = replace(CONVOY, model=GO, lock=False)
    assert chess.masters([*locked, go], 2.0) == every.replace("every server has", "A and C have")
    assert chess.masters([locked[0], go], 2.0) == every.replace("every server", "A")
    assert chess.masters([go], 2.0) == ""
    assert chess.masters([*locked, go], 1.0) == "With 1 CPU, every server has only one master."
    assert "With 1 CPU, every server has only one master." in markdown.render(chess.report(analysis(CONVOY)))


def test_a_server_has_a_lock_where_its_python_says_so() -> None:
    known = RUN.model_copy(update={"environment": {GIL_OF_SERVERS: {"asyncio": True, "threadperconnection": False}}})
    assert has_one_lock(known, MODELS["asyncio"])
    assert not has_one_lock(known, MODELS["threadperconnection"])  # a free-threaded build
    assert not has_one_lock(known, GO)  # no Python
    assert not has_one_lock(RUN, MODELS["asyncio"])  # not known
    processes = MODELS["asyncio"].model_copy(update={"interpreters": 8})
    assert not has_one_lock(known, processes)


def test_several_masters_share_the_boards_in_a_way_that_is_not_computed() -> None:
    two = replace(CONVOY, played=replace(CONVOY.played, masters=2))
    assert "moves of the master of" not in chess.sentence(two, BOARDS)


def test_a_master_who_moved_longer_than_the_evening_is_not_known() -> None:
    played = replace(CONVOY.played, pairs=CONVOY.played.pairs * 50)
    assert played.busy is None
    assert f"moves pieces {numbers.NOT_KNOWN} of the time" in chess.sentence(replace(ONE_BY_ONE, played=played), BOARDS)


def test_sentences_say_what_the_data_show() -> None:
    assert "4 x 2 x 60 s" in chess.sentence(ONE_BY_ONE, BOARDS)
    told = chess.sentence(CONVOY, BOARDS)
    assert "4 at a time, a convoy" in told
    assert "event loop" in told
    several = replace(CONVOY, usage=ServerUsage(threads_peak=5))
    assert "event loop" not in chess.sentence(several, BOARDS)  # threads have no loop that could be why
    smooth = shown("asyncio", [[0, 5, 10, 15], [60, 65, 70, 75]], 45)
    assert "at most 10% above the calculated minimum" in chess.sentence(smooth, BOARDS)
    assert "convoy" not in chess.sentence(smooth, BOARDS)
    assert "above the calculated minimum" not in told


def boxes(drawn: str) -> dict[str, list[str]]:
    """Return the boxes of a timeline by what they mean."""
    found = re.findall(r'class="(\w+)" [^>]*d="([^"]*)"', drawn)
    return {meaning: re.findall(r"M[^M]*z", path) for meaning, path in found}


def test_a_timeline_has_a_lane_a_board_and_a_box_a_move() -> None:
    drawn = timeline(ONE_BY_ONE.played, BOARDS, ONE_BY_ONE.played.took_s, narrow=False, title="a <title>", lane=10)
    assert {meaning: len(found) for meaning, found in boxes(drawn).items()} == {"wait": BOARDS, "think": 8, "move": 8}
    assert drawn.count("a &lt;title&gt;") == 2  # drawn, and for readers that cannot see it
    first = timeline(ONE_BY_ONE.played, BOARDS, 60, narrow=False, title="the first minute", lane=10)
    (thinking,) = boxes(first)["think"]
    assert "h916.67v" in thinking  # 55 s of 60 s


def test_a_timeline_has_its_own_axis_and_says_what_its_colours_mean() -> None:
    drawn = timeline(ONE_BY_ONE.played, BOARDS, 60, narrow=False, title="the first minute", lane=10)
    texts = re.findall(r">([^<]+)</text>", drawn)
    assert texts[:4] == ["the first minute", "board waits", "opponent thinks", "master moves"]
    assert texts[4:] == ["0", "10 s", "20 s", "30 s", "40 s", "50 s"]  # 1 min would be cut off at the edge
    assert drawn.count('stroke="var(--muted)"') == 7  # but has its mark
    assert "var(--ink)" in drawn


@pytest.mark.parametrize(("boards", "height"), [(1, 100), (24, 240), (500, 700)])
def test_few_boards_can_be_seen_and_many_fit_on_a_page(boards: int, height: float) -> None:
    pairs = tuple(Pair(board, 0, 0.0, 0.06, 0.06, 200) for board in range(boards))
    drawn = timeline(Played(RULES, pairs), boards, 60, narrow=False, title="", lane=10)
    top, bottom = 26, 24
    assert f'viewBox="0 0 1000 {top + height + bottom}"' in drawn
    lowest = max(float(re.findall(r"[\d.]+", box)[1]) for box in boxes(drawn)["wait"])
    assert lowest < top + height


def test_lanes_are_in_the_order_in_which_boards_were_served() -> None:
    later_first = shown("blocking", [[180, 120, 60, 0], [420, 360, 300, 240]], 60)
    one, other = (
        boxes(timeline(each.played, BOARDS, 480, narrow=False, title="", lane=10)) for each in (later_first, ONE_BY_ONE)
    )
    assert {meaning: sorted(found) for meaning, found in one.items()} == {
        meaning: sorted(found) for meaning, found in other.items()
    }


def figures(exhibitions: Sequence[Exhibition]) -> list[int]:
    """Return how many figures each section of a server has."""
    sections = chess.report(analysis(*exhibitions)).details
    return [sum(isinstance(block, Figure) for block in section.blocks) for section in sections]


def test_each_server_has_the_whole_evening_and_the_first_minutes_where_that_is_less() -> None:
    assert figures([ONE_BY_ONE, CONVOY]) == [2, 1]
    assert figures([]) == []
    heading = chess.report(analysis(ONE_BY_ONE)).details[0].heading
    assert heading == "A Blocking: 8 min"


def test_the_bars_say_what_was_measured_and_what_the_arithmetic_says() -> None:
    drawn = chess.bars([ONE_BY_ONE, CONVOY], narrow=False)
    for text in (
        "A Blocking",
        "C asyncio",
        "8 min",
        "2 min 30 s",
        "calculated: 8 min",
        "calculated: 2 min to 2 min 30 s",
    ):
        assert text in drawn


def test_the_report_has_the_question_the_table_and_the_sentences() -> None:
    document = chess.report(analysis(ONE_BY_ONE, CONVOY))
    assert (
        document.question
        == "A chess master needs 5 s for a move, her opponents need 55 s: how long do 4 games take on each server?"
    )
    assert "a request waits 55 ms and computes 5 ms" in document.method[0]
    text = markdown.render(document)
    assert "| Server | Measured | Calculated | At once | Master moves | In step |\n| :-- | --: |" in text
    assert "| A Blocking | 8 min | 8 min | 1 | 8% | 1.0 |" in text
    assert "## C asyncio: 2 min 30 s" in text
    assert "one second of a game takes 1 ms here" in text
    assert "a convoy" in text
    page = pages.render(document)
    assert "https://" not in page.replace("http://www.w3.org/", "")
    assert "src=" not in page


@pytest.mark.parametrize("exhibitions", [[], [CONVOY]])
def test_a_run_that_is_not_whole_says_so(exhibitions: list[Exhibition]) -> None:
    document = chess.report(analysis(*exhibitions))
    assert document.lacks == "This run was interrupted: it has 0 of 4 trials."
    assert rendered.figures(pages.render(document)) == 2 * len(exhibitions)
