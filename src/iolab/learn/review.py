"""review.html: one explain step after the other, with the texts of all students, and a key for each mark."""

from dataclasses import dataclass

from iolab.learn.grading import Graded
from iolab.learn.marks import MOST_MARK, Marks
from iolab.learn.plan import Step
from iolab.learn.sheet import Sheet
from iolab.learn.texts import Texts
from iolab.report.pages import script, template

SCRIPT = "review.js"


@dataclass(frozen=True)
class Answer:
    """A student's text to one step, the facts beside it, and those of them that it cites."""

    student: str
    text: str
    numbers: tuple[tuple[str, str, bool], ...]
    mark: int | None


@dataclass(frozen=True)
class Question:
    """An explain step with all answers."""

    step: Step
    title: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Seen:
    """What a teacher sees of a zip besides the texts."""

    student: str
    zip: str
    flags: tuple[str, ...]
    questions: tuple[str, ...]


def page(graded: Graded, texts: Texts, marks: Marks) -> str:
    """Return the page, which needs no other file and no network; marks are kept in it and exported as marks.csv."""
    names = [f"review_{name}" for name in ("title", "how", "export", "flags", "questions")]
    names += [f"no_{name}" for name in ("flag", "text", "numbers")]
    return template("review.html.j2").render(
        say={name: texts.say(name) for name in names},
        about=texts.say("review_about", number=len(graded.sheets), refused=len(graded.refused)),
        honest=texts.say("flags_are_no_verdicts"),
        questions=[_question(step, graded, texts, marks) for step in graded.rules.plan if step.kind == "explain"],
        seen=[_seen(sheet, texts) for sheet in graded.sheets],
        refused=graded.refused,
        most=MOST_MARK,
        script=script(SCRIPT),
    )


def _question(step: Step, graded: Graded, texts: Texts, marks: Marks) -> Question:
    section = texts.sections.get(step.id)
    answers = [_answer(step, sheet, marks) for sheet in graded.sheets if sheet.texts.get(step.id)]
    return Question(step, section.title if section else "", tuple(answers))


def _answer(step: Step, sheet: Sheet, marks: Marks) -> Answer:
    result = next(each for each in sheet.results if each.step.id == step.id)
    cited = {*result.with_.get("facts", "").split(", "), *result.shows}
    numbers = tuple((name, value, name in cited) for name, value in sheet.numbers[step.id].items())
    return Answer(sheet.student, sheet.texts[step.id], numbers, marks.get((sheet.student, step.id)))


def _seen(sheet: Sheet, texts: Texts) -> Seen:
    flags = tuple(texts.say(f"flag_{flag.id}", **flag.filled) for flag in sheet.flags)
    return Seen(sheet.student, sheet.zip, flags, tuple(texts.say(each.key, **each.with_) for each in sheet.questions))
