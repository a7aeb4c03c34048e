"""Zips are graded from raw rows and the log: honest ones have no flag, and what was planted is flagged by its name."""

import csv
import gzip
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.learn import bundle, gradebook, grading, marks
from iolab.learn import values as personal
from iolab.learn.checks import Result
from iolab.learn.flags import Flag
from iolab.learn.journal import Journal
from iolab.learn.sheet import Refusal, Rules, Sheet, graded
from iolab.learn.texts import Texts
from iolab.learn.unzip import Refused, unpacked
from tests.conftest import ROOT
from tests.learn.pupils import Pupil, pupil, two_clicks
from tests.learn.test_unzip import zipped

TEXTS = Texts(ROOT, "en")
STRACE = ROOT / "tests/data/strace"


@pytest.fixture(scope="session")
def rules() -> Rules:
    return grading.rules_of(ROOT)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the zips of two honest students."""
    return handed_in(tmp_path_factory.mktemp("few"), 2)


def handed_in(folder: Path, number: int) -> Path:
    """Let so many students do the course honestly, and return the folder of their zips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # no power fails here
        for name in two_clicks(number):
            each = pupil(folder / "checkouts", name)
            each.work()
            each.submit(folder / "zips")
    return folder / "zips"


def sheet_of(each: Pupil, folder: Path, rules: Rules) -> Sheet:
    """Hand in, and return the sheet."""
    path = each.submit(folder)
    found = graded(path, path.name, rules)
    assert isinstance(found, Sheet), found
    return found


def flags(sheet: Sheet) -> set[str]:
    return {flag.id for flag in sheet.flags}


def result(sheet: Sheet, step: str) -> Result:
    return next(each for each in sheet.results if each.step.id == step)


def changed(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Change the files of a zip, as a student could."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    return zipped(path, content)


@pytest.mark.load
def test_twenty_honest_zips_have_no_flag_and_the_same_bytes_when_run_twice(
    tmp_path: Path, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    zips = handed_in(tmp_path, 20)
    found = grading.grade(zips, rules)
    assert not found.refused
    assert len(found.sheets) == 20
    flagged = {sheet.student: [gradebook.flagged(flag, TEXTS) for flag in sheet.flags] for sheet in found.sheets}
    assert not any(flagged.values()), flagged
    undone = {"3.6", "3.7", "3.8", "4.1", "4.2", "4.3", "4.4", "5.2", "5.3"}
    left = sum(rules.course.points(step) for step in rules.plan if step.id in undone and step.kind != "explain")
    for sheet in found.sheets:
        assert {each.step.id for each in sheet.results if each.verdict != "agrees"} == undone
        assert sheet.points == rules.most() - left
    questions = {tuple(TEXTS.say(each.key, **each.with_) for each in sheet.questions) for sheet in found.sheets}
    assert len(questions) > 10
    gradebook.write(found, tmp_path / "one", TEXTS, {})
    monkeypatch.setattr(grading, "FEW", 100)  # in this process
    gradebook.write(grading.grade(zips, rules), tmp_path / "two", TEXTS, {})
    one, two = (contents(tmp_path / name) for name in ("one", "two"))
    assert one == two
    assert len(one) == 3 + 2 * 20


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_zip_is_small_deterministic_and_keeps_an_older_one(own: Pupil) -> None:
    first = bundle.write(own.root, own.plan, own.values)
    before = first.read_bytes()
    assert first.name == f"lab-{own.id}.zip"
    assert len(before) < bundle.MOST_BYTES
    assert bundle.write(own.root, own.plan, own.values) == first
    assert [path.name for path in own.root.glob("*.zip")] == [first.name]
    own.predict("3.6")
    assert bundle.write(own.root, own.plan, own.values).read_bytes() != before
    assert (own.root / f"lab-{own.id}-1.zip").read_bytes() == before


def test_the_zip_has_the_evidence_of_its_steps_and_a_manifest_of_it(own: Pupil) -> None:
    own.bench(name="mine", seed=4)
    own.write("results/20260101T000000Z-note/secret.txt", b"not evidence")
    own.write("mylab/private.txt", b"not evidence")
    with zipfile.ZipFile(bundle.write(own.root, own.plan, own.values)) as archive:
        names, manifest = archive.namelist(), json.loads(archive.read("manifest.json"))
    assert {name.split("/")[1].split("-")[-1] for name in names if name.endswith("run.json")} == {
        "bench",
        "backlog",
        "pool",
    }
    assert {
        "mylab/student.toml",
        "mylab/journal.jsonl",
        "mylab/trace.log.gz",
        "mylab/hey-A-16.txt",
        "results/contract/yours.json",
        "services/yours/server_yours.py",
    } <= set(names)
    assert not [name for name in names if "secret" in name or "private" in name]
    assert set(manifest["files"]) == set(names) - {"manifest.json"}
    assert {"docker-compose.yml", "services/blocking/server.py", "labs/plan.toml"} <= set(manifest["sources"])


def test_a_zip_that_would_be_too_large_names_its_largest_file(own: Pupil) -> None:
    own.write("mylab/trace.log", os.urandom(6_000_000))
    with pytest.raises(UsageError, match=r"mylab/trace\.log\.gz has .* MB: record again"):
        bundle.write(own.root, own.plan, own.values)
    assert not list(own.root.glob("*.zip"))


# What is planted, and the flag that names it.


def edit_row(each: Pupil) -> None:
    path = next(each.root.glob("results/*-bench/samples/0003*"))
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    start, _, status = lines[5].split(",")
    lines[5] = f"{start},0.020123,{status}"
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    each.look()


def faster(each: Pupil, factor: float) -> None:
    for path in each.root.glob("results/*-bench/samples/*"):
        head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        rows = [line.split(",") for line in lines]
        text = [head, *(f"{start},{float(latency) * factor:.6f},{status}" for start, latency, status in rows)]
        path.write_bytes(gzip.compress("\n".join(text).encode() + b"\n", mtime=0))


def change_server(each: Pupil) -> None:
    path = each.root / "services/blocking/server.py"
    path.write_text(path.read_text() + "\n")


def break_chain(each: Pupil) -> None:
    path = each.mylab / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], lines[3].replace("20", "21", 1), *lines[4:]]))


def claim_seed(each: Pupil) -> None:
    """Measure with another seed, and write the student's own into run.json."""
    folder = each.bench(name="later", seed=each.values.seed + 1).path / "run.json"
    folder.write_text(folder.read_text().replace(f'"seed": {each.values.seed + 1}', f'"seed": {each.values.seed}'))
    each.look()


def other_seed(each: Pupil) -> None:
    shutil.rmtree(next(each.root.glob("results/*-bench")))
    each.bench(seed=each.values.seed + 1)


def other_wait(each: Pupil) -> None:
    each.bench(name="later", server={"wait_ms": 19.0})
    each.look()


def other_program(each: Pupil) -> None:
    (each.root / "services/yours/server_yours.py").write_text("# another program\n")


def unseen(each: Pupil) -> None:
    each.bench(name="later")


def other_journal(each: Pupil) -> None:
    (each.mylab / "journal.jsonl").unlink()
    Journal(each.mylab / "journal.jsonl", each.clock).add("begin", student="s9", term=each.course.term)
    each.look()


def other_term(each: Pupil) -> None:
    """Have the personal values of another term, and measure with these."""
    toml = each.mylab / "student.toml"
    toml.write_text(toml.read_text().replace(each.course.term, "2025-fall"))
    each.bench(name="later", seed=personal.of("2025-fall", each.id).seed)
    for path in each.root.glob("results/*-bench"):
        shutil.rmtree(path)


PLANTED: dict[str, Callable[[Pupil], None]] = {
    "evidence_changed": edit_row,
    "services_changed": change_server,
    "chain_broken": break_chain,
    "foreign_order": claim_seed,
    "foreign_setting": other_seed,
    "other_parameter": other_wait,
    "contract_of_another": other_program,
    "evidence_unseen": unseen,
    "journal_of_another": other_journal,
    "other_term": other_term,
    "too_fast": lambda each: faster(each, 0.5),
    "too_many": lambda each: faster(each, 1.5),
    "little_missed": lambda each: faster(each, 0.93),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_flagged_by_its_name(name: str, own: Pupil, tmp_path: Path, rules: Rules) -> None:
    PLANTED[name](own)
    sheet = sheet_of(own, tmp_path / "zips", rules)
    assert name in flags(sheet)
    for flag in sheet.flags:
        assert "{" not in gradebook.flagged(flag, TEXTS)
    if name == "other_term":
        assert result(sheet, "2.5").key == "run_of_other_setting"


def test_without_anything_planted_there_is_no_flag(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    assert flags(sheet_of(own, tmp_path / "zips", rules)) == set()


def without_manifest(files: dict[str, bytes]) -> None:
    del files["manifest.json"]


def test_a_file_that_is_changed_in_the_zip_is_flagged(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    path = own.submit(tmp_path)

    def change(files: dict[str, bytes]) -> None:
        files["mylab/hey-A-16.txt"] += b"\n"
        files["extra.txt"] = b""
        del files["services/yours/server_yours.py"]

    found = graded(changed(path, change), "x", rules)
    assert isinstance(found, Sheet)
    assert {"file_changed", "file_missing", "file_added", "evidence_changed"} <= flags(found)
    assert Flag("file_changed", "mylab/hey-A-16.txt") in found.flags
    without = graded(changed(path, without_manifest), "x", rules)
    assert isinstance(without, Sheet)
    assert "manifest_missing" in flags(without)


def test_a_run_that_began_before_its_prediction_is_flagged(tmp_path: Path, rules: Rules) -> None:
    each = pupil(tmp_path, two_clicks(1)[0])
    each.begin()
    each.bench()
    each.predict("2.1")
    each.look()
    sheet = sheet_of(each, tmp_path / "zips", rules)
    assert "early" in flags(sheet)
    assert result(sheet, "2.1").points == result(sheet, "2.5").points == 0


def test_late_work_is_flagged_and_graded(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    path = own.submit(tmp_path)
    for hours, late in ((-1, True), (1, False)):
        deadline = (own.clock.now + timedelta(hours=hours)).isoformat()
        course = rules.course.model_copy(update={"deadline": deadline})
        found = graded(path, "x", replace(rules, course=course))
        assert isinstance(found, Sheet)
        assert ("late" in flags(found)) == late
        assert found.points > 0


def test_what_another_student_has_too_is_flagged_on_both_and_names_the_other(tmp_path: Path, rules: Rules) -> None:
    names = two_clicks(3)
    one, two, three = (pupil(tmp_path / "checkouts", name) for name in names)
    for each in (one, three):
        each.work()
    two.begin()
    two.predict("1.1")
    two.write("mylab/trace.log", (one.mylab / "trace.log").read_bytes())
    two.predict("2.1")
    run = next(one.root.glob("results/*-bench"))
    copy = two.root / "results" / run.name
    shutil.copytree(run, copy)
    (copy / "run.json").write_text(
        (copy / "run.json").read_text().replace(f'"seed": {one.values.seed}', f'"seed": {two.values.seed}')
    )
    two.look()
    for each in (one, two, three):
        each.submit(tmp_path / "zips")
    found = {sheet.student: sheet for sheet in grading.grade(tmp_path / "zips", rules).sheets}
    copied = {
        (name, flag.with_["name"], flag.with_["other"])
        for name, sheet in found.items()
        for flag in sheet.flags
        if flag.id == "copied"
    }
    assert copied == {
        *((names[0], what, names[1]) for what in (f"results/{run.name}", "mylab/trace.log.gz")),
        *((names[1], what, names[0]) for what in (f"results/{run.name}", "mylab/trace.log.gz")),
    }
    assert "foreign_order" in flags(found[names[1]])
    assert flags(found[names[2]]) == set()


def test_a_log_that_was_packed_again_is_still_a_copy(own: Pupil, tmp_path: Path) -> None:
    path = own.submit(tmp_path)
    with unpacked(path) as found:
        before = found.content("mylab/trace.log.gz")

    def repack(files: dict[str, bytes]) -> None:
        files["mylab/trace.log.gz"] = gzip.compress(gzip.decompress(files["mylab/trace.log.gz"]), 1)

    with unpacked(changed(path, repack)) as found:
        assert found.content("mylab/trace.log.gz") == before


def test_a_student_with_two_zips_has_both_graded_and_is_no_copier(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    path = own.submit(tmp_path / "zips")
    shutil.copy(path, path.with_name("again.zip"))
    found = grading.grade(tmp_path / "zips", rules)
    assert [flags(sheet) for sheet in found.sheets] == [{"handed_in_twice"}] * 2
    gradebook.write(found, tmp_path / "grades", TEXTS, {})
    assert len(list((tmp_path / "grades/gradescope").iterdir())) == 2


@pytest.mark.parametrize("log", ["b_classic_noclick", "p_port_busy", "m_nofollow"])
def test_a_log_without_a_click_never_passes_the_step_of_the_click(
    log: str, own: Pupil, tmp_path: Path, rules: Rules
) -> None:
    own.log(STRACE / f"{log}.txt.gz")
    own.look()
    sheet = sheet_of(own, tmp_path / "zips", rules)
    for step in ("1.6", "1.7"):
        assert result(sheet, step).verdict != "agrees"
        assert result(sheet, step).points == 0


@pytest.mark.parametrize("path", sorted(STRACE.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_logs_give_the_right_facts(path: Path, own: Pupil, tmp_path: Path, rules: Rules) -> None:
    golden = json.loads(path.read_text())
    shutil.copy(path.with_suffix(".txt.gz"), own.mylab / "trace.log.gz")
    (own.mylab / "trace.log").unlink()
    for step, asks in {
        "1.3": {"fd": "listen_fd", "bind": "bind_line", "listen": "listen_line"},
        "1.4": {"add": "epoll_add_line", "epoll": "epoll_fd"},
    }.items():
        values = {name: golden.get(key) for name, key in asks.items()}
        known = None not in values.values()
        own.learning.answer(own.plan.named(step), {name: value or 0 for name, value in values.items()}, "")
        sheet = sheet_of(own, tmp_path / "zips", rules)
        assert (result(sheet, step).verdict == "agrees") == known
        own.learning.answer(own.plan.named(step), {name: (value or 0) + 1 for name, value in values.items()}, "")
        assert result(sheet_of(own, tmp_path / "zips", rules), step).verdict != "agrees"


def test_the_same_answers_fail_with_the_log_or_the_seed_of_another_student(
    own: Pupil, tmp_path: Path, rules: Rules
) -> None:
    before = sheet_of(own, tmp_path / "zips", rules)
    own.log(STRACE / "a_classic_1click.txt.gz")
    for path in own.root.glob("results/*-bench"):
        shutil.rmtree(path)
    own.bench(seed=own.values.seed + 1)
    own.look()
    after = sheet_of(own, tmp_path / "zips", rules)
    for step in ("1.3", "1.4", "1.5", "1.6", "1.7", "2.5", "2.6", "3.1"):
        assert result(before, step).verdict == "agrees"
        assert result(after, step).verdict != "agrees"


def test_the_answers_of_one_student_fail_in_the_name_of_another(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    other = two_clicks(2)[1]
    toml = own.mylab / "student.toml"
    toml.write_text(toml.read_text().replace(own.id, other))
    sheet = sheet_of(Pupil(other, own.root), tmp_path / "zips", rules)
    assert {"journal_of_another", "foreign_setting"} <= flags(sheet)
    assert result(sheet, "2.5").key == "run_of_other_setting"


def test_three_oral_questions_are_from_the_students_own_data_and_stay_the_same(few: Path, rules: Rules) -> None:
    first, second = (graded(path, path.name, rules) for path in sorted(few.glob("*.zip")))
    assert isinstance(first, Sheet)
    assert isinstance(second, Sheet)
    for sheet in (first, second):
        assert len(sheet.questions) == 3
        for question in sheet.questions:
            assert "{" not in TEXTS.say(question.key, **question.with_)
    assert first.questions != second.questions
    again = graded(min(few.glob("*.zip")), "x", rules)
    assert isinstance(again, Sheet)
    assert again.questions == first.questions


def test_a_hostile_zip_does_not_end_the_grading_of_the_others(few: Path, tmp_path: Path, rules: Rules) -> None:
    for path in sorted(few.glob("*.zip")):
        shutil.copy(path, tmp_path)
    good = min(tmp_path.glob("lab-*.zip"))
    zipped(tmp_path / "a1.zip", {"../x": b""})
    zipped(tmp_path / "a2.zip", {"mylab/x": b""})
    zipped(tmp_path / "a3.zip", {"mylab/student.toml": b'student = "../../x"\nterm = "2026-fall"\n'})
    (tmp_path / "a4.zip").write_bytes(good.read_bytes()[:1000])
    shutil.copy(good, tmp_path / "a5.zip")
    changed(tmp_path / "a5.zip", lambda files: files.update({"mylab/journal.jsonl": b"[" * 200_000 + b"\n"}))
    found = grading.grade(tmp_path, rules)
    assert len(found.sheets) == 3
    assert "chain_broken" in flags(next(each for each in found.sheets if each.zip == "a5.zip"))
    assert [each.zip for each in found.refused] == [f"a{number}.zip" for number in range(1, 5)]
    assert all(isinstance(each, Refusal) and "\n" not in each.why for each in found.refused)
    gradebook.write(found, tmp_path / "grades", TEXTS, {})
    rows = list(csv.reader(io.StringIO((tmp_path / "grades/refused.csv").read_text())))
    assert [row[0] for row in rows[1:]] == [each.zip for each in found.refused]


class Deadly:
    """An argument that ends the process that gets it."""

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (1,)


def test_a_zip_that_ends_its_process_is_refused_and_the_others_are_graded(few: Path, rules: Rules) -> None:
    deadly: Any = Deadly()
    found = grading._in_processes([(min(few.glob("*.zip")), "a", rules), (deadly, "b", rules)])
    assert [type(each) for each in found] == [Sheet, Refusal]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the alarm ends whatever runs
def test_a_zip_that_takes_too_long_is_refused(
    few: Path, rules: Rules, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(min(few.glob("*.zip")), tmp_path)
    monkeypatch.setattr(grading, "MOST_S", 0.001)
    found = grading.grade(tmp_path, rules)
    assert [each.why for each in found.refused] == ["it takes longer than 0.001 s"]


def test_the_grades_have_points_hints_flags_and_marks(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    own.learning.hint(own.plan.named("1.3"), ["a", "b"])
    change_server(own)
    zips = own.submit(tmp_path / "zips").parent
    (zips / "marks.csv").write_text(f"id,step,mark\n{own.id},1.9,2\n")
    found = grading.grade(zips, rules)
    given = marks.read(zips)
    gradebook.write(found, tmp_path / "grades", TEXTS, given)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "grades/grades.csv").read_text()))
    assert row["id"] == own.id
    assert (row["step 1.3"], row["step 1.9"], row["step 2.4"], row["hints"], row["flags"]) == (
        "3",
        "2",
        "",
        "1",
        "services_changed",
    )
    assert float(row["points"]) == found.sheets[0].points + 2
    results = json.loads((tmp_path / f"grades/gradescope/{own.id}.json").read_text())
    assert results["score"] == float(row["points"]) == sum(test.get("score", 0) for test in results["tests"])
    assert {test["visibility"] for test in results["tests"]} == {"visible", "hidden"}
    (hidden,) = [test for test in results["tests"] if test["visibility"] == "hidden"]
    assert "services/blocking/server.py" in hidden["output"]
    feedback = (tmp_path / f"grades/feedback/{own.id}.md").read_text()
    assert "services/blocking" not in feedback
    assert "of 114 points; 24 of them are for texts" in feedback
    assert "**1.9**" in feedback


def test_the_files_of_two_zips_never_have_one_name(rules: Rules, own: Pupil, tmp_path: Path) -> None:
    sheet = sheet_of(own, tmp_path / "zips", rules)
    handed = (("a.zip", "dupl"), ("b.zip", "dupl"), ("c.zip", "zip-0001-a"), ("d.zip", "0001-a"))
    sheets = tuple(replace(sheet, zip=path, student=student) for path, student in handed)
    assert len({*gradebook.file_names(grading.Graded(rules, sheets, ())).values()}) == 4


@pytest.mark.parametrize("content", [b"id,step,mark\rs123,2.4,2\r", b"id,step,mark\n" + b"x" * 200_000])
def test_marks_of_another_system_are_read_or_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_bytes(content)
    if b"\r" in content:
        assert marks.read(tmp_path) == {("s123", "2.4"): 2}
        return
    with pytest.raises(UsageError, match="line 2"):
        marks.read(tmp_path)


def test_a_refusal_is_the_same_each_time(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    zips = own.submit(tmp_path / "zips").parent
    path = next(zips.glob("*.zip"))

    def into_a_folder(files: dict[str, bytes]) -> None:
        files["mylab/journal.jsonl/x"] = files.pop("mylab/journal.jsonl")

    changed(path, into_a_folder)
    first, again = (graded(path, path.name, rules) for _ in range(2))
    assert isinstance(first, Refusal)
    assert first == again
    assert "mylab/journal.jsonl" in first.why
    assert "/tmp" not in first.why


@pytest.mark.parametrize("line", ["s1,1.9", "s1,1.9,4", "s1,1.9,x"])
def test_marks_that_are_none_are_refused_with_their_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text(f"id,step,mark\n{line}\n")
    with pytest.raises(UsageError, match="line 2"):
        marks.read(tmp_path)


def test_what_students_write_is_text_on_the_page_and_no_formula_in_the_table(
    own: Pupil, tmp_path: Path, rules: Rules
) -> None:
    own.learning.answer(own.plan.named("1.9"), {}, "<script>alert(1)</script> </textarea> {{ 7 * 7 }} 1106 1107")
    path = own.submit(tmp_path / "zips")
    path.rename(path.with_name("=1+1.zip"))
    gradebook.write(grading.grade(path.parent, rules), tmp_path / "grades", TEXTS, {})
    page = (tmp_path / "grades/review.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7 * 7 }}" in page
    assert "'=1+1.zip" in (tmp_path / "grades/grades.csv").read_text()


def test_a_teacher_changes_weights(own: Pupil, tmp_path: Path, rules: Rules) -> None:
    path = own.submit(tmp_path)
    course = rules.course.model_copy(update={"weights": {"1.3": 30.0, "1.4": 0.0}})
    found = graded(path, "x", replace(rules, course=course))
    assert isinstance(found, Sheet)
    assert (result(found, "1.3").points, result(found, "1.4").points) == (30, 0)


def test_usual_settings_are_those_of_the_experiment_of_a_kind(rules: Rules) -> None:
    assert rules.servers["chess"]["backlog"] == 1024
    assert set(rules.servers) == {"closed", "crowd", "chess"}


def test_a_folder_without_zips_is_refused(tmp_path: Path, rules: Rules) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="FOLDER="):
            grading.grade(folder, rules)


def test_a_refusal_is_an_exception_of_its_own() -> None:
    assert not issubclass(Refused, UsageError)
