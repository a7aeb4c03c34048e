"""A student's folder, mylab/: the id, the journal, and the texts that the student writes."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from iolab.errors import UsageError
from iolab.learn import values as personal
from iolab.learn.evidence import MYLAB, STUDENT
from iolab.learn.journal import Entry, Journal
from iolab.learn.plan import Course, Plan
from iolab.learn.values import Values
from iolab.results import files

JOURNAL, ANSWERS = "journal.jsonl", "answers.md"
HEADING = re.compile(r"^## (\d\.\d{1,2})\b.*$", re.MULTILINE)  # a section ends at the next one
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\\\"']")  # of an id, which is in a TOML file and in the names of files


@dataclass(frozen=True)
class Student:
    """A student: the personal values, and the journal."""

    values: Values
    journal: Journal
    folder: Path

    @classmethod
    def begin(cls, root: Path, course: Course, plan: Plan, student: str) -> "Student":
        """Make mylab/ for a student; raises UsageError for an id that cannot be, and where mylab/ is another's."""
        if not re.fullmatch(course.student_id, student) or UNSAFE.search(student):
            raise UsageError(f"STUDENT={student[:60]}: must match {course.student_id}, as labs/course.toml says")
        if (root / MYLAB / STUDENT).exists():
            found = cls.read(root)
            if found.values.student != student:
                raise UsageError(
                    f"STUDENT={student[:60]}: {MYLAB}/ is that of {found.values.student}: use another clone, or delete"
                    f" {MYLAB}/ if nothing in it is needed"
                )
            return found
        folder = root / MYLAB
        if not folder.is_symlink() and not folder.exists():
            folder.mkdir()
        files.check_folder(folder)
        lines = [f'student = "{student}"', f'term = "{course.term}"']
        files.write(folder / STUDENT, ("\n".join(lines) + "\n").encode())
        headings = [f"## {step.id}\n" for step in plan if step.kind == "explain"]
        if not (folder / ANSWERS).exists():
            files.write(folder / ANSWERS, "\n".join(["# Answers\n", *headings]).encode())
        found = cls.read(root)
        found.journal.add("begin", student=student, term=course.term)
        return found

    @classmethod
    def read(cls, root: Path) -> "Student":
        """Return the student of mylab/; raises UsageError where there is none."""
        folder = root / MYLAB
        try:
            given = tomllib.loads(files.read(folder / STUDENT).decode())
            values = personal.of(str(given["term"]), str(given["student"]))
        except FileNotFoundError:
            raise UsageError("the course has not begun here: make learn STUDENT=your-id") from None
        except (OSError, ValueError, KeyError, UsageError) as error:
            raise UsageError(f"{MYLAB}/{STUDENT} cannot be read: {' '.join(str(error).split())}") from error
        return cls(values, Journal(folder / JOURNAL), folder)

    def answers(self) -> Mapping[str, str]:
        """Return the texts of answers.md by step, without comments; {} if the file is not there."""
        try:
            text = files.read(self.folder / ANSWERS).decode(errors="replace")
        except (OSError, UsageError):
            return {}
        parts = HEADING.split(text)[1:]
        return {
            step: re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL).strip()
            for step, body in zip(parts[::2], parts[1::2], strict=True)
        }

    def write_answer(self, step: str, text: str) -> None:
        """Put a text under the heading of its step in answers.md, in place of the one that is there."""
        path = self.folder / ANSWERS
        before = files.read(path).decode(errors="replace") if path.exists() else "# Answers\n"
        section = f"## {step}\n\n{text.strip()}\n\n"
        places = [(found[1], found.start()) for found in HEADING.finditer(before)] + [("", len(before))]
        for (name, begin), (_, end) in pairwise(places):
            if name == step:
                files.write(path, (before[:begin] + section + before[end:]).encode())
                return
        files.write(path, f"{before.rstrip()}\n\n{section}".encode())


def last(entries: list[Entry], what: str, step: str) -> Entry | None:
    """Return the last line about a step."""
    return next((each for each in reversed(entries) if each["what"] == what and each.get("step") == step), None)


def first(entries: list[Entry], what: str, step: str) -> Entry | None:
    """Return the first line about a step."""
    return next((each for each in entries if each["what"] == what and each.get("step") == step), None)
