"""Writes what a teacher gets of graded zips: grades.csv, gradescope/, feedback/, review.html. Nothing in it is of now.

The formats of Gradescope: https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.learn import review
from iolab.learn.checks import Result
from iolab.learn.flags import Flag
from iolab.learn.grading import Graded
from iolab.learn.marks import MOST_MARK, Marks
from iolab.learn.sheet import Sheet
from iolab.learn.texts import Texts
from iolab.results import files

GRADES, REFUSED = "grades.csv", "refused.csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes what begins so
SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def write(graded: Graded, folder: Path, texts: Texts, marks: Marks) -> list[Path]:
    """Write all files of a graded folder, and return the main ones; the same zips and marks make the same bytes.

    Raises UsageError where the folder cannot be made.
    """
    try:
        for name in ("", "gradescope", "feedback"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"RESULTS={folder}: {error.strerror}: choose another folder") from error
    names = file_names(graded)
    for sheet in graded.sheets:
        found = json.dumps(gradescope(sheet, graded, texts, marks), ensure_ascii=False, indent=1)
        files.write(folder / "gradescope" / f"{names[sheet.zip]}.json", f"{found}\n".encode("utf-8", "replace"))
        feedback_ = feedback(sheet, graded, texts, marks).encode("utf-8", "replace")
        files.write(folder / "feedback" / f"{names[sheet.zip]}.md", feedback_)
    written = {
        GRADES: grades(graded, marks),
        REFUSED: _csv([["zip", "why"], *([each.zip, each.why] for each in graded.refused)]),
        "review.html": review.page(graded, texts, marks),
    }
    for name, text in written.items():
        files.write(folder / name, text.encode("utf-8", "replace"))
    return [folder / name for name in written]


def file_names(graded: Graded) -> Mapping[str, str]:
    """Return a name for the files of each zip: the student's id; that of the zip, too, where it is not unique."""
    ids = [sheet.student.casefold() for sheet in graded.sheets]
    found: dict[str, str] = {}
    for number, sheet in enumerate(graded.sheets, 1):
        unique = ids.count(sheet.student.casefold()) == 1 and SAFE.fullmatch(sheet.student)
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", Path(sheet.zip).stem)[:60]
        found[sheet.zip] = sheet.student if unique else f"+{number:04d}-{stem}"  # no id begins so, see SAFE
    return found


def flagged(flag: Flag, texts: Texts) -> str:
    """Return the sentence of a flag."""
    return texts.say(f"flag_{flag.id}", **flag.filled)


def grades(graded: Graded, marks: Marks) -> str:
    """Return grades.csv: a line for each zip."""
    steps = [step.id for step in graded.rules.plan]
    lines = [["id", "zip", "points", "of", *(f"step {step}" for step in steps), "texts", "hints", "flags"]]
    for sheet in graded.sheets:
        given = {each.step.id: _points(sheet, each, graded, marks) for each in sheet.results}
        texts = sum(bool(sheet.texts.get(step.id)) for step in graded.rules.plan if step.kind == "explain")
        lines.append(
            [
                sheet.student,
                sheet.zip,
                f"{sum(value or 0 for value in given.values()):g}",
                f"{sum(graded.rules.course.points(step) for step in graded.rules.plan):g}",
                *("" if given[step] is None else f"{given[step]:g}" for step in steps),
                str(texts),
                str(sum(sheet.hints.values())),
                " ".join(sorted({flag.id for flag in sheet.flags})),
            ]
        )
    return _csv(lines)


def gradescope(sheet: Sheet, graded: Graded, texts: Texts, marks: Marks) -> Mapping[str, Any]:
    """Return results.json of Gradescope: a test for each step; what only the teacher sees is hidden."""
    tests: list[dict[str, Any]] = []
    for each in sheet.results:
        points = _points(sheet, each, graded, marks)
        tests.append(
            {
                "name": f"{each.step.id} {_title(each, texts)}".strip(),
                "number": each.step.id,
                "score": points or 0,
                "max_score": graded.rules.course.points(each.step),
                "output": f"{texts.verdict(each.verdict)}: {texts.result(each)}" + _waiting(points, texts),
                "visibility": "visible",
            }
        )
    lines = [flagged(flag, texts) for flag in sheet.flags] + [
        texts.say(each.key, **each.with_) for each in sheet.questions
    ]
    tests.append({"name": texts.say("for_the_teacher"), "output": "\n".join(lines), "visibility": "hidden"})
    return {
        "score": sum(test.get("score", 0) for test in tests),
        "output": texts.say("graded", student=sheet.student, hints=sum(sheet.hints.values())),
        "visibility": "visible",
        "tests": tests,
    }


def feedback(sheet: Sheet, graded: Graded, texts: Texts, marks: Marks) -> str:
    """Return what a student gets back, in Markdown: no flag, since some name other students."""
    lines = [f"# {sheet.student}", ""]
    given = {each.step.id: _points(sheet, each, graded, marks) for each in sheet.results}
    most = sum(graded.rules.course.points(step) for step in graded.rules.plan)
    total = sum(value or 0 for value in given.values())
    of_texts = most - graded.rules.most()
    lines += [texts.say("feedback_points", points=f"{total:g}", most=f"{most:g}", texts=f"{of_texts:g}")]
    part = 0
    for each in sheet.results:
        if each.step.part != part:
            part = each.step.part
            lines += ["", f"## {part}", ""]
        points, of = given[each.step.id], graded.rules.course.points(each.step)
        score = f"{'?' if points is None else f'{points:g}'}/{of:g}"
        sentence = texts.result(each) + _waiting(points, texts)
        lines.append(f"- **{each.step.id}** {_title(each, texts)} ({score}): {_plain(sentence)}")
        if each.verdict == "differs":
            lines += [f"    - `{_plain(line)[:200]}`" for line in each.shows]
    return "\n".join(lines) + "\n"


def _points(sheet: Sheet, result: Result, graded: Graded, marks: Marks) -> float | None:
    """Return the points of a step; None for a text that was not marked yet."""
    if result.step.kind != "explain":
        return result.points
    if not sheet.texts.get(result.step.id):
        return 0.0
    mark = marks.get((sheet.student, result.step.id))
    return None if mark is None else graded.rules.course.points(result.step) * mark / MOST_MARK


def _waiting(points: float | None, texts: Texts) -> str:
    return f" {texts.say('not_marked')}" if points is None else ""


def _title(result: Result, texts: Texts) -> str:
    section = texts.sections.get(result.step.id)
    return section.title if section else ""


def _plain(text: str) -> str:
    """Return text on one line, in which no Markdown of the student's own is left."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", " ".join(text.split()))


def _csv(lines: list[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in line] for line in lines)
    return text.getvalue()
