"""The sheet of one zip: a result for each step, recomputed from raw rows and the log, flags, and oral questions."""

import hashlib
import re
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.learn import flags, impossible, oral
from iolab.learn import values as personal
from iolab.learn.checks import Checks, Result
from iolab.learn.evidence import MYLAB, STUDENT, Place
from iolab.learn.facts import Facts
from iolab.learn.flags import Flag, Handed
from iolab.learn.journal import FIRST, Entry, Journal
from iolab.learn.oral import Question
from iolab.learn.plan import Course, Plan, Step
from iolab.learn.student import JOURNAL, last
from iolab.learn.unzip import Refused, Unpacked, unpacked
from iolab.results import files

LEAST_TEXT = 60  # characters: shorter texts can be the same by chance
SHOWN_FACTS = (".median_ms", ".held", ".took_s", ".asleep_percent", ".idle_wakes_per_s", ".clicks", ".p99_ms")
OF_MEASUREMENTS = ("/samples/", f"{MYLAB}/hey-", f"{MYLAB}/trace.log")


@dataclass(frozen=True)
class Refusal:
    """A zip that is not graded, and why."""

    zip: str
    why: str


@dataclass(frozen=True)
class Sheet:
    """The sheet of a zip.

    `texts` are those of explain steps, `numbers` the facts that stand beside each, by name; `prints` are hashes of
    what no two students can share, each with the name of the file or of the text.
    """

    zip: str
    student: str
    results: tuple[Result, ...]
    hints: Mapping[str, int]
    flags: tuple[Flag, ...]
    texts: Mapping[str, str]
    numbers: Mapping[str, Mapping[str, str]]
    questions: tuple[Question, ...]
    prints: Mapping[str, str]

    @property
    def points(self) -> float:
        """The points of the machine; those of texts are a person's."""
        return sum(each.points for each in self.results)

    def with_flags(self, more: Sequence[Flag]) -> "Sheet":
        """Return a copy with more flags."""
        return replace(self, flags=tuple(sorted({*self.flags, *more})))


@dataclass(frozen=True)
class Rules:
    """What zips are graded by: the teacher's steps, course, and sources; `servers` are the usual settings by kind."""

    plan: Plan
    course: Course
    sources: Mapping[str, str]
    servers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def most(self) -> float:
        """Return the points that the machine can give."""
        return sum(self.course.points(step) for step in self.plan if step.kind != "explain")


def graded(path: Path, name: str, rules: Rules) -> Sheet | Refusal:
    """Grade a zip, which is called `name`; nothing in it is executed."""
    try:
        with unpacked(path) as found:
            return _told(found, name, rules)
    except Refused as refused:
        return Refusal(name, str(refused))
    except Exception as error:  # noqa: BLE001 (a zip may be made to fail here: the others must be graded)
        return Refusal(name, f"it cannot be graded, perhaps by a mistake of the lab: {_where(error)}")


def _where(error: Exception) -> str:
    """Return what went wrong, and in which line of the lab."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({Path(place.filename).name}, {place.lineno})"


def _told(found: Unpacked, name: str, rules: Rules) -> Sheet | Refusal:
    """Grade what was unpacked; sentences name its files as the zip does, whatever the folder's name."""
    try:
        return _sheet(found, name, rules)
    except Refused:
        raise
    except (UsageError, OSError) as error:
        return Refusal(name, f"it cannot be read: {' '.join(str(error).replace(f'{found.folder}/', '').split())[:200]}")


def _sheet(found: Unpacked, name: str, rules: Rules) -> Sheet:
    given = _student(found, rules.course)
    values = personal.of(rules.course.term, given["student"])
    place, journal = Place(found.folder), Journal(found.folder / MYLAB / JOURNAL)
    entries = journal.entries()
    facts = Facts(place, rules.plan, values)
    results = Checks(rules.plan, rules.course, place, facts, entries).all()
    handed = Handed(found, place, entries, values, flags.manifest_of(found), given)
    texts = {step.id: text for step in rules.plan if (text := _text(step, entries))}
    return Sheet(
        zip=name,
        student=values.student,
        results=tuple(results),
        hints=_hints(entries),
        flags=tuple(sorted({*_flags(handed, rules, facts, results)})),
        texts=texts,
        numbers={step.id: _numbers(step, facts, result) for step, result in zip(rules.plan, results, strict=True)},
        questions=oral.questions(values, rules.plan, facts, entries),
        prints=dict(_prints(found, texts)),
    )


def _student(found: Unpacked, course: Course) -> Mapping[str, str]:
    """Return the id and the term of student.toml; raises Refused without them, as then nothing can be compared."""
    try:
        given = tomllib.loads(files.read(found.folder / MYLAB / STUDENT).decode())
        student, term = str(given["student"]), str(given["term"])
    except FileNotFoundError:
        raise Refused(f"it has no {MYLAB}/{STUDENT}: was it made by make submit?") from None
    except (UsageError, OSError, ValueError, KeyError, RecursionError) as error:
        raise Refused(f"{MYLAB}/{STUDENT} cannot be read: {' '.join(str(error).split())[:100]}") from error
    if not re.fullmatch(course.student_id, student):
        raise Refused(f"{MYLAB}/{STUDENT}: {student[:60]!a} does not match {course.student_id}")
    return {"student": student, "term": term}


def _flags(handed: Handed, rules: Rules, facts: Facts, results: Sequence[Result]) -> Iterator[Flag]:
    yield from flags.of_files(handed)
    yield from flags.of_sources(handed, rules.sources)
    yield from flags.of_journal(handed, rules.course)
    yield from flags.of_checks(results)
    yield from flags.of_evidence(handed, rules.plan)
    yield from flags.of_strangers(handed, rules.plan)
    yield from flags.of_contract(handed, rules.plan)
    yield from impossible.of_runs(handed, rules.plan, rules.servers)
    yield from impossible.of_texts(facts, ServerSettings().wait_ms)


def _hints(entries: Sequence[Entry]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for entry in entries:
        if entry["what"] == "hint":
            found[str(entry.get("step"))] = found.get(str(entry.get("step")), 0) + 1
    return found


def _text(step: Step, entries: list[Entry]) -> str:
    entry = last(entries, "answer", step.id) if step.kind == "explain" else None
    return str(entry.get("text", "")).strip() if entry else ""


def _numbers(step: Step, facts: Facts, result: Result) -> Mapping[str, str]:
    """Return the facts that stand beside a text: medians and the like, and all that it cites."""
    cited = {*result.with_.get("facts", "").split(", "), *result.shows}
    found = {}
    for prefix in step.cites:
        for name, fact in facts.all_of(prefix.partition(".")[0]).items():
            if name.startswith(prefix) and (name in cited or name.endswith(SHOWN_FACTS)) and fact.known:
                found[name] = ", ".join(f"{value:.4g}" for value in fact.values if value is not None)
    return found


def _prints(found: Unpacked, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the hash and the name of what is a student's own: rows, logs, the first line of the journal, texts."""
    for name in found.files:
        if any(part in name for part in OF_MEASUREMENTS):
            yield found.content(name), name
    journal = found.folder / MYLAB / JOURNAL
    first = files.read(journal).partition(b"\n")[0] if journal.is_file() else b""
    if FIRST.encode() in first:
        yield hashlib.sha256(first).hexdigest(), f"{MYLAB}/{JOURNAL}"
    for step, text in texts.items():
        plain = " ".join(text.split()).casefold()
        if len(plain) >= LEAST_TEXT:
            yield hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest(), f"text {step}"
