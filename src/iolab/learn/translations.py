"""`python -m iolab.learn.translations`, which is `make translations`: what of labs/zh-TW is older than labs/en.

A translated section, a step's hints, and ui.toml carry the hash of the English text that they were made of. WRITE=1
writes the hashes of the texts that SECTIONS names (1.1, part1, hints-1.1, ui), after they have been read again. Where
there are several translations, LAB_LANG chooses one.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import UsageError
from iolab.lab import find_root
from iolab.learn.texts import ENGLISH, LANGUAGES, OF_ENGLISH, PART, language, section_hash, split, words_hash

HINTS, UI = "hints.toml", "ui.toml"
IN_TOML = re.compile(r'^# en: ([0-9a-f]{12})\n(?:"(\S+)" = \[|\[messages\])', re.MULTILINE)


@dataclass(frozen=True)
class Translated:
    """A text of a translation: its name, its file, the hash of the English text, and the hash that it carries."""

    name: str
    file: str
    english: str
    carried: str | None

    @property
    def stale(self) -> bool:
        """Whether it is missing, or made of an older English text."""
        return self.carried != self.english


def hashes(file: str, text: str) -> dict[str, str]:
    """Return the hash of each text of an English file, by name; raises TOMLDecodeError."""
    if file == HINTS:
        return {f"hints-{step}": _digest(hints) for step, hints in tomllib.loads(text).items()}
    if file == UI:
        return {"ui": _digest(tomllib.loads(text))}
    return {name: section_hash(section) for name, section in split(text, _part(file)).items()}


def carried(file: str, text: str) -> dict[str, str]:
    """Return the hash that each text of a translated file carries, by name."""
    if file.endswith(".toml"):
        return {f"hints-{match[2]}" if match[2] else "ui": match[1] for match in IN_TOML.finditer(text)}
    found = {name: OF_ENGLISH.match(section.text) for name, section in split(text, _part(file)).items()}
    return {name: match[1] for name, match in found.items() if match}


def translated(root: Path, into: str) -> Iterator[Translated]:
    """Yield every text that there should be."""
    for path in sorted((root / "labs" / ENGLISH).iterdir()):
        own = root / "labs" / into / path.name
        stamps = carried(path.name, own.read_text(encoding="utf-8")) if own.exists() else {}
        for name, english in hashes(path.name, path.read_text(encoding="utf-8")).items():
            yield Translated(name, path.name, english, stamps.get(name))


def stamped(text: str, each: Translated) -> str:
    """Return the text of a translated file in which one text carries the hash of the English one."""
    if each.file.endswith(".toml"):
        first = r"\[messages\]" if each.file == UI else rf'"{re.escape(each.name.removeprefix("hints-"))}" = \['
        pattern, new = rf"^(?:# en: [0-9a-f]{{12}}\n)?(?={first}$)", f"# en: {each.english}\n"
    else:
        heading = "# " if each.name.startswith(PART) else rf"## {re.escape(each.name)} "
        pattern, new = rf"^({heading}.+\n)(?:{OF_ENGLISH.pattern})?\n*", rf"\g<1><!-- en: {each.english} -->\n\n"
    changed, number = re.subn(pattern, new, text, count=1, flags=re.MULTILINE)
    if not number:
        raise UsageError(f"{each.name} is not in {each.file}: translate it first")
    return changed


def base(root: Path, each: Translated) -> str:
    """Return the command that shows what has changed in the English file since the translation was made."""
    file = f"labs/{ENGLISH}/{each.file}"
    for commit in _git(root, "log", "--format=%h", "--", file).split():
        try:
            if hashes(each.file, _git(root, "show", f"{commit}:{file}")).get(each.name) == each.carried:
                return f"git diff {commit} -- {file}"
        except tomllib.TOMLDecodeError:
            continue
    return f"git log -p -- {file}"


def write(root: Path, into: str, named: list[str]) -> None:
    """Write the hashes of the named texts; raises UsageError for a name that there is not."""
    known = {each.name: each for each in translated(root, into)}
    unknown = [name for name in named if name not in known]
    if unknown or not named:
        raise UsageError(f"SECTIONS={' '.join(unknown)}: name what has been read again, such as 1.1 part1 hints-1.1 ui")
    for name in named:
        path = root / "labs" / into / known[name].file
        if not path.exists():
            raise UsageError(f"labs/{into}/{path.name} is not there: translate it first")
        path.write_text(stamped(path.read_text(encoding="utf-8"), known[name]), encoding="utf-8")


def report(root: Path, into: str) -> list[str]:
    """Return a line for each text that is missing or stale."""
    return [
        f"{into} {each.name}: {'missing' if each.carried is None else base(root, each)}"
        for each in translated(root, into)
        if each.stale
    ]


def _digest(value: object) -> str:
    return words_hash(json.dumps(value, ensure_ascii=False).replace("\\n", " "))  # not of line breaks


def _part(file: str) -> int:
    return int(Path(file).stem.removeprefix(PART))


def _git(root: Path, *words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=root, check=False, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""


def main(variables: Mapping[str, str]) -> int:
    """Write what is wanted, print what is stale, and return the number of such texts."""
    root = find_root(Path.cwd())
    chosen = language(variables)
    others = [each for each in LANGUAGES if each != ENGLISH and chosen in (each, ENGLISH)]
    for each in others:
        if variables.get("WRITE"):
            write(root, each, variables.get("SECTIONS", "").replace(",", " ").split())
    lines = [line for each in others for line in report(root, each)]
    sys.stdout.writelines(f"{line}\n" for line in lines or ["Every translation is of the current English text."])
    return len(lines)


if __name__ == "__main__":
    try:
        sys.exit(min(main(os.environ), 1))
    except UsageError as error:
        sys.exit(f"iolab: {error}")
