"""A crowd's report, and what other commands say of such a run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from iolab.kinds.crowd import figure as crowd_figure
from iolab.kinds.crowd import table
from iolab.kinds.crowd.analysis import analyse
from iolab.kinds.crowd.document import report
from iolab.report.document import Cards, Document, Figure, Gallery, Table
from iolab.results.folder import RunFolder
from iolab.results.records import Holding
from tests import crowds, rendered
from tests.conftest import ROOT, Run

BENCH = ROOT / "tests" / "data" / "runs" / "docker-bench"


def document(folder: RunFolder) -> Document:
    return report(analyse(folder))


def galleries(made: Document) -> list[Gallery]:
    return [block for section in made.answer for block in section.blocks if isinstance(block, Gallery)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return crowds.run(tmp_path_factory.mktemp("crowd"), (100, 1000, 10_000))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_nothing_of_it_is_cut(whole: RunFolder, width: int) -> None:
    lines = rendered.terminal(document(whole), width).splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]
    row = next(line.split() for line in lines if "C WebSocket" in line and "10,000" in line)
    assert {"10,000", "14.7", "9.5", "1", "0.2", "1.2"} <= set(row)
    pool = next(line.split() for line in lines if "B long poll" in line and "1,000" in line)
    assert {"8", "few"} <= set(pool)


def test_the_terminal_says_each_thing_once(whole: RunFolder) -> None:
    text = rendered.terminal(document(whole), 200)
    assert text.count("holds 10,000") == 3  # in the verdict; the cards are the page's
    assert "A seat for each user" not in text
    assert text.index("Click p99") < text.index("Trust:")


def test_each_server_has_a_card_and_a_gallery_with_a_picture_a_level(whole: RunFolder) -> None:
    made = document(whole)
    (cards,) = (block.cards for section in made.answer for block in section.blocks if isinstance(block, Cards))
    assert len(cards) == 5
    assert [cards[1].title, cards[1].verdict] == ["B (Thread pool, long poll)", "holds 8 of 100"]
    assert [cards[2].title, cards[2].verdict] == ["C (asyncio, WebSocket)", "holds 10,000"]
    assert cards[2].colour == cards[3].colour != cards[4].colour
    found = galleries(made)
    assert [gallery.title for gallery in found] == [card.title for card in cards]
    assert [[picture.title for picture in gallery.pictures] for gallery in found] == [
        ["100 users", "1,000 users", "10,000 users"]
    ] * 5
    assert found[1].pictures[1].caption == "8 served in time, 992 waiting"
    assert [bool(gallery.legend) for gallery in found] == [True, False, False, False, False]
    assert [bool(gallery.note) for gallery in found] == [False, False, False, False, True]
    assert "more than 1,000 users, a seat stands for several" in found[4].note


def test_the_page_needs_nothing_else_and_draws_every_level(whole: RunFolder) -> None:
    page = rendered.page(document(whole))
    assert page.count("<svg") == 15 + 2 + 2  # levels, the legend's seats, and both forms of memory and threads
    assert rendered.figures(page) == 1
    assert page.count('class="card"') == 5
    assert "breaks at 100 users: 8 of 100 are held, 92 waiting" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_levels_of_servers_with_a_single_one_stand_side_by_side(tmp_path: Path) -> None:
    (gallery,) = galleries(document(crowds.run(tmp_path, (100,))))
    assert (gallery.title, len(gallery.pictures), bool(gallery.legend)) == ("", 5, True)
    assert gallery.pictures[2].title == "C (asyncio, WebSocket)"
    assert gallery.pictures[2].caption == "100 users: 100 served in time"
    assert "stands for several" not in gallery.note


def test_the_figure_marks_where_each_breaks_and_says_why(whole: RunFolder) -> None:
    said = crowd_figure.caption(analyse(whole))
    assert "B long poll at 100: holds 8 (queue)" in said
    assert "C WebSocket" not in said  # it does not break
    assert "C WebSocket" in crowd_figure.needs(analyse(whole), narrow=False)
    reverse = crowds.run(whole.path.parent, (100, 1000), (replace(crowds.C, room=500, obstacle="files"), crowds.D))
    assert "at 1,000: holds 500 (files)" in crowd_figure.caption(analyse(reverse))


def test_the_details_have_every_table(whole: RunFolder) -> None:
    made = document(whole)
    found = {section.heading: section.blocks[0] for section in made.details}
    assert list(found) == ["Memory and threads", *table.DETAILS]
    assert isinstance(found["Memory and threads"], Figure)
    held = found["Which users are held"]
    assert isinstance(held, Table)
    assert [column.heading for column in held.columns][:7] == [
        "Model",
        "Users",
        "Held",
        "Waiting",
        "In time",
        "Served p50",
        "Served p99",
    ]  # nobody is late, refused or lost
    assert held.rows[8][:5] == ["C WebSocket", "10,000", "10,000", "0", "10,000"]
    assert held.ends == {2, 5, 8, 11}
    assert ("note", "C WebSocket at 100; C long poll at 100; D long poll at 100") in [
        (each.severity, each.place) for each in made.findings
    ]


def test_nothing_measured_is_a_report_all_the_same(tmp_path: Path) -> None:
    for status, words in (
        ("running", "This run has not ended: it has 0 of 15 trials so far."),
        ("partial", "This run was interrupted: it has 0 of 15 trials."),
        ("failed", "This run failed: it has 0 of 15 trials; the findings say what is wrong."),
    ):
        made = document(crowds.folder(tmp_path, status=status))
        assert "<svg" not in rendered.page(made)
        assert "A seat for each user" not in rendered.page(made)
        for text in (rendered.page(made), rendered.markdown(made), rendered.terminal(made)):
            assert words in text


def test_levels_without_figures_are_a_report_all_the_same(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    nothing = Holding()
    blind = {"empty": nothing, "quiet": nothing, "quiet_end": nothing, "busy": nothing, "client_share": None}
    for kind in crowds.ALL:
        crowds.add(folder, kind, 100, **blind)
    crowds.add(folder, crowds.A, 1000, valid=False, reason="the client died", rows={}, **blind)
    crowds.add(folder, crowds.A, 0, **blind)
    made = document(folder)
    page = rendered.page(made)
    assert page.count("<svg") == 5 + 2  # levels, and the legend's seats
    assert "Memory and threads" not in page
    assert "this trial is not counted: the client died" in page
    assert made.lacks == "trials.jsonl lacks lines: it has 7 of 15 trials."
    assert "0.0 KiB" not in page
    assert page.count('<tr class="doubt') == len(table.DETAILS) + 1
    assert rendered.terminal(made, 80)


def test_memory_that_hardly_differs_has_a_labelled_axis(tmp_path: Path) -> None:
    """With less than a decade a logarithmic axis may have no label at all."""
    drawn = crowd_figure.needs(analyse(crowds.run(tmp_path, (20, 60), (crowds.C,))), narrow=False)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert {"0", "24"} < set(texts[: texts.index("MiB")])


def test_the_settings_and_what_the_quiet_seconds_leave_out_are_said(tmp_path: Path) -> None:
    settings, plan, *method = document(crowds.run(tmp_path, (100,), (crowds.C_POLL,))).method
    assert "100, 1,000 and 10,000 users; users connect at 1,000/s" in settings
    assert "leaves out the objects" in settings
    assert plan.startswith("CPUS=1: servers on core 0, load generator on core 1")
    late = "A polling user sends a new request about every 60 s"
    assert late in method[-1]
    assert late not in document(crowds.run(tmp_path, (100,), (crowds.C,))).method[-1]
    crowd = {"users": [100], "hold_s": 6, "most": 5000, "freeze_collector": False}
    short = {"schema": 2, "kind": "crowd", "name": "x", "question": "?", "crowd": crowd}
    settings, _, *method = document(crowds.run(tmp_path, (100,), (crowds.C_POLL,), experiment=short)).method
    assert late not in method[-1]
    assert "100 users, then as many as the machine allows, up to 5,000" in settings
    assert "goes through the objects" in settings


def test_evidence_is_text_and_never_markup(tmp_path: Path) -> None:
    kind = replace(crowds.D, room=50, evidence="<script>alert(1)</script>\n[bold]no[/bold]")
    made = document(crowds.run(tmp_path, (100,), (kind,)))
    page = rendered.page(made)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "[bold]no[/bold]" in "".join(rendered.terminal(made, 200))


def test_report_writes_all_of_it_and_other_commands_say_what_it_is(inside: Run, tmp_path: Path) -> None:
    folder = crowds.run(tmp_path, (100, 1000), status="partial")
    done = inside("report", str(folder.path))
    assert done.returncode == 0, done.stderr
    assert "breaks at 100" in done.stdout
    assert "<svg" in (folder.path / "report.html").read_text()
    assert "## Which users are held" in (folder.path / "report.md").read_text()
    assert len(json.loads((folder.path / "summary.json").read_text())["cells"]) == 10
    for arguments, said in (
        (("compare", str(folder.path), str(BENCH)), "of kind crowd and .* of kind closed: compare runs of one kind"),
        (
            ("explain", str(folder.path), "C16"),
            "CELL=C16 matches 0 cells of this run; choose one: model A, transport poll, form usual, asked",
        ),
        (("bench", "--resume", str(folder.path)), "is of kind crowd: make crowd RESUME="),
    ):
        done = inside(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert re.search(said, done.stderr), done.stderr
    assert inside("compare", str(folder.path), str(folder.path)).returncode == 2
    explained = inside("explain", str(folder.path), "C websocket 1000")
    assert "click p99 ms" in explained.stdout, explained.stderr
    exported = inside("export", str(folder.path))
    assert {Path(line).name for line in exported.stdout.split()} == {
        "users.csv",
        "clicks.csv",
        "trials.csv",
        "cells.csv",
    }


@pytest.mark.parametrize("width", [390, 1280])
def test_no_screen_is_too_narrow(whole: RunFolder, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(rendered.page(document(whole)))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    strokes = page.evaluate(
        "['good', 'idle'].map(name => getComputedStyle(document.querySelector(`path[style*='${name}']`)).stroke)"
    )
    assert len(set(strokes)) == 2
    assert all(stroke.startswith("rgb") for stroke in strokes)
    page.close()
