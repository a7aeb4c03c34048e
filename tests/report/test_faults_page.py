"""The page and the words of faults, on made-up records."""

import math
from pathlib import Path

import pytest
from rich.console import Console

from iolab.kinds.faults import page as faults_page
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.records import Clicks
from tests import faults


def test_the_page_has_a_section_for_each_fault_and_curves_where_there_are_rows(tmp_path: Path) -> None:
    folder = faults.folder(tmp_path)
    page = faults_page.render(faults.run(folder), folder)
    assert page.count("<h2>") == len(faults.FIGURES) - 1  # nothing happens in the calm
    assert page.count("<svg") == 3
    assert "none is lost" in page
    assert "4,097 kept" in page
    assert "https://" not in page.replace("http://www.w3.org/", "")


def test_a_click_that_is_never_answered_is_no_short_one() -> None:
    felt = Clicks(sent=400, answered=380, p50_s=0.001, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    assert fault_words.clicks(faults.record("killed", clicks=felt)) == ("1.0 ms", "never", "never", "20 of 400")


def test_clicks_that_nothing_proves_do_not_count_as_kept() -> None:
    unknown = Clicks(sent=400, answered=380, lost=0, unrecorded=None)
    assert not faults.record("calm", clicks=unknown).kept_its_word


def test_a_run_that_was_interrupted_has_a_page_of_what_it_has(tmp_path: Path) -> None:
    folder = faults.folder(tmp_path)
    whole = faults.run(folder)
    cut = whole.model_copy(update={"status": "partial", "faults": whole.faults[:2]})
    page = faults_page.render(cut, folder)
    assert "interrupted" in page
    assert page.count("<h2>") == 1
    assert faults_page.render(whole.model_copy(update={"faults": ()}), folder).count("<h2>") == 0


@pytest.mark.parametrize("fault", faults.FIGURES)
def test_every_figure_has_a_label_and_every_fault_a_sentence(fault: str) -> None:
    record = next(faults.record(each) for each in faults.FIGURES if each == fault)
    rows = fault_words.rows(record)
    assert record.figures
    assert len(rows) == len(type(record.figures).model_fields) - 1
    assert fault_words.sentence(record)
    assert "None" not in " ".join([fault_words.sentence(record), *(text for row in rows for text in row)])


def test_what_is_not_known_is_said() -> None:
    record = faults.record("slow")
    assert ("the machine's TCP buffers grew by, at most", fault_words.NOT_KNOWN) in fault_words.rows(record)
    left_out = faults.record("vanished", reason="only Linux can", figures=None)
    assert fault_words.sentence(left_out) == "left out: only Linux can"
    assert "was lost" in fault_words.sentence(faults.record("slow", valid=False, reason="it was lost", figures=None))


def test_a_click_that_was_acknowledged_and_is_missing_is_said_aloud(tmp_path: Path) -> None:
    whole = faults.run(faults.folder(tmp_path))
    assert "none is lost" in fault_words.verdict(whole)
    for lost in (Clicks(sent=9, answered=8, lost=1, unrecorded=0), Clicks(sent=9, answered=8, lost=0, unrecorded=1)):
        bad = whole.model_copy(update={"faults": (*whole.faults, faults.record("herd", clicks=lost))})
        assert "they are lost" in fault_words.verdict(bad)
    unknown = faults.record("herd", clicks=Clicks(sent=9, answered=8, lost=0, unrecorded=None))
    assert "not known here" in fault_words.verdict(whole.model_copy(update={"faults": (unknown,)}))


def test_the_terminal_has_a_line_for_each(tmp_path: Path) -> None:
    console = Console(width=100, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    faults_page.show(console, faults.run(faults.folder(tmp_path)))
    text = console.export_text()
    assert all(fault_words.name(fault) in text for fault in faults.FIGURES)
    assert "1 of 400" in text
    console.file.close()
