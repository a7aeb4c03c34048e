"""A crowd's report: in the terminal, as Markdown, as a page; and what other commands say of such a run."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from iolab.kinds.crowd import figure as crowd_figure
from iolab.kinds.crowd import page as crowd_page
from iolab.kinds.crowd.analysis import analyse
from iolab.results.folder import RunFolder
from iolab.results.records import Holding
from tests import crowds
from tests.conftest import ROOT, Run

BENCH = ROOT / "tests" / "data" / "runs" / "docker-bench"


def terminal(folder: RunFolder, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    crowd_page.show(console, analyse(folder), "results/x")
    return console.export_text().splitlines()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return crowds.run(tmp_path_factory.mktemp("crowd"), (100, 1000, 10_000))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_nothing_of_it_is_cut(whole: RunFolder, width: int) -> None:
    lines = terminal(whole, width)
    assert max(map(len, lines)) <= width
    table = lines[: next(number for number, line in enumerate(lines) if line.startswith("- "))]
    assert not [line for line in table if "…" in line]
    row = next(line.split() for line in table if "C WebSocket" in line and "10,000" in line)
    assert {"10,000", "14.7", "9.5", "1", "0.004%", "0.2", "1.2"} <= set(row)
    pool = next(line.split() for line in table if "B long poll" in line and "1,000" in line)
    assert {"8", "few"} <= set(pool)


def test_the_page_needs_nothing_else_and_has_a_seat_for_everybody(whole: RunFolder) -> None:
    page = crowd_page.render(analyse(whole))
    assert page.count('<figure class="hall">') == 15
    assert page.count('class="card"') == 5
    assert page.count("<h3>C (asyncio, WebSocket)</h3>") == 2  # on its card, and over its seats
    assert "B (Thread pool, long poll)</h3><strong>holds 8 of 100</strong>" in page
    assert "C (asyncio, WebSocket)</h3><strong>holds 10,000</strong>" in page
    assert "8 served in time, 992 waiting" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "breaks at 100: 8 of 100 are held, 92 waiting" in page


def test_halls_of_a_single_level_stand_side_by_side(tmp_path: Path) -> None:
    page = crowd_page.render(analyse(crowds.run(tmp_path, (100,))))
    assert page.count('<div class="halls">') == 1
    assert page.count("<figcaption><b>C (asyncio, WebSocket)</b><br><b>100 came</b>") == 1


def test_the_figure_marks_where_each_breaks_and_says_why(whole: RunFolder) -> None:
    drawn = crowd_figure.needs(analyse(whole))
    assert "at 100: holds 8 (queue)" in drawn
    assert "C WebSocket" in drawn
    assert "C WebSocket  " not in drawn  # it does not break
    reverse = crowds.run(whole.path.parent, (100, 1000), (replace(crowds.C, room=500, obstacle="files"), crowds.D))
    assert "at 1,000: holds 500 (files)" in crowd_figure.needs(analyse(reverse))


def test_the_markdown_has_every_table(whole: RunFolder) -> None:
    text = crowd_page.markdown(analyse(whole))
    for title in crowd_page.TABLES:
        assert f"## {title}\n" in text
    assert "| C WebSocket | 10,000 | 10,000 | 0 | 0 | 0 | 0 | 10,000 |" in text
    assert "**note**, C WebSocket at 100; C long poll at 100; D long poll at 100: 20 clicks" in text


def test_nothing_measured_is_a_report_all_the_same(tmp_path: Path) -> None:
    for status, words in (("running", "Not finished"), ("partial", "Interrupted"), ("failed", "Some levels failed")):
        folder = crowds.folder(tmp_path, status=status)
        page, text = crowd_page.render(analyse(folder)), crowd_page.markdown(analyse(folder))
        assert "<svg" not in page
        assert words in page
        assert words in text
        assert words in "\n".join(terminal(folder, 80))


def test_levels_without_figures_are_a_report_all_the_same(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    nothing = Holding()
    blind = {"empty": nothing, "quiet": nothing, "quiet_end": nothing, "busy": nothing, "client_share": None}
    for kind in crowds.ALL:
        crowds.add(folder, kind, 100, **blind)
    crowds.add(folder, crowds.A, 1000, valid=False, reason="the client died", rows={}, **blind)
    crowds.add(folder, crowds.A, 0, **blind)
    page = crowd_page.render(analyse(folder))
    assert page.count("<svg") == 5 + 2  # halls, and the legend's seats
    assert "this level is not counted: the client died" in page
    assert "Only 7 of 15 levels are there" in page
    assert "0.0 KiB" not in page
    assert terminal(folder, 80)


def test_evidence_is_text_and_never_markup(tmp_path: Path) -> None:
    kind = replace(crowds.D, room=50, evidence="<script>alert(1)</script>\n[bold]no[/bold]")
    folder = crowds.run(tmp_path, (100,), (kind,))
    page = crowd_page.render(analyse(folder))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "[bold]no[/bold]" in "".join(terminal(folder, 200))


def test_report_writes_all_of_it_and_other_commands_say_what_it_is(inside: Run, tmp_path: Path) -> None:
    folder = crowds.run(tmp_path, (100, 1000), status="partial")
    done = inside("report", str(folder.path))
    assert done.returncode == 0, done.stderr
    assert "breaks at 100" in done.stdout
    assert "<svg" in (folder.path / "report.html").read_text()
    assert "## Who is held" in (folder.path / "report.md").read_text()
    assert len(json.loads((folder.path / "summary.json").read_text())["cells"]) == 10
    for arguments, said in (
        (("compare", str(folder.path), str(BENCH)), "of kind crowd and .* of kind closed: compare two of one kind"),
        (
            ("explain", str(folder.path), "C16"),
            "CELL=C16: 0 cells of this run; say which one: model A, transport poll, asked",
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
    page.set_content(crowd_page.render(analyse(whole)))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lit = page.evaluate("getComputedStyle(document.querySelector('.seat-held')).stroke")
    dark = page.evaluate("getComputedStyle(document.querySelector('.seat-waiting')).stroke")
    assert lit != dark
    page.close()
