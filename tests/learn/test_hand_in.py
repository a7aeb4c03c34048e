"""make submit and make grade, as they are called."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.learn.pupils import Pupil, pupil


def test_submit_writes_the_zip_grades_it_and_prints_the_sheet(own: Pupil, inside: Run) -> None:
    done = inside("submit", cwd=own.root)
    assert done.returncode == 0
    assert "72 of 90 points" in done.stdout
    assert "Your teacher sees no flag." in done.stdout
    assert f"lab-{own.id}.zip" in done.stdout.splitlines()[-1]
    (path,) = own.root.glob("*.zip")
    first = path.read_bytes()
    assert inside("submit", cwd=own.root).returncode == 0
    assert [each.read_bytes() for each in own.root.glob("*.zip")] == [first]


def test_a_student_sees_what_the_teacher_sees_before_handing_in(own: Pupil, inside: Run) -> None:
    shutil.rmtree(next(own.root.glob("results/*-bench")))
    own.bench(seed=own.values.seed + 1)
    done = inside("submit", cwd=own.root)
    assert done.returncode == 0
    assert f"has seed {own.values.seed + 1}, and this student's is {own.values.seed}" in done.stdout


def test_a_journal_that_was_changed_can_be_handed_in_and_is_flagged(own: Pupil, inside: Run) -> None:
    journal = own.mylab / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"It follows", b"it follows", 1))
    own.bench(name="later")  # makes the journal want another line
    done = inside("submit", cwd=own.root)
    assert done.returncode == 0
    assert "its chain is broken" in done.stdout


def test_submit_before_the_course_has_begun_is_one_line(tmp_path: Path, inside: Run) -> None:
    root = pupil(tmp_path / "new", "s1").root
    done = inside("submit", cwd=root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "iolab: the course has not begun here: make learn STUDENT=your-id\n"


def test_grade_writes_everything_into_the_folder_and_ends_with_1_where_a_zip_was_refused(
    own: Pupil, tmp_path: Path, inside: Run
) -> None:
    zips = own.submit(tmp_path / "zips").parent
    variables = {"FOLDER": str(zips), "RESULTS": str(tmp_path / "out")}
    (zips / "marks.csv").write_text(f"id,step,mark\n{own.id},1.9,2\nnobody,1.9,3\n{own.id},2.5,1\n")
    done = inside("grade", variables=variables)
    assert done.returncode == 0
    assert f"Marks in marks.csv without a text (id,step): nobody,1.9; {own.id},2.5" in " ".join(done.stdout.split())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "grades.csv",
        "refused.csv",
        "review.html",
        "gradescope",
        "feedback",
    }
    (zips / "bad.zip").write_bytes(b"no zip")
    done = inside("grade", variables=variables)
    assert done.returncode == 1
    assert "Refused: bad.zip: it is damaged, cut, or no zip" in done.stdout
    assert own.id in done.stdout


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_grade_without_a_folder_is_one_line(folder: str, tmp_path: Path, inside: Run) -> None:
    done = inside("grade", *(["--folder", str(tmp_path / folder)] if folder else []))
    assert done.returncode == 2
    assert done.stderr.startswith("iolab: FOLDER")
    assert done.stderr.count("\n") == 1
