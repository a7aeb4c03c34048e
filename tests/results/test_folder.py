import gzip
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from pydantic import ValidationError

from iolab.errors import UsageError
from iolab.kinds.closed import words
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.samples import Sample
from tests.conftest import ROOT

EXAMPLE = ROOT / "tests" / "data" / "runs" / "docker-bench"


def record(index: int) -> ClosedRecord:
    return ClosedRecord(
        index=index, repeat=0, model="A", service="blocking", concurrency=4, cpus=1.0, requested=200, sent=200, ok=199, errors=1,
        started=datetime.now(UTC), duration_s=4.0, valid=True, reason=None, server=ServerUsage(), client=ClientUsage(),
    )  # fmt: skip


@pytest.mark.needs("linux")
def test_a_place_that_takes_no_folder_is_refused_in_a_line() -> None:
    with pytest.raises(UsageError, match=r"RESULTS=/proc: .*: choose another folder"):
        RunFolder.create(Path("/proc"), "bench")


def test_no_folder_is_ever_used_twice_and_latest_is_the_newest(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path, "bench") for _ in range(3)]
    assert len({folder.path for folder in folders}) == 3
    assert (tmp_path / "latest").resolve() == folders[-1].path
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".latest")]


def test_a_run_of_which_nothing_was_measured_is_discarded_and_what_was_measured_never(tmp_path: Path) -> None:
    before, measured, rows, empty = (RunFolder.create(tmp_path, "bench") for _ in range(4))
    shutil.copy(EXAMPLE / "run.json", before.path)
    measured.append(record(0))
    rows.write_rows(0, requests=[Sample(0.0, 0.1, 200)])
    assert [folder.discard() for folder in (measured, rows, empty)] == [False, False, True]
    assert {path.name for path in tmp_path.iterdir()} == {
        "latest", *(folder.path.name for folder in (before, measured, rows))
    }  # fmt: skip
    assert (tmp_path / "latest").resolve() == before.path
    for folder in (before, measured, rows):
        shutil.rmtree(folder.path)
    assert RunFolder.create(tmp_path, "bench").discard()
    assert [*tmp_path.iterdir()] == []


def test_trials_are_appended(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    assert folder.read_trials(ClosedRecord) == []
    written = [record(index) for index in range(3)]
    for one in written:
        folder.append(one)
    assert folder.read_trials(ClosedRecord) == written


def test_a_last_line_that_was_cut_is_left_out_and_one_in_the_middle_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    folder.append(record(0))
    path = folder.path / "trials.jsonl"
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    assert len(folder.read_trials(ClosedRecord)) == 1
    path.write_text(whole + whole[:40] + "\n")  # whole, but of something else
    with pytest.raises(UsageError, match=r"trials\.jsonl, line 2"):
        folder.read_trials(ClosedRecord)
    path.write_text(whole[:40] + "\n" + whole)
    with pytest.raises(UsageError, match=r"trials\.jsonl, line 1"):
        folder.read_trials(ClosedRecord)


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    samples = [Sample(0.0, 0.0203, 200), Sample(None, None, 0), Sample(1.5, 2.0, 503)]
    rows = folder.write_rows(7, requests=samples)
    assert rows == {"requests": "samples/0007-requests.csv.gz"}
    assert folder.read_rows(rows, "requests", Sample) == samples


def test_what_a_trial_does_not_have_is_no_file_and_no_rows(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    assert folder.write_rows(7, requests=[]) == {}
    assert folder.read_rows({}, "requests", Sample) == []
    assert not list((folder.path / "samples").iterdir())


class Point(NamedTuple):
    word: Literal["held", "lost"]
    name: str
    user: int
    at_s: float | None
    size: float


SEEN = [Point("held", "it", 3, 0.25, 1.5), Point("lost", "a, b", 4, None, 0.0)]
HEADING = "word,name,user,at_s,size\n"


def test_rows_of_any_kind_come_back_as_they_were(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    rows = folder.write_rows(1, seen=SEEN)
    assert folder.read_rows(rows, "seen", Point) == SEEN


@pytest.mark.parametrize("at_once", [1, 2, 3, 6, 7])
def test_rows_that_are_read_some_at_once_are_all_read_and_checked(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iolab.results.rows.AT_ONCE", at_once)
    folder = RunFolder.create(tmp_path, "bench")
    seen = [Point("held", f"{number}", number, None if number % 3 else number / 2, 0.5) for number in range(6)]
    assert folder.read_rows(folder.write_rows(1, seen=seen), "seen", Point) == seen
    samples = [Sample(0.0, 0.02, 200)] * 5
    assert folder.read_rows(folder.write_rows(2, requests=samples), "requests", Sample) == samples
    wrong = folder.write_rows(3, requests=[*samples, Sample(0.0, -0.02, 200)])
    with pytest.raises(UsageError, match=r"0\.000000, -0\.020000, 200: its times run backwards"):
        folder.read_rows(wrong, "requests", Sample)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HEADING + "gone,it,3,0.25,1.5\n", "'gone' must be one of held, lost"),
        (HEADING + "held,it,3.5,0.25,1.5\n", "invalid literal"),
        (HEADING + "held,it,3,nan,1.5\n", "nan is not finite"),
        (HEADING + "held,it,3,0.25,\n", "could not convert"),
        (HEADING + "held,it,3,0.25\n", "a line has 4 values, not 5"),
        ("start_s,latency_s,status\n0.0,0.02,200\n", "it has the columns start_s, latency_s, status, not word, name"),
        ("", "it has the columns , not word"),
    ],
)
def test_rows_that_are_damaged_or_of_another_kind_are_refused(tmp_path: Path, text: str, what: str) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    rows = folder.write_rows(1, seen=SEEN)
    (folder.path / rows["seen"]).write_bytes(gzip.compress(text.encode()))
    with pytest.raises(UsageError, match=rf"0001-seen\.csv\.gz cannot be read: {what}"):
        folder.read_rows(rows, "seen", Point)


def test_damaged_samples_are_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    (folder.path / "samples" / "0000-requests.csv.gz").write_bytes(b"\x1f\x8b\x08 rubbish")
    with pytest.raises(UsageError, match=r"0000-requests\.csv\.gz cannot be read"):
        folder.read_rows({"requests": "samples/0000-requests.csv.gz"}, "requests", Sample)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run folder"):
        RunFolder.open(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UsageError, match=r"run\.json: kind"):
        RunFolder.open(tmp_path).read_run()


def test_another_version_is_refused(tmp_path: Path) -> None:
    text = (EXAMPLE / "run.json").read_text()
    (tmp_path / "run.json").write_text(text.replace('"schema": 2', '"schema": 3', 1))
    with pytest.raises(UsageError, match=r"schema: Input should be 2.*another version"):
        RunFolder.open(tmp_path).read_run()


def test_run_json_comes_back_as_it_was(tmp_path: Path) -> None:
    run = RunFolder.open(EXAMPLE).read_run()
    folder = RunFolder.create(tmp_path, "bench")
    folder.write_run(run)
    assert folder.read_run() == run
    assert run.models[2].workers == float("inf")


def test_a_complete_run_without_its_trials_is_damaged(tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    lines = (copy / "trials.jsonl").read_text().splitlines(keepends=True)
    (copy / "trials.jsonl").write_text("".join(lines[:15]))
    assert "Only 15 of 24 trials are there" in words.wall_time(analyse(RunFolder.open(copy)))
    (copy / "trials.jsonl").write_text("")
    with pytest.raises(UsageError, match="contains none of the 24 trials"):
        analyse(RunFolder.open(copy))


def test_samples_that_are_not_those_of_their_trial_are_damaged(tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    (copy / "samples" / "0003-requests.csv.gz").unlink()
    RunFolder.open(copy).write_rows(3, requests=[Sample(0.0, 0.02, 200)])
    with pytest.raises(UsageError, match=r"0003-requests.csv.gz has 1 rows, but trial 3 has \d+ requests"):
        analyse(RunFolder.open(copy))


def test_bytes_that_are_no_text_are_named_and_a_cut_line_of_them_is_left_out(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    folder.append(record(0))
    path = folder.path / "trials.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff\xfe")
    assert len(folder.read_trials(ClosedRecord)) == 1
    path.write_bytes(b"\xff\xfe\n" + whole)
    with pytest.raises(UsageError, match=r"trials\.jsonl, line 1"):
        folder.read_trials(ClosedRecord)


def test_a_trial_that_is_there_twice_would_count_twice(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    for index in (0, 1, 1):
        folder.append(record(index))
    with pytest.raises(UsageError, match=r"trials\.jsonl has trial 1 twice"):
        folder.read_trials(ClosedRecord)


def test_of_a_trial_that_was_not_valid_the_newest_line_counts_and_its_rows_stay(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    first, second = (folder.write_rows(0, requests=[Sample(0.0, latency_s, 200)]) for latency_s in (0.5, 0.02))
    assert (first["requests"], second["requests"]) == ("samples/0000-requests.csv.gz", "samples/0000-requests-2.csv.gz")
    bad = record(0).model_copy(update={"valid": False, "reason": "it died", "rows": first})
    for each in (bad, record(1), record(0).model_copy(update={"rows": second})):
        folder.append(each)
    assert [(each.index, each.valid, each.rows) for each in folder.read_trials(ClosedRecord)] == [
        (0, True, second),
        (1, True, {}),
    ]
    assert folder.read_rows(first, "requests", Sample) == [Sample(0.0, 0.5, 200)]


def test_samples_damaged_in_the_middle_are_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    rows = folder.write_rows(0, requests=[Sample(number / 7, 0.02 + number / 1000, 200) for number in range(200)])
    whole = (folder.path / rows["requests"]).read_bytes()
    (folder.path / rows["requests"]).write_bytes(whole[:60] + bytes(255 - byte for byte in whole[60:90]) + whole[90:])
    with pytest.raises(UsageError, match=r"0000-requests\.csv\.gz cannot be read"):
        folder.read_rows(rows, "requests", Sample)


@pytest.mark.parametrize("latency", ["nan", "inf", "soon"])
def test_a_latency_that_is_no_time_is_damaged(tmp_path: Path, latency: str) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    text = f"start_s,latency_s,status\n0.0,{latency},200\n"
    (folder.path / "samples" / "0000-requests.csv.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(UsageError, match=r"0000-requests\.csv\.gz cannot be read"):
        folder.read_rows({"requests": "samples/0000-requests.csv.gz"}, "requests", Sample)


def test_a_file_without_a_whole_line_has_no_trial(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    assert not folder.has_trials()
    for text in ("", '{"index": 0'):
        (folder.path / "trials.jsonl").write_text(text)
        assert not folder.has_trials()
    folder.drop_cut_line()
    folder.append(record(0))
    assert folder.has_trials()


def test_a_last_line_that_a_crash_has_cut_is_taken_away(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    path = folder.path / "trials.jsonl"
    folder.drop_cut_line()
    assert not path.exists()
    for before, after in (('{"a": 1}\n{"b', '{"a": 1}\n'), ('{"a": 1}\n', '{"a": 1}\n'), ('{"a', "")):
        path.write_text(before)
        folder.drop_cut_line()
        assert path.read_text() == after


@pytest.mark.parametrize("value", [1e308, -1e308, 2e18])
def test_a_value_that_nothing_measured_has_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="above 1e\\+18: nothing measured is"):
        ServerUsage(cpu_s=value)
    assert ServerUsage(cpu_s=1e17).cpu_s == 1e17
