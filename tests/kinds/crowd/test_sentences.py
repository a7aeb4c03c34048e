"""Sentences about crowds follow the figures: a server that breaks is said to break, whatever theory expects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.kinds.crowd import table
from iolab.kinds.crowd.analysis import CrowdAnalysis, analyse
from iolab.kinds.crowd.records import Click, Obstacle
from iolab.kinds.crowd.sentences import card, click, sentences
from iolab.kinds.crowd.words import label
from iolab.results.records import Holding
from tests import crowds

Told = Callable[..., str]
REVERSED = (
    replace(crowds.B, room=10**6, server_kib=3.0, threads_each=0.0),
    replace(crowds.C, room=40, obstacle="died", evidence="it ended with status -9", rest="lost"),
    crowds.D,
)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    def tell(kinds: tuple[crowds.Kind, ...] = crowds.ALL, levels: tuple[int, ...] = (100, 1000)) -> str:
        return "\n".join(sentences(analyse(crowds.run(tmp_path, levels, kinds))))

    return tell


def test_each_model_says_what_it_holds_or_where_it_breaks_and_why(told: Told) -> None:
    text = told()
    for words in (
        "A (Blocking, long poll) breaks at 100 users: 1 of 100 is held, 99 waiting. Its only thread is in use, and all"
        " other users wait. Of 1,000 users, it also held 1.",
        "B (Thread pool, long poll) breaks at 100 users: 8 of 100 are held, 92 waiting. All its 8 threads are in use",
        "C (asyncio, WebSocket) held all 1,000 users, with 1 thread and 36.4 MiB of memory. Each user takes 14.7 KiB in the server"
        " and 9.5 KiB in the kernel, both ends of the connection together. While no user clicks, it uses 0.004% of a"
        " core.",
        "D (Thread per connection, long poll) held all 1,000 users, with 1,001 threads",
        "Users of 1,000 that the server answered within 10 s: A long poll 1, B long poll 8, C WebSocket all",
        "C long poll 22.4 KiB (1 thread), C WebSocket 24.2 KiB (1 thread), D long poll 59.0 KiB (1,001"
        " threads). The most is 2.6 times the least.",
        "Memory for each of 1,000 users, in server and kernel together: ",
        "Response time of a click while 1,000 users are held: C WebSocket 0.2 ms in the median, 1.2 ms at p99; D long poll",
    ):
        assert words in text


def test_figures_that_are_reversed_are_told_the_other_way_round(told: Told) -> None:
    text = told(REVERSED)
    assert (
        "C (asyncio, WebSocket) breaks at 100 users: 40 of 100 are held, 60 disconnected. It ended with status -9."
        in text
    )
    assert "B (Thread pool, long poll) held all 1,000 users" in text
    assert "B long poll 12.5 KiB (9 threads), D long poll 59.0 KiB" in text
    assert "B long poll all, C WebSocket 40, D long poll all" in text
    assert "in use" not in text


def test_a_model_that_breaks_late_says_what_it_held_before(told: Told) -> None:
    text = told((replace(crowds.D, room=500),), (100, 400, 1000, 2000))
    assert 'breaks at 1,000 users: 500 of 1,000 are held, 500 refused. The server printed "no new thread" with' in text
    assert "It held all 400 users, with 401 threads" in text
    assert "Of 2,000 users, it also held 500." in text


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ("queue", "All its threads are in use, and the other users wait."),
        ("pids", "The task limit of its container was reached."),
        ("files", "The limit on open files was reached."),
        ("memory", "The memory limit was reached."),
        ("refused", "Connections were refused."),
        ("slow", "The server had not answered the other users within 10 s."),
        (None, "The reason is not known"),
    ],
)
def test_every_obstacle_has_its_words(told: Told, obstacle: Obstacle | None, words: str) -> None:
    assert words in told((replace(crowds.C, room=50, obstacle=obstacle, evidence=""),))
    assert (
        "50 waiting. Words of the server."
        in told((replace(crowds.C, room=50, obstacle=obstacle, evidence="words of the server."),))
    ) == bool(obstacle)


def test_users_that_were_served_late_were_served(told: Told) -> None:
    text = told((replace(crowds.C, room=600, obstacle=None, rest="late"),), (1000,))
    assert (
        "breaks at 1,000 users: 600 of 1,000 are held, 400 served late. The server's first answer took longer than the 10 s"
        in text
    )
    assert "that users wait: the last after 11.0" in text
    assert "In the end, it serves all of them, with 1 thread" in text


def test_a_level_that_does_not_count_breaks_nothing(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.B, 100, valid=False, reason="the client died")
    (line,) = analyse(folder).lines
    assert "has no valid trial" in sentences(analyse(folder))[0]
    assert card(line, analyse(folder))[0] == "no result"
    crowds.add(folder, crowds.B, 5)
    assert "held all 5 users" in sentences(analyse(folder))[0]


def test_what_is_not_known_is_left_out_of_sentences(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    for kind in (crowds.C, crowds.D):
        crowds.add(folder, kind, 1000, quiet=Holding(), rows={}, clicks=0, answered=0)
    text = sentences(analyse(folder))
    assert text[0] == "C (asyncio, WebSocket) held all 1,000 users."
    assert len(text) == 2  # nothing to compare
    assert card(analyse(folder).lines[0], analyse(folder)) == ("holds 1,000", "")


def test_an_unanswered_tail_is_said(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    clicks = [Click(0, each / 10, each / 10, None if each < 5 else each / 10 + 0.001) for each in range(400)]
    crowds.add(folder, crowds.C, 1000, rows=folder.write_rows(7, clicks=clicks), answered=395)
    assert "1.0 ms in the median, no answer at p99" in "\n".join(sentences(analyse(folder)))


def test_lines_that_differ_in_more_than_their_users_are_told_apart(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    for processes in (1, 6):
        crowds.add(folder, crowds.C, 1000, processes=processes)
    found = analyse(folder)
    assert [label(line[0], found) for line in found.lines] == [
        "C WebSocket, 1 process",
        "C WebSocket, 6 processes",
    ]


def rows(analysis: CrowdAnalysis) -> list[dict[str, str]]:
    """Return what the columns of all tables say of each level, by heading."""
    columns = {column.heading: column for each in (table.OVERVIEW, *table.DETAILS.values()) for column in each}
    return [{name: column.text(cell) for name, column in columns.items()} for cell in analysis.cells]


def test_rows_tell_few_never_and_not_known_apart(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.B, 1000)
    crowds.add(folder, crowds.C, 1000, empty=Holding(), quiet=Holding(), client_share=None)
    crowds.add(folder, crowds.D, 1000, valid=False, reason="the client died")
    pool, loop, threads = rows(analyse(folder))
    assert (pool["Server each"], pool["Served p50"], pool["Click p50"], pool["Users per second"]) == (
        "too few",
        "never",
        "too few",
        "-",
    )
    assert (loop["Server each"], loop["Kernel each"], loop["Threads"], loop["Client's core"]) == ("-",) * 4
    assert threads["Held"] == "invalid"


def test_nothing_computed_is_less_than_a_tick_of_the_clock(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    still = Holding(cpu_s=1.0, rss_bytes=10**8)
    crowds.add(folder, crowds.C, 1000, quiet=still, quiet_end=still)
    assert rows(analyse(folder))[0]["Idle CPU"] == "<0.1%"
    assert "it uses less than 0.1% of a core" in sentences(analyse(folder))[0]


def test_clicks_of_which_none_was_answered_are_said_to_be_so(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    clicks = [Click(0, each / 10, each / 10, None) for each in range(150)]
    crowds.add(folder, crowds.A, 1000, rows=folder.write_rows(7, clicks=clicks), clicks=150, answered=0)
    (cell,) = analyse(folder).cells
    assert click(cell) == "all 150 clicks are unanswered"
    assert rows(analyse(folder))[0]["Click p50"] == "never"
