"""The Traditional Chinese handouts: the same as the English ones but for the prose, none stale, in Taiwan's words."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from iolab.cli.handout import Handout
from iolab.learn import translations
from iolab.learn.texts import Language, Texts, split
from iolab.report.glossary import TERMS
from tests.conftest import ROOT
from tests.learn.parity import FENCE, differences, mistakes, unexplained, unreadable

ENGLISH, CHINESE = ROOT / "labs" / "en", ROOT / "labs" / "zh-TW"
PARTS = range(6)
GLOSSARY = "docs/glossary.zh-TW.md"
EXTRA = {"0.1": frozenset({f"`{GLOSSARY}`"})}  # reports stay English: only the translation needs a page of their words
MINUTES = re.compile(r"\d+(?=\s*(?:min|分鐘))")


def read(folder: Path, name: str) -> str:
    """Return a file of a language."""
    return (folder / name).read_text(encoding="utf-8")


def texts(folder: Path) -> Mapping[str, str]:
    """Return the sentences of hints.toml and ui.toml by "file: keys"."""

    def leaves(value: object, name: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, list | dict):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                yield from leaves(each, f"{name} {key}")

    files = ("hints.toml", "ui.toml")
    return dict(pair for file in files for pair in leaves(tomllib.loads(read(folder, file)), f"{file}:"))


CHINESE_TEXTS = {
    **{f"part{part}.md": read(CHINESE, f"part{part}.md") for part in PARTS},
    **texts(CHINESE),
    GLOSSARY: read(ROOT, GLOSSARY),
}


def test_the_files_are_the_same() -> None:
    assert {path.name for path in CHINESE.iterdir()} == {path.name for path in ENGLISH.iterdir()}
    assert {path.name for path in ENGLISH.iterdir()} == {*(f"part{part}.md" for part in PARTS), "hints.toml", "ui.toml"}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_the_same_headings_in_the_same_order(part: int) -> None:
    english, chinese = (read(folder, f"part{part}.md") for folder in (ENGLISH, CHINESE))
    assert [*split(chinese, part)] == [*split(english, part)]
    marks = [
        [line.split()[0] for line in FENCE.sub("", text).splitlines() if line[:1] == "#"] for text in (english, chinese)
    ]
    assert marks[0] == marks[1]
    title = chinese.splitlines()[0]
    assert re.fullmatch(rf"# 第 {part} 部分：.+（.+）", title)
    assert MINUTES.findall(title) == MINUTES.findall(english.splitlines()[0])


@pytest.mark.parametrize("step", [*Texts(ROOT, "en").sections, *(f"part{part}" for part in PARTS)])
def test_a_section_has_the_same_code_links_placeholders_and_numbers(step: str) -> None:
    part = int(step.removeprefix("part")[0])
    english, chinese = (split(read(folder, f"part{part}.md"), part)[step] for folder in (ENGLISH, CHINESE))
    assert [*differences(english.text, chinese.text, EXTRA.get(step, frozenset()))] == []


def test_the_hints_and_the_sentences_of_the_lab_are_the_same_but_for_their_words() -> None:
    english, chinese = texts(ENGLISH), texts(CHINESE)
    assert [*chinese] == [*english]  # hints of a step: the same number; keys: the same, in the same order
    assert {name: found for name, text in english.items() if (found := [*differences(text, chinese[name])])} == {}


def test_no_translation_is_stale() -> None:
    assert translations.report(ROOT, "zh-TW") == [], "make translations"


def test_every_section_and_introduction_is_shown_in_chinese() -> None:
    found = Texts(ROOT, "zh-TW")
    assert [step for step, section in found.sections.items() if section.stale] == []
    assert all(text.startswith(f"# 第 {part} 部分") for part, text in found.introductions.items())
    assert "<!--" not in "".join([*found.introductions.values(), *(each.text for each in found.sections.values())])


@pytest.mark.parametrize("name", CHINESE_TEXTS)
def test_words_characters_and_punctuation_are_those_of_taiwan(name: str) -> None:
    assert mistakes(CHINESE_TEXTS[name]) == []


@pytest.mark.parametrize("name", [name for name in CHINESE_TEXTS if not name.startswith("ui.toml")])
def test_markdown_shows_what_is_meant(name: str) -> None:
    assert unreadable(CHINESE_TEXTS[name]) == []


@pytest.mark.parametrize("part", PARTS)
def test_the_first_use_of_a_term_in_a_part_has_the_english_one(part: int) -> None:
    assert unexplained(CHINESE_TEXTS[f"part{part}.md"]) == []


def test_the_glossary_has_every_term_of_the_reports_once() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]+?) \|$", CHINESE_TEXTS[GLOSSARY], re.MULTILINE)
    listed = [row[0] for row in rows if row[0] != "英文"]
    assert {each.name for each in TERMS} <= {*listed}
    assert len(listed) == len({*listed})
    assert all(row[2].endswith("。") for row in rows if row[0] != "英文")
    assert "trial" in listed
    assert "finding" in listed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("每個線程都在等。", "線程"),
        ("服務器的進程", "服務器"),
        ("默認的數據", "默認"),
        ("通過網絡", "通過"),
        ("用戶在等", "用戶"),
        ("這個程序運行中", "程序"),
        ("事件驱动", "驱: a simplified"),
        ("这是伺服器", "这: a simplified"),
        ("離開机器", "机: a simplified"),
        ("有16位使用者", "有1: needs a space"),
        ("等 20 ms, 然後回應", ", 然: needs full-width"),
        ("等待,然後回應", "待,: needs full-width"),
    ],
)
def test_a_bad_word_is_found(text: str, says: str) -> None:
    assert says in " ".join(mistakes(text))


@pytest.mark.parametrize(
    "text", ["用戶端的執行緒", "程式碼", "`數據`", "```sh\n默認\n```", "伺服器（server）的 p99 是 2.19 s。"]
)
def test_a_good_word_and_code_are_not_refused(text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("```sh\nmake  learn\n```\n`make hint` {seed} 5% <http://localhost:8078>", "code blocks"),
        ("```sh\nmake learn\n```\n`make hints` {seed} 5% <http://localhost:8078>", "code in sentences"),
        ("```sh\nmake learn\n```\n`make hint` {seeds} 5% <http://localhost:8078>", "placeholders"),
        ("```sh\nmake learn\n```\n`make hint` {seed} 6% <http://localhost:8078>", "numbers"),
        ("```sh\nmake learn\n```\n`make hint` {seed} 5% <http://localhost:8079>", "links"),
        ("```sh\nmake learn\n```\n- `make hint` {seed} 5% <http://localhost:8078>", "items of lists"),
        ("```sh\nmake learn\n```\n`make hint` {seed} 5% <http://localhost:8078>\n|", "rows of tables"),
    ],
)
def test_a_difference_is_found(other: str, says: str) -> None:
    english = "```sh\nmake learn\n```\n`make hint` {seed} 5% <http://localhost:8078>"
    assert [*differences(english, english)] == []
    assert [each.partition(":")[0] for each in differences(english, other)] == [says]


@pytest.mark.parametrize("text", ["這是**伺服器（server）**的事", "第一行\n第二行"])
def test_what_markdown_does_not_show_as_meant_is_found(text: str) -> None:
    assert unreadable(text)


def test_a_term_without_the_english_one_is_found() -> None:
    assert unexplained("# 執行緒（thread）\n\n一個執行緒在等。") == ["執行緒: needs thread at its first use"]
    assert unexplained("一個**執行緒**（thread）在等，另一個執行緒也是。") == []


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_no_text_is_cut_in_a_terminal_of_80_columns(language: Language) -> None:
    found = Texts(ROOT, language)
    shown = [*found.introductions.values(), *(each.text for each in found.sections.values())]
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=80, record=True, file=nowhere)
        for text in shown:
            console.print(Handout(FENCE.sub("", text)))
    assert console.export_text().count("…") == "".join(shown).count("…")
