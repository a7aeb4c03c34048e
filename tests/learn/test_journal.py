"""The journal: appended, chained, and a change shows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.learn.journal import Journal
from tests.learn.students import Clock


def journal_of(path: Path, lines: int = 3) -> Journal:
    journal = Journal(path / "journal.jsonl", Clock())
    for number in range(lines):
        journal.add("answer", step=f"1.{number}", values={"n": number}, text="因為…")
    return journal


def test_each_line_has_the_hash_of_the_one_before(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    assert journal.broken() is None
    assert [each["step"] for each in journal.entries()] == ["1.0", "1.1", "1.2"]
    first, second, _ = (json.loads(line) for line in journal.path.read_text(encoding="utf-8").splitlines())
    assert first["before"] == "0" * 64
    assert second["before"] != first["before"]


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_line_shows_at_the_next_one_and_nothing_is_added(tmp_path: Path, line: int) -> None:
    journal = journal_of(tmp_path)
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    lines[line] = lines[line].replace('"n": ', '"n": 1')
    journal.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert journal.broken() == line + 2
    with pytest.raises(UsageError, match=rf"line {line + 2}: it was changed"):
        journal.add("hint", step="1.1")


def test_a_removed_line_shows(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    journal.path.write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    assert journal.broken() == 1


def test_a_line_that_a_crash_cut_off_is_left_out_and_replaced(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    with journal.path.open("ab") as file:
        file.write(b'{"at": "2026-')
    assert len(journal.entries()) == 3
    assert journal.broken() is None
    journal.add("hint", step="1.1")
    assert journal.broken() is None
    assert len(journal.entries()) == 4


@pytest.mark.parametrize(
    "values",
    [
        '"what": "evidence", "step": ["1"]',
        '"what": "answer", "step": "1.1", "values": {"wakes": 1e999}',
        '"what": "answer", "step": "1.1", "values": {"wakes": true}',
        f'"what": "answer", "step": "1.1", "values": {{"wakes": 1{"0" * 400}}}',
        '"what": "answer", "step": "1.1", "values": [1], "text": 5',
        '"what": "answer", "text": ' + "[" * 100_000,
    ],
)
def test_a_line_of_other_types_is_left_out(tmp_path: Path, values: str) -> None:
    journal = journal_of(tmp_path)
    with journal.path.open("a") as file:
        file.write(f'{{"at": "2026-11-20T09:00:00+00:00", {values}}}\n')
    assert len(journal.entries()) == 3
    assert journal.broken() == 4


def test_lines_that_are_no_entries_are_left_out_and_break_the_chain(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    with journal.path.open("ab") as file:
        file.write(b"[]\n\xff\xfe\n")
    assert len(journal.entries()) == 3
    assert journal.broken() == 4


ADDS = """
import sys
from pathlib import Path
from iolab.learn.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(40):
    with journal.alone():
        journal.add("hint", step="1.1", number=len(journal.entries()) + 1)
"""


def test_several_processes_add_to_one_journal_and_each_sees_the_lines_of_the_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    processes = [subprocess.Popen([sys.executable, "-c", ADDS, journal.path]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert journal.broken() is None
    assert [each["number"] for each in journal.entries()] == list(range(1, 161))


def test_a_process_that_was_killed_does_not_keep_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    script = f"{ADDS.partition('for ')[0]}with journal.alone():\n    print('mine', flush=True)\n    sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, journal.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == b"mine\n"
    process.kill()
    process.wait(20)
    process.stdin.close()
    process.stdout.close()
    journal.add("hint", step="1.1")
    assert journal.broken() is None
