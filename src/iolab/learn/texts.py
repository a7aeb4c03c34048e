"""The texts of the course in the student's language: handouts, hints, sentences. English replaces what is missing."""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from iolab.errors import UsageError

if TYPE_CHECKING:
    from iolab.learn.checks import Result

Language = Literal["en", "zh-TW"]
LANGUAGES: tuple[Language, ...] = ("en", "zh-TW")
ENGLISH: Language = "en"
HEADING = re.compile(r"^## (\d\.\d{1,2}) (.+)$", re.MULTILINE)
PART = "part"  # and its number: the name of what stands above the first section
OF_ENGLISH = re.compile(r"<!-- en: ([0-9a-f]{12}) -->\n*")  # in a translation: the hash of the English section


@dataclass(frozen=True)
class Section:
    """A step's section of a handout: title, text in Markdown, and whether it is English because it is out of date."""

    step: str
    title: str
    text: str
    stale: bool = False


def language(variables: Mapping[str, str] | None = None) -> Language:
    """Return the language: LAB_LANG, or that of the locale; raises UsageError for one that there is not."""
    given = os.environ if variables is None else variables
    wanted = given.get("LAB_LANG", "")
    if wanted:
        for each in LANGUAGES:
            if wanted.lower().replace("_", "-") == each.lower():
                return each
        raise UsageError(f"LAB_LANG={wanted[:20]}: must be {' or '.join(LANGUAGES)}")
    locale = next((given[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if given.get(name)), "")
    return "zh-TW" if locale.lower().replace("_", "-").startswith(("zh-tw", "zh-hant", "zh-hk")) else ENGLISH


class Texts:
    """The files of one language in labs/."""

    def __init__(self, root: Path, wanted: Language) -> None:
        self._labs, self.language = root / "labs", wanted

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """The sections of all steps, by step."""
        return {step: section for step, section in self._current.items() if not step.startswith(PART)}

    @cached_property
    def introductions(self) -> Mapping[int, str]:
        """What stands above the first section of each part, with the title as its first line."""
        return {
            int(name.removeprefix(PART)): "\n\n".join(
                [f"# {section.title}", *([f"*{self.say('stale')}*"] if section.stale else []), section.text]
            ).strip()
            for name, section in self._current.items()
            if name.startswith(PART)
        }

    def say(self, key: str, **with_: object) -> str:
        """Return a sentence of ui.toml, filled in."""
        text = self._messages.get(key)
        if text is None:
            raise UsageError(f"labs/{ENGLISH}/ui.toml has no message {key}")
        return re.sub(r"\{(\w+)\}", lambda match: str(with_.get(match[1], match[0])), text)

    @property
    def page(self) -> Mapping[str, str]:
        """What the tab of the page says; {names} are filled in there."""
        return {key: str(text) for key, text in self._table("page").items()}

    def result(self, found: "Result") -> str:
        """Return the sentence of a check's result; a value has the name by which it is asked for."""
        named = {**found.with_}
        if "name" in named:
            named["name"] = self.prompt(found.step.id, named["name"])
        return self.say(found.key, **named)

    def verdict(self, verdict: str) -> str:
        """Return the word for a verdict."""
        return str(self._table("verdicts").get(verdict, verdict))

    def prompt(self, step: str, name: str) -> str:
        """Return what asks for a value of a step."""
        found = self._table("asks").get(step, {})
        return str(found.get(name, name)) if isinstance(found, Mapping) else name

    def hints(self, step: str) -> tuple[str, ...]:
        """Return the hints of a step."""
        found = self._merged("hints.toml").get(step, ())
        return tuple(map(str, found))

    @cached_property
    def _current(self) -> Mapping[str, Section]:
        english = self._sections(ENGLISH)
        if self.language == ENGLISH:
            return english
        own = self._sections(self.language)
        return {name: _current(own.get(name), section) for name, section in english.items()}

    @cached_property
    def _messages(self) -> Mapping[str, str]:
        return {key: str(text) for key, text in self._table("messages").items()}

    @cached_property
    def _ui(self) -> Mapping[str, Any]:
        return self._merged("ui.toml")

    def _table(self, name: str) -> Mapping[str, Any]:
        found = self._ui.get(name, {})
        return found if isinstance(found, Mapping) else {}

    def _merged(self, name: str) -> Mapping[str, Any]:
        """Return a file of English with what the language has in its place."""
        merged = dict(self._toml(ENGLISH, name))
        for key, value in self._toml(self.language, name).items():
            old = merged.get(key)
            merged[key] = {**old, **value} if isinstance(old, Mapping) and isinstance(value, Mapping) else value
        return merged

    def _toml(self, wanted: Language, name: str) -> Mapping[str, Any]:
        path = self._labs / wanted / name
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"labs/{wanted}/{name} cannot be read: {' '.join(str(error).split())}") from error

    def _parts(self, wanted: Language) -> Mapping[int, str]:
        found = {}
        for path in sorted((self._labs / wanted).glob("part[0-9].md")):
            try:
                found[int(path.stem[-1])] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"labs/{wanted}/{path.name} cannot be read: {error}") from error
        return found

    def _sections(self, wanted: Language) -> Mapping[str, Section]:
        found: dict[str, Section] = {}
        for part, text in self._parts(wanted).items():
            found |= split(text, part)
        return found


def split(text: str, part: int) -> dict[str, Section]:
    """Return the sections of a handout by step; what stands above the first one is that of "part1", for example."""
    top, *words = HEADING.split(text)
    title, _, introduction = top.strip().partition("\n")
    name = f"{PART}{part}"
    found = {name: Section(name, title.removeprefix("# "), introduction.strip())}
    for step, heading, body in zip(words[::3], words[1::3], words[2::3], strict=True):
        found[step] = Section(step, heading.strip(), body.strip())
    return found


def section_hash(section: Section) -> str:
    """Return the hash that a translation of an English section carries; it does not depend on line breaks."""
    return words_hash(f"{section.title} {section.text}")


def words_hash(text: str) -> str:
    """Return a short hash of a text's words, whatever stands between them."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def _current(own: Section | None, english: Section) -> Section:
    """Return the section of a language, or the English one where there is none, or only one of an older text."""
    match = OF_ENGLISH.match(own.text) if own else None
    if own is None or match is None or match[1] != section_hash(english):
        return Section(english.step, english.title, english.text, stale=True)
    return Section(own.step, own.title, own.text[match.end() :].strip())
