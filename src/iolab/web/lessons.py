"""The course as the page shows it, in the helper process: what the commands learn, answer and hint say, as data.

Handouts and hints of labs/ are HTML, in which HTML of theirs is text; all else is text, which the page shows as text.
"""

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from iolab.lab import find_root
from iolab.learn.checks import Result
from iolab.learn.course import Learning, Status
from iolab.learn.evidence import MYLAB, STUDENT
from iolab.learn.plan import Step
from iolab.learn.student import first, last
from iolab.learn.texts import LANGUAGES, Language, Texts, language
from iolab.report import prose

COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
SHOWN = 3  # lines of a log


def lesson(  # noqa: PLR0917 (arguments have names: they are an object of JSON)
    action: str, wanted: str, name: str, student: str, values: Mapping[str, float], text: str, mark: str
) -> dict[str, Any]:
    """Do what a command does, and return where the student is, with one step; raises UsageError.

    `wanted` is a language, "" for that of the terminal; `name` is a step, "" for the next one. `mark` is another one
    where evidence has changed: as long as it stays the same, nothing is read or computed again.
    """
    root = find_root(Path.cwd())
    texts = Texts(root, _language(wanted))
    if action == "begin":
        learning = Learning.begin(root, student)
    elif not (root / MYLAB / STUDENT).is_file():
        return {**_about(texts), "begun": False}
    else:
        learning = Learning.open(root)
    if action == "answer":
        step = learning.plan.named(name)
        asked = {ask.name: values[ask.name] for ask in step.asks if ask.name in values}
        learning.answer(step, asked, " ".join(text.split()))
    elif action == "hint":
        step = learning.plan.named(name)
        learning.hint(step, texts.hints(step.id))
    status = _status(root, mark if action == "look" else None, learning.student.values.student)
    step = learning.plan.named(name) if name else status.next or learning.plan.step[-1]
    return {
        **_about(texts),
        "begun": True,
        "mark": mark,
        "student": learning.student.values.student,
        "points": {"points": status.points, "most": status.most, "said": _points(status, texts)},
        "next": status.next.id if status.next else None,
        "done": texts.say("done"),
        "steps": [_line(learning, each, texts) for each in status.results],
        "parts": {str(part): _part_title(part, texts) for part in {each.part for each in learning.plan}},
        "step": _step(learning, next(each for each in status.results if each.step == step), texts),
    }


def _language(wanted: str) -> Language:
    if not wanted:
        return language()
    return language({"LAB_LANG": wanted})


@lru_cache(maxsize=1)
def _seen(root: Path, _mark: str, _student: str) -> Status:
    return Learning.open(root).look()


def _status(root: Path, mark: str | None, student: str) -> Status:
    """Return what a look finds; without a mark, something has just been recorded."""
    if mark is None:
        _seen.cache_clear()
        return Learning.open(root).look()
    return _seen(root, mark, student)


def _about(texts: Texts) -> dict[str, Any]:
    return {"language": texts.language, "languages": list(LANGUAGES), "words": dict(texts.page)}


def _points(status: Status, texts: Texts) -> str:
    return texts.say("points", points=f"{status.points:g}", most=f"{status.most:g}", texts=status.texts)


def _line(learning: Learning, result: Result, texts: Texts) -> dict[str, Any]:
    section = texts.sections.get(result.step.id)
    return {
        "id": result.step.id,
        "part": result.step.part,
        "title": section.title if section else "",
        "points": learning.course.points(result.step),
        "verdict": result.verdict,
        "word": texts.verdict(result.verdict),
    }


def _part_title(part: int, texts: Texts) -> str:
    heading = re.match(r"# (.+)", texts.introductions.get(part, ""))
    return heading[1].strip() if heading else f"{part}"


def _step(learning: Learning, result: Result, texts: Texts) -> dict[str, Any]:
    step = result.step
    section, values = texts.sections.get(step.id), learning.student.values
    is_first = step.id == next(each.id for each in learning.plan if each.part == step.part)
    introduction = texts.introductions.get(step.part, "").partition("\n")[2] if is_first else ""
    hints = texts.hints(step.id)
    read = min(learning.hints_read(step), len(hints))
    return {
        "id": step.id,
        "kind": step.kind,
        "introduction": html(values.fill(introduction), learning.root, texts.language),
        "html": html(values.fill(section.text), learning.root, texts.language) if section else "",
        "stale": texts.say("stale") if section and section.stale else "",
        "said": texts.result(result),
        "shows": [each[:300] for each in result.shows[:SHOWN]] if result.verdict == "differs" else [],
        "asks": [{"name": ask.name, "prompt": texts.prompt(step.id, ask.name)} for ask in step.asks],
        "recorded": _recorded(learning, step),
        "hints": [html(values.fill(each), learning.root, texts.language) for each in hints[:read]],
        "more_hints": len(hints) - read,
    }


def _recorded(learning: Learning, step: Step) -> dict[str, Any] | None:
    """Return the answer that counts: of predictions the first, of others the last."""
    entry = (first if step.kind == "predict" else last)(learning.entries, "answer", step.id)
    if entry is None:
        return None
    values = entry.get("values")
    return {"values": dict(values) if isinstance(values, Mapping) else {}, "text": str(entry.get("text", ""))}


def html(text: str, root: Path, wanted: Language) -> str:
    """Return a text of labs/ as HTML; links lead to docs/ and to other sites, pictures are those beside the text."""

    def link(address: str) -> str | None:
        if address.startswith(("https://", "http://localhost:")):
            return address
        path, _, place = address.partition("#")
        name = path.rpartition("/")[2]
        if path.endswith(f"docs/{name}") and name.endswith(".md") and (root / "docs" / name).is_file():
            return f"/docs/{name}{f'#{place}' if place else ''}"
        return None

    def picture(address: str) -> str | None:
        path = root / "labs" / wanted / address
        if path.parent != root / "labs" / wanted or path.suffix != ".png" or not path.is_file():
            return None
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"

    return prose.fragment(COMMENT.sub("", text), link, picture)
