"""`make translations`: what is stale, what has changed since, and the stamps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.learn.texts import Texts


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab of one handout, a step's hints and the sentences, translated, in a git repository."""
    (tmp_path / "docker-compose.yml").touch()
    (tmp_path / "services").mkdir()
    for language in ("en", "zh-TW"):
        folder = tmp_path / "labs" / language
        folder.mkdir(parents=True)
        (folder / "part1.md").write_text("# Part\n\nTop.\n\n## 1.1 One\n\nText.\n\n## 1.2 Two\n\nMore.\n")
        (folder / "hints.toml").write_text('"1.1" = [\n    "a",\n]\n')
        (folder / "ui.toml").write_text('[messages]\nx = "y"\n')
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "git", "add", ".")
    run(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> tuple[int, list[str]]:
    """Run a command in a folder; return its exit status and its lines."""
    own = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}  # scripts/mutate has a copy there
    done = subprocess.run([*command], cwd=folder, check=False, capture_output=True, text=True, env={**own, **variables})
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_make_translations_says_what_is_stale_and_stamps_what_is_named(lab: Path) -> None:
    command = (sys.executable, "-m", "iolab.learn.translations")
    names = ("hints-1.1", "part1", "1.1", "1.2", "ui")
    assert run(lab, *command) == (1, [f"zh-TW {name}: missing" for name in names])
    assert run(lab, *command, WRITE="1", SECTIONS="hints-1.1 part1 1.1,ui") == (1, ["zh-TW 1.2: missing"])
    current = (0, ["Every translation is of the current English text."])
    assert run(lab, *command, WRITE="1", SECTIONS="1.2") == current
    assert [each.stale for each in Texts(lab, "zh-TW").sections.values()] == [False, False]
    stamped = [path.read_text() for path in sorted((lab / "labs" / "zh-TW").iterdir())]
    assert run(lab, *command, WRITE="1", SECTIONS=" ".join(names)) == current
    assert stamped == [path.read_text() for path in sorted((lab / "labs" / "zh-TW").iterdir())]
    english = lab / "labs" / "en" / "part1.md"
    english.write_text(english.read_text().replace("# Part\n", "# Part\n\n"))
    assert run(lab, *command) == current  # another line break is no other text
    english.write_text(english.read_text().replace("Text.", "Other text.").replace("Top.", "Other top."))
    status, lines = run(lab, *command)
    assert status == 1
    (commit,) = run(lab, "git", "log", "--format=%h")[1]
    assert lines == [f"zh-TW {name}: git diff {commit} -- labs/en/part1.md" for name in ("part1", "1.1")]
    assert "*This section is older" not in Texts(lab, "en").introductions[1]
    (lab / "labs" / "en" / "ui.toml").write_text('[messages]\nstale = "An old section."\n')
    assert Texts(lab, "zh-TW").introductions[1] == "# Part\n\n*An old section.*\n\nOther top."


@pytest.mark.parametrize("named", ["", "9.9", "1.1 x"])
def test_make_translations_refuses_what_there_is_not(lab: Path, named: str) -> None:
    status, lines = run(lab, sys.executable, "-m", "iolab.learn.translations", WRITE="1", SECTIONS=named)
    assert status != 0
    assert len(lines) == 1
    assert lines[0].startswith("iolab: SECTIONS=")


def test_make_translations_refuses_to_stamp_what_is_not_translated(lab: Path) -> None:
    command = (sys.executable, "-m", "iolab.learn.translations")
    part = lab / "labs" / "zh-TW" / "part1.md"
    part.write_text(part.read_text().partition("## 1.2")[0])
    untranslated = (1, ["iolab: 1.2 is not in part1.md: translate it first"])
    assert run(lab, *command, WRITE="1", SECTIONS="1.2") == untranslated
    part.unlink()
    missing = (1, ["iolab: labs/zh-TW/part1.md is not there: translate it first"])
    assert run(lab, *command, WRITE="1", SECTIONS="1.1") == missing
