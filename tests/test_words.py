"""Plain words: archaic phrases, and phrases without a clear subject, are kept out of all texts that a reader meets."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDERS = ("src", "docs", "experiments", "labs", "services", "loadtest", "deploy")
FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")
KINDS = {".py", ".md", ".toml", ".yml", ".yaml", ".j2", ".html", ".sh", ".txt", ""}
BANNED: Mapping[str, str] = {  # what must not be written, and what to write instead
    r"\bwho(m|ever|mever|soever)?\b": "user, client, server or process: name the subject",
    r"\bpeople\b": "users",
    r"\b(nobody|no one)\b": "no user, no process",
    r"\b(somebody|someone)\b": "a user, a process",
    r"\b(everybody|everyone)\b": "all users",
    r"\banybody\b": "any user",
    r"\banew\b": "again",
    r"\bhardly\b": "rarely, almost no",
    r"\bsojourn": "response time",
    r"\bat hand\b": "available",
    r"\bcame\b": "connected, arrived, was sent",
    r"\bcom(e|es|ing) out\b": "result",
    r"\bwhat (came|comes|becomes|became) of\b": "the result of",
    r"\bnone that is\b|\bthat is none\b|(?-i:\b(and|but) \S+ is none\b)": "is not a ...",
    r"\bhangs? on (which|what|how|the|whether)\b": "depends on",
    r"\bis taken at\b": "is used",
    r"\bfor good\b": "permanently",
    r"\bsets? [^.;:]{0,40} beside\b": "compares with",
    r"\blets? [^.;:()]{0,30} come\b": "connects, sends",
    r"\blets? (people|thousands|everybody|users come)\b": "holds, connects",
    r"\bgone without a word\b|\bwithout a word\b": "without closing the connection, without output",
    r"\bsends? (them|it|the workers|the load workers) home\b|\bsent home\b": "stops",
    r"\bthe gravest\b": "the most severe",
    r"\bwhat is to be (seen|known|heard)\b": "the data",
    r"\bmust be mended\b|\bto mend\b|\bmend the\b": "correct, remove",
    r"\btold of\b": "reported",
    r"\b(whereof|thereof|hence|nigh)\b": "of which, from this, near",
}
WORDS = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in BANNED.items()}
NOT_PROSE = re.compile(r"#.*\bnoqa\b|https?://\S+")


def texts() -> Iterator[Path]:
    """Yield all files whose text a reader meets."""
    yield from (ROOT / name for name in FILES)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)
            generated = path.name.startswith("requirements") or ".egg-info" in str(path)
            if path.is_file() and path.suffix in KINDS and not hidden and not generated:
                yield path


def mistakes(text: str) -> list[str]:
    """Return the banned phrases of a text, each with what to write instead; a line break parts no phrase."""
    joined = re.sub(r"\s*\n[\s#>*]*(?:f?[\"'](?=\s|\w))?", " ", NOT_PROSE.sub("", text))
    return [f"{match[0]!r}: {instead}" for pattern, instead in WORDS.items() for match in pattern.finditer(joined)]


def test_a_banned_phrase_is_found_across_lines_and_code_is_no_phrase() -> None:
    assert mistakes("# how often is a difference seen that\n# is none?") == ["'that is none': is not a ..."]
    assert mistakes("a user, whose request waits for a server that is not None; welcome, incoming") == []


@pytest.mark.parametrize("path", list(texts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_use_plain_words(path: Path) -> None:
    assert mistakes(path.read_text(encoding="utf-8", errors="replace")) == []
