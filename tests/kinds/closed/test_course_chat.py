"""The course's last question is answered by the newest crowd, whatever it says; without one, by what 16 users were."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.kinds.closed.cells import Analysis, analyse
from iolab.kinds.closed.course import answers
from iolab.kinds.closed.course_chat import CHATTERS
from iolab.kinds.crowd import course
from iolab.results.folder import RunFolder
from iolab.results.records import Holding
from tests import crowds
from tests.conftest import ROOT, Run

BENCH = ROOT / "tests" / "data" / "runs" / "docker-bench"
Answered = Callable[..., str]


@pytest.fixture(scope="module")
def bench() -> Analysis:
    return analyse(RunFolder.open(BENCH))


@pytest.fixture
def answered(bench: Analysis, tmp_path: Path) -> Answered:
    def answer(kinds: tuple[crowds.Kind, ...] = crowds.ALL, levels: tuple[int, ...] = (100, 1000, 10_000)) -> str:
        crowds.run(tmp_path, levels, kinds)
        found = replace(bench, chat_answer=tuple(course.answer(tmp_path, CHATTERS)))
        return "\n".join(answers(found)[-1].paragraphs)

    return answer


def test_without_a_crowd_it_says_how_to_measure_one(bench: Analysis) -> None:
    text = "\n".join(answers(bench)[-1].paragraphs)
    assert "992 wait in the queue" in text
    assert "make crowd USERS=1000" in text


def _estimate(bench: Analysis, **server: object) -> str:
    cells = tuple(
        replace(each, cell=each.cell.model_copy(update={"server": each.cell.server.model_copy(update=server)}))
        if (each.cell.model, each.cell.concurrency) == ("C", 16)
        else each
        for each in bench.cells
    )
    return "\n".join(answers(replace(bench, cells=cells))[-1].paragraphs)


def test_an_estimate_has_the_memory_that_was_measured(bench: Analysis) -> None:
    served = "The event loop served 16 users with 1 thread and"
    assert f"{served} 38.0 MiB of memory; with 4 users it had 38.0 MiB." in _estimate(bench)
    assert f"{served} 76.3 MiB of memory; with 4 users it had 38.0 MiB." in _estimate(bench, rss_peak_bytes=80_000_000)
    assert f"{served} an unknown amount of memory." in _estimate(bench, rss_peak_bytes=None)
    assert "interpreter and its libraries" not in _estimate(bench)


def test_an_estimate_chooses_the_loop_where_it_served_all_with_fewer_threads(bench: Analysis) -> None:
    chosen, needs_none = "Choose asyncio", "a further connection needs no thread"
    assert chosen in _estimate(bench)
    assert needs_none in _estimate(bench)
    for threads in (16, None):
        assert chosen not in _estimate(bench, threads_peak=threads)
        assert needs_none not in _estimate(bench, threads_peak=threads)
    failed = tuple(
        replace(each, cell=each.cell.model_copy(update={"errors": 3})) if each.cell.model == "C" else each
        for each in bench.cells
    )
    text = "\n".join(answers(replace(bench, cells=failed))[-1].paragraphs)
    assert needs_none in text
    assert chosen not in text


def test_a_crowd_answers_it_with_its_own_figures(answered: Answered) -> None:
    text = answered()
    for words in (
        "B (Thread pool, long poll): 8 of 1,000 are held, 992 waiting. All its 8 threads are in use",
        "C (asyncio, WebSocket) held all 1,000 users, with 1 thread and 36.4 MiB of memory",
        "D (Thread per connection, long poll) held all 1,000 users, with 1,001 threads",
        "Users that the server answered within 10 s: 1 of 1,000 (A long poll), 8 of 1,000 (B long poll), 1,000 of 1,000",
        "C WebSocket, 0.2 ms in the median, 1.2 ms at p99",
        "So choose C (asyncio, by WebSocket or long poll)",
        "blocks its only thread",
        "Source: the crowd run of 2026-11-25 (2",
        "-crowd, in Docker containers).",
    ):
        assert words in text
    assert "make crowd" not in text
    assert "to mind" not in text
    assert "10,000" not in text


def test_a_crowd_that_says_otherwise_is_not_told_the_book_s_way(answered: Answered) -> None:
    breaks = replace(crowds.C, room=30, obstacle="files", evidence="Too many open files", rest="refused")
    text = answered((replace(crowds.B, room=10**6, server_kib=2.0), breaks, crowds.D))
    assert "C (asyncio, WebSocket): 30 of 1,000 are held, 970 refused. Too many open files." in text
    assert "So choose B (Thread pool, by long poll): of the models that held all users" in text
    assert "(B long poll 11.5 KiB, D long poll 59.0 KiB)" in text
    assert "blocks its only thread" not in text


def test_one_that_alone_holds_all_is_chosen_whatever_it_takes(answered: Answered) -> None:
    text = answered((crowds.B, replace(crowds.C, room=900, obstacle="slow"), crowds.D))
    assert "So choose D (Thread per connection, by long poll): no other model held all users" in text


def test_none_is_chosen_where_none_holds_all(answered: Answered) -> None:
    text = answered((crowds.A, crowds.B))
    assert "So choose" not in text
    assert (
        "No server held all users and answered their clicks; B long poll held the most: 8 of 1,000 are held, 992 waiting"
        in text
    )


def test_the_nearest_level_is_named_where_it_is_another(answered: Answered) -> None:
    text = answered((crowds.C,), (100, 800, 10_000))
    assert "held all 800 users" in text
    assert "Nearest to 1,000 users, the run has trials of 800 users." in text


def test_one_that_was_measured_alone_is_not_set_above_others(answered: Answered) -> None:
    text = answered((crowds.C,))
    assert "So choose C (asyncio, by WebSocket): no other model was measured." in text


def test_what_is_not_known_chooses_nothing(bench: Analysis, tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    for kind in (crowds.C, crowds.D):
        crowds.add(folder, kind, 1000, quiet=Holding())
    found = replace(bench, chat_answer=tuple(course.answer(tmp_path, CHATTERS)))
    assert "the memory for each user is not known" in "\n".join(answers(found)[-1].paragraphs)


def test_where_one_s_kernel_memory_is_not_known_all_are_compared_by_what_is(answered: Answered) -> None:
    """Else the only one that is known would take the least of all."""
    disturbed = {"sockets": 0.5, "slab": -4.0}
    text = answered((replace(crowds.C, kernel_kib=disturbed), crowds.D))
    assert "So choose C (asyncio, by WebSocket)" in text
    assert "the least memory in the server (C WebSocket 14.7 KiB, D long poll 29.5 KiB)" in text


def test_what_is_to_be_minded_of_a_crowd_is_named(bench: Analysis, tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.C, 1000, client_share=0.95)
    found = replace(bench, chat_answer=tuple(course.answer(tmp_path, CHATTERS)))
    assert answers(found)[-1].paragraphs[-1].endswith("findings that limit their use: client_was_the_limit.")


@pytest.mark.usefixtures("undrawn")
def test_report_finds_the_crowd_beside_the_benchmark(inside: Run, tmp_path: Path) -> None:
    copy = tmp_path / "20261125T120000Z-bench"
    shutil.copytree(BENCH, copy)
    assert inside("report", str(copy)).returncode == 0
    assert "make crowd USERS=1000" in (copy / "report.md").read_text()
    crowds.run(tmp_path, (1000,))
    assert inside("report", str(copy)).returncode == 0
    for name in ("report.md", "report.html"):
        text = (copy / name).read_text()
        assert "So choose C (asyncio" in text
        assert "make crowd USERS=1000" not in text
