"""The course as a student has it: the steps, what is recorded, what the checks say, and what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from iolab.errors import UsageError
from iolab.learn import evidence, plan, reading
from iolab.learn.checks import Checks, Result
from iolab.learn.evidence import Place
from iolab.learn.facts import Facts
from iolab.learn.journal import Entry
from iolab.learn.plan import Course, Plan, Step
from iolab.learn.student import HEADING, Student, last
from iolab.results import files
from iolab.results.run_info import RunInfo

DONE = frozenset({"agrees"})


@dataclass(frozen=True)
class Status:
    """Where a student is: a result for each step, the next step (None: all are done), points of `most`."""

    results: Sequence[Result]
    next: Step | None
    points: float
    most: float
    texts: int  # explained, for a person to read


class Learning:
    """A student's course in a checkout; it reads evidence, and writes into mylab/ only."""

    def __init__(self, root: Path, student: Student, steps: Plan, course: Course) -> None:
        self.root, self.student, self.plan, self.course = root, student, steps, course

    @classmethod
    def open(cls, root: Path) -> "Learning":
        """Open the course that has begun in a checkout; raises UsageError where none has."""
        return cls(root, Student.read(root), plan.read_plan(root), plan.read_course(root))

    @classmethod
    def begin(cls, root: Path, student: str) -> "Learning":
        """Begin the course, or go on with it; raises UsageError for an id that cannot be."""
        steps, course = plan.read_plan(root), plan.read_course(root)
        return cls(root, Student.begin(root, course, steps, student), steps, course)

    @cached_property
    def place(self) -> Place:
        """Where the evidence is."""
        return Place(self.root)

    @property
    def entries(self) -> list[Entry]:
        """The journal."""
        return self.student.journal.entries()

    def look(self) -> Status:
        """Record evidence that is new, check everything, and return where the student is."""
        self.place = Place(self.root)
        with self.student.journal.alone():
            self._note_evidence()
            self._note_texts()
        facts = Facts(self.place, self.plan, self.student.values)
        return status(Checks(self.plan, self.course, self.place, facts, self.entries).all(), self.course)

    def check(self, step: Step) -> None:
        """Raise UsageError for a step that takes no answer, or no other one."""
        if step.kind in ("run", "build"):
            raise UsageError(f"STEP={step.id}: nothing is asked in this step; make learn looks for its evidence")
        if step.kind == "predict" and last(self.entries, "answer", step.id):
            raise UsageError(f"STEP={step.id}: it is predicted already, and the first prediction counts")

    def answer(self, step: Step, values: Mapping[str, float], text: str) -> None:
        """Record an answer; raises UsageError for a step that takes none, and where values or text are missing."""
        self.check(step)
        names = {ask.name for ask in step.asks}
        if missing := sorted(names - values.keys()):
            raise UsageError(f"STEP={step.id}: a value is missing: {', '.join(missing)}")
        if wrong := sorted(name for name, value in values.items() if not reading.is_reading(value)):
            raise UsageError(f"STEP={step.id}: {wrong[0]}: {reading.MUST}")
        if step.kind != "observe" and not text.strip():
            raise UsageError(f"STEP={step.id}: a text is missing")
        _check_text(text)
        with self.student.journal.alone():
            self.student.journal.add("answer", step=step.id, values=dict(values), text=text.strip())
            if step.kind == "explain":
                self.student.write_answer(step.id, text)

    def hint(self, step: Step, hints: Sequence[str]) -> tuple[int, str] | None:
        """Return the number and the text of the next hint, and record that it was read; None if all were."""
        with self.student.journal.alone():
            read = self.hints_read(step)
            if read >= len(hints):
                return None
            self.student.journal.add("hint", step=step.id, number=read + 1)
        return read + 1, hints[read]

    def hints_read(self, step: Step) -> int:
        """Return how many hints of a step were read."""
        return sum(each["what"] == "hint" and each.get("step") == step.id for each in self.entries)

    def _note_evidence(self) -> None:
        """Record evidence when it is first seen, with its hash: a later change then shows."""
        seen = {(each.get("step"), each.get("sha256")) for each in self.entries if each["what"] == "evidence"}
        for step in self.plan:
            found = None if step.evidence.student else self.place.find(step, self.student.values)
            if found is None:
                continue
            for name, digest in _digests(self.place, found).items():
                if (step.id, digest) not in seen:
                    made = found.began or datetime.fromtimestamp(self.place.path(name).stat().st_mtime, UTC)
                    self.student.journal.add("evidence", step=step.id, name=name, sha256=digest, made=made.isoformat())

    def _note_texts(self) -> None:
        """Record what was written into answers.md by hand."""
        texts = self.student.answers()
        for step in self.plan:
            text = texts.get(step.id, "")
            if step.kind == "explain" and text and text != self._recorded_text(step):
                self.student.journal.add("answer", step=step.id, values={}, text=text)

    def _recorded_text(self, step: Step) -> str:
        entry = last(self.entries, "answer", step.id)
        return str(entry.get("text", "")) if entry else ""


def _check_text(text: str) -> None:
    """Raise UsageError for a text that answers.md and the journal cannot keep as it is."""
    if HEADING.search(text):
        raise UsageError("TEXT: a line begins with ## and a step, as the headings of mylab/answers.md do")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("TEXT: it has bytes that are no text in UTF-8: type it again") from None


def status(results: Sequence[Result], course: Course) -> Status:
    """Return where a student with these results is."""
    return Status(
        results,
        next((each.step for each in results if each.verdict not in DONE and not course.leaves_out(each.step)), None),
        sum(each.points for each in results),
        sum(course.points(each.step) for each in results if each.step.kind != "explain"),
        sum(each.step.kind == "explain" and each.verdict == "agrees" for each in results),
    )


def predicted(root: Path, run: RunInfo) -> bool:
    """Return whether the student of a checkout has recorded the predictions of the part to which a run belongs.

    All of the part: theory beside one run tells the result of the next one. False where the course has not begun, and
    for a run that belongs to no step.
    """
    try:
        learning = Learning.open(root)
    except UsageError:
        return False
    answered = {each.get("step") for each in learning.entries if each["what"] == "answer"}
    steps = [each for each in learning.plan if each.evidence.kind]
    own = [each for each in steps if evidence.matches(run, each.evidence, learning.student.values)]
    return any(answered.issuperset(_predictions(learning, each.part)) for each in own)


def _predictions(learning: Learning, part: int) -> set[str]:
    steps = (each for each in learning.plan if each.part == part and not learning.course.leaves_out(each))
    return {each.id for each in steps if each.kind == "predict"}


def _digests(place: Place, found: evidence.Found) -> Mapping[str, str]:
    """Return a hash for each file of evidence, or for the run that it is."""
    if found.run:
        return {found.names[0]: evidence.digest(found.run)}
    return {name: evidence.sha256(files.read(place.path(name))) for name in found.names}
