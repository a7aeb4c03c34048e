"""The report of faults, on made-up records."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.analysis import FaultsAnalysis, analyse
from iolab.kinds.faults.document import COLUMNS, report
from iolab.kinds.faults.records import Broadcast, Clicks, Killed
from iolab.results.run_info import CpuPlanInfo
from tests import faults, quiet, rendered


def whole(results: Path) -> FaultsAnalysis:
    return analyse(faults.run(faults.folder(results)))


def test_the_page_has_a_section_for_each_fault_and_curves_where_there_are_rows(tmp_path: Path) -> None:
    made = report(whole(tmp_path))
    headings = [section.heading for section in made.details if section.blocks]
    assert headings == ["Broadcast", "Slow readers", "Vanished users", "Half-open flood", "Server killed", "Herd"]
    page = rendered.page(made)
    assert rendered.figures(page) == 3
    assert "it answers: no click is lost" in page
    assert "4,097 kept" in page
    assert "C · asyncio, WebSocket, 1,000 users</h3><strong>no click is lost</strong>" in page
    assert 'class="banner"' not in page
    assert "https://" not in page.replace("http://www.w3.org/", "")


def test_the_settings_are_said(tmp_path: Path) -> None:
    settings, *_ = report(whole(tmp_path)).method
    for part in (
        "Settings: 1,000 users; users connect at 1,000/s and wait 10 s", "50 clicks per second", "10% of the users vanish",
        "up to 200 messages of 4,000 characters", "200 users that connect meanwhile at 50/s", "seed 1991",
    ):  # fmt: skip
        assert part in settings


def test_a_click_that_is_never_answered_is_no_short_one() -> None:
    felt = Clicks(sent=400, answered=380, p50_s=0.001, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    record = faults.record("killed", clicks=felt)
    assert [column.text(record) for column in COLUMNS] == [
        "server killed", "1.0 ms", "never", "never", "20 of 400", "1,000",
    ]  # fmt: skip
    few = faults.record("killed", clicks=Clicks(sent=3, answered=0, slowest_s=math.inf), back=None)
    assert [column.text(few) for column in COLUMNS[1:]] == ["too few", "too few", "never", "3 of 3", "-"]


def test_clicks_that_nothing_proves_do_not_count_as_kept() -> None:
    unknown = Clicks(sent=400, answered=380, lost=0, unrecorded=None)
    assert not faults.record("baseline", clicks=unknown).acknowledged_clicks_safe


def test_a_run_that_was_interrupted_has_a_report_of_what_it_has(tmp_path: Path) -> None:
    all_of_it = whole(tmp_path)
    cut = replace(all_of_it, run=all_of_it.run.model_copy(update={"status": "partial"}), records=all_of_it.records[:2])
    made = report(cut)
    for each in (rendered.page(made), rendered.markdown(made), rendered.terminal(made)):
        assert "This run was interrupted: it has 2 of 7 trials." in each
    assert [section.heading for section in made.details if section.blocks] == ["Broadcast"]
    nothing = report(replace(cut, records=()))
    assert not nothing.details
    assert "What each fault does" not in rendered.page(nothing)
    assert "C · asyncio, 1,000 users: no result. No click was acknowledged." in rendered.terminal(nothing)


def test_a_run_whose_lines_are_not_all_there_says_so(tmp_path: Path) -> None:
    all_of_it = whole(tmp_path)
    made = report(replace(all_of_it, records=all_of_it.records[:6]))
    assert made.lacks == "trials.jsonl lacks lines: it has 6 of 7 trials."
    (all_of_it.folder.path / "trials.jsonl").unlink()
    with pytest.raises(UsageError, match="contains none of the 7 trials"):
        analyse(all_of_it.folder)


def test_a_fault_that_could_not_be_measured_is_shown_as_such(tmp_path: Path) -> None:
    broken = faults.record("baseline", valid=False, reason="the load driver has ended", figures=None, clicks=Clicks())
    made = report(analyse(faults.run(faults.folder(tmp_path), records=[broken], status="failed")))
    for text in (rendered.page(made), rendered.markdown(made)):
        assert "nvalid: the load driver has ended" in text
        assert "this trial is not valid: the load driver has ended" in text
        assert "This run failed: it has 1 of 7 trials" in text


def test_the_markdown_has_a_row_and_a_sentence_for_each_fault(tmp_path: Path) -> None:
    text = rendered.markdown(report(whole(tmp_path)))
    assert text.startswith("# How do a broadcast, users that vanish or do not read")
    assert "| half-open flood | 1.0 ms | 4.0 ms | 20.0 ms | 1 of 400 | 1,000 |" in text
    assert "- Server killed: 1,000 of 1,000 users detect it, the median after 20.0 ms, the last after 30.0 ms." in text
    assert "- SYN cookies sent: 903" in text


def findings(tmp_path: Path, changes: Mapping[str, object], **run: object) -> list[tuple[str, str]]:
    records = [faults.record(fault, **(changes if fault in ("baseline", "herd") else {})) for fault in faults.FIGURES]
    made = report(analyse(faults.run(faults.folder(tmp_path), records=records, **run)))
    return [(each.severity, f"{each.place}: {each.message}") for each in made.findings]


def test_what_must_be_known_of_a_fault_is_found(tmp_path: Path) -> None:
    assert findings(tmp_path, {}) == []
    lost = {"clicks": Clicks(sent=9, answered=8, lost=1, unrecorded=0)}
    message = "of 8 acknowledged clicks, 1 are missing in the rows on disk, and 0 in the server's log"
    assert findings(tmp_path, lost) == [("error", f"baseline; herd: {message}")]
    unknown = {"clicks": Clicks(sent=9, answered=8, lost=0, unrecorded=None)}
    assert findings(tmp_path, unknown) == [
        ("error", "baseline; herd: the server's log contains none of the 8 acknowledged clicks")
    ]
    capped = {"capped": "15 of 20 users can connect: 64 open files."}
    assert findings(tmp_path, capped) == [("note", "baseline; herd: 15 of 20 users can connect: 64 open files")]
    stolen = {"machine": quiet.machine(8.0, steal_s=(4.0, 0.0))}
    plan = CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(0,), shared=True, pinned=True)
    found = findings(tmp_path, stolen, cpu_plans=(plan,))
    assert [severity for severity, _ in found] == ["warning", "warning"]
    assert "every fault: CPUS=1 left no core for the load generator" in found[0][1] + found[1][1]
    assert "baseline; herd: the hypervisor took 50%" in found[0][1] + found[1][1]


def test_the_summary_has_an_object_for_each_fault(tmp_path: Path) -> None:
    never = Clicks(sent=400, answered=380, p50_s=0.001, p99_s=math.inf, slowest_s=math.inf, lost=0, unrecorded=0)
    written = rendered.summary(faults.run(faults.folder(tmp_path), records=[faults.record("baseline", clicks=never)]))
    assert (written["schema"], written["kind"], written["experiment"], written["status"]) == (
        2,
        "faults",
        "faults",
        "complete",
    )
    (cell,) = written["cells"]
    assert cell["findings"] == []
    assert (cell["fault"], cell["clicks"]["p99_s"], cell["acknowledged_clicks_safe"]) == ("baseline", "Infinity", True)


@pytest.mark.parametrize("fault", faults.FIGURES)
def test_every_figure_has_a_label_and_every_fault_a_sentence(fault: str) -> None:
    record = next(faults.record(each) for each in faults.FIGURES if each == fault)
    rows = fault_words.facts(record)
    assert record.figures
    assert len(rows) == len(type(record.figures).model_fields) - 1
    assert fault_words.sentence(record)
    assert "None" not in " ".join([fault_words.sentence(record), *(text for row in rows for text in row)])


def test_what_is_not_known_is_said() -> None:
    record = faults.record("slow")
    assert ("growth of the machine's TCP buffers, at most", fault_words.NOT_KNOWN) in fault_words.facts(record)
    left_out = faults.record("vanished", reason="only Linux can", figures=None)
    assert fault_words.sentence(left_out) == "left out: only Linux can"
    assert "was lost" in fault_words.sentence(faults.record("slow", valid=False, reason="it was lost", figures=None))


def test_a_median_of_too_few_users_or_messages_is_not_shown() -> None:
    unknown = "a time that is not known (too few)"
    killed = faults.record("killed", figures=Killed(detected=5, first_s=0.01, median_s=0.02, last_s=0.03))
    assert fault_words.sentence(killed) == (
        f"5 of 1,000 users detect it, the median after {unknown}, the last after 30.0 ms"
    )
    assert ("median user detects it", "too few") in fault_words.facts(killed)
    assert ("last user detects it", "30.0 ms") in fault_words.facts(killed)
    times = {"first_s": 0.002, "median_s": 0.02, "last_s": 0.04, "slowest_s": 0.09}
    broadcast = faults.record("broadcast", figures=Broadcast(messages=2, reached=1000, **times))
    assert fault_words.sentence(broadcast) == (
        f"a message to all users reaches the median user after {unknown}, the last of 1,000 after {unknown}"
    )
    shown = dict(fault_words.facts(broadcast))
    assert (shown["last user has it"], shown["last user of the slowest message"]) == ("too few", "90.0 ms")
    enough = faults.record("broadcast", figures=Broadcast(messages=6, reached=1000, **times))
    assert "median user after 20.0 ms, the last of 1,000 after 40.0 ms" in fault_words.sentence(enough)
    none = faults.record("killed", figures=Killed(detected=0, first_s=None, median_s=None, last_s=None))
    assert ("median user detects it", fault_words.NOT_KNOWN) in fault_words.facts(none)


def test_a_click_that_was_acknowledged_and_is_missing_is_said_aloud(tmp_path: Path) -> None:
    records = whole(tmp_path).records
    word, sentence = fault_words.verdict(records)
    assert word == "no click is lost"
    assert "no click is lost" in sentence
    for lost in (Clicks(sent=9, answered=8, lost=1, unrecorded=0), Clicks(sent=9, answered=8, lost=0, unrecorded=1)):
        word, sentence = fault_words.verdict((*records, faults.record("herd", clicks=lost)))
        assert word == "clicks are lost"
        assert "they are lost" in sentence
    unknown = faults.record("herd", clicks=Clicks(sent=9, answered=8, lost=0, unrecorded=None))
    word, sentence = fault_words.verdict([unknown])
    assert word == "not proved"
    assert "the server's log is not available for 1 fault." in sentence


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_has_a_line_for_each(tmp_path: Path, width: int) -> None:
    text = rendered.terminal(report(whole(tmp_path)), width)
    assert all(fault_words.name(fault) in text for fault in faults.FIGURES)
    assert "1 of 400" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.endswith("Report: results/latest/report.html\n")
