"""The page and the words of faults, on made-up records."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from iolab.errors import UsageError
from iolab.kinds.faults import page as faults_page
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.analysis import FaultsAnalysis, analyse, summary
from iolab.kinds.faults.records import Clicks
from tests import faults


def whole(results: Path) -> FaultsAnalysis:
    return analyse(faults.run(faults.folder(results)))


def shown(analysis: FaultsAnalysis) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    faults_page.show(console, analysis, "results/x")
    return console.export_text()


def test_the_page_has_a_section_for_each_fault_and_curves_where_there_are_rows(tmp_path: Path) -> None:
    page = faults_page.render(whole(tmp_path))
    assert page.count("<h2>") == len(faults.FIGURES) - 1  # nothing happens in the calm
    assert page.count("<svg") == 3
    assert "none is lost" in page
    assert "4,097 kept" in page
    assert "<h1>asyncio, 1,000 users by websocket: what goes wrong, and what it costs</h1>" in page
    assert "In Docker containers, 1 CPU; 50 clicks a second, whatever else happens.</p>" in page
    assert 'class="banner"' not in page
    assert "https://" not in page.replace("http://www.w3.org/", "")


def test_a_click_that_is_never_answered_is_no_short_one() -> None:
    felt = Clicks(sent=400, answered=380, p50_s=0.001, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    assert fault_words.clicks(faults.record("killed", clicks=felt)) == ("1.0 ms", "never", "never", "20 of 400")


def test_clicks_that_nothing_proves_do_not_count_as_kept() -> None:
    unknown = Clicks(sent=400, answered=380, lost=0, unrecorded=None)
    assert not faults.record("calm", clicks=unknown).acknowledged_clicks_safe


def test_a_run_that_was_interrupted_has_a_page_of_what_it_has(tmp_path: Path) -> None:
    all_of_it = whole(tmp_path)
    cut = replace(all_of_it, run=all_of_it.run.model_copy(update={"status": "partial"}), records=all_of_it.records[:2])
    page, text = faults_page.render(cut), faults_page.markdown(cut)
    for each in (page, text, shown(cut)):
        assert "It was interrupted: what is here was measured before (2 of 7 faults are there)." in each
    assert page.count("<h2>") == 1
    nothing = replace(cut, records=())
    assert faults_page.render(nothing).count("<h2>") == 0
    assert "asyncio, 1,000 users: what goes wrong" in faults_page.render(nothing)
    assert "No click was acknowledged." in shown(nothing)


def test_a_run_whose_lines_are_not_all_there_says_so(tmp_path: Path) -> None:
    all_of_it = whole(tmp_path)
    assert "Only 6 of 7 faults are there: trials.jsonl is not whole." in faults_page.render(
        replace(all_of_it, records=all_of_it.records[:6])
    )
    (all_of_it.folder.path / "trials.jsonl").unlink()
    with pytest.raises(UsageError, match="has none of the 7 trials"):
        analyse(all_of_it.folder)


def test_a_fault_that_could_not_be_measured_is_shown_as_such(tmp_path: Path) -> None:
    broken = faults.record("calm", valid=False, reason="the load driver has ended", figures=None, clicks=Clicks())
    failed = analyse(faults.run(faults.folder(tmp_path), records=[broken], status="failed"))
    for text in (faults_page.render(failed), faults_page.markdown(failed)):
        assert "nvalid: the load driver has ended" in text
        assert "Not all is as it should be: 1 of 7 faults are there." in text


def test_the_markdown_has_a_row_and_a_sentence_for_each_fault(tmp_path: Path) -> None:
    text = faults_page.markdown(whole(tmp_path))
    assert text.startswith("# faults: What do people feel of others")
    assert "| half-open flood | 1.0 ms | 4.0 ms | 20.0 ms | 1 of 400 | 1,000 |" in text
    assert "- server killed: 1,000 of 1,000 know it, the median after 20.0 ms, the last after 30.0 ms." in text


def test_the_summary_has_an_object_for_each_fault(tmp_path: Path) -> None:
    never = Clicks(sent=400, answered=380, p50_s=0.001, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    written = json.loads(
        summary(analyse(faults.run(faults.folder(tmp_path), records=[faults.record("calm", clicks=never)])))
    )
    assert (written["schema"], written["kind"], written["experiment"], written["status"]) == (
        2,
        "faults",
        "faults",
        "complete",
    )
    (cell,) = written["cells"]
    assert (cell["fault"], cell["clicks"]["p99_s"], cell["acknowledged_clicks_safe"]) == ("calm", "Infinity", True)


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
    records = whole(tmp_path).records
    assert "none is lost" in fault_words.verdict(records)
    for lost in (Clicks(sent=9, answered=8, lost=1, unrecorded=0), Clicks(sent=9, answered=8, lost=0, unrecorded=1)):
        assert "they are lost" in fault_words.verdict((*records, faults.record("herd", clicks=lost)))
    unknown = faults.record("herd", clicks=Clicks(sent=9, answered=8, lost=0, unrecorded=None))
    assert "not known here" in fault_words.verdict([unknown])


def test_the_terminal_has_a_line_for_each(tmp_path: Path) -> None:
    text = shown(whole(tmp_path))
    assert all(fault_words.name(fault) in text for fault in faults.FIGURES)
    assert "1 of 400" in text
    assert text.endswith("\nReport: results/x/report.html\n")
