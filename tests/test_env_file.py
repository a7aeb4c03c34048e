"""A .env file is read as Docker Compose reads it, or its line is refused."""

from pathlib import Path

import pytest

from iolab import env_file
from iolab.errors import UsageError


def read(folder: Path, content: bytes) -> dict[str, str]:
    (folder / ".env").write_bytes(content)
    return env_file.read(folder / ".env")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"A=1\n", {"A": "1"}),
        (b"export A=1\n", {"A": "1"}),
        (b"# note\n\nA='x $HOME y'\n", {"A": "x $HOME y"}),
        (b'A="x y" # note\n', {"A": "x y"}),
        (b"\xef\xbb\xbfA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        (b"A=1\nB=${A}2\n", {"A": "1", "B": "12"}),
        (b"A=p#q\n", {"A": "p#q"}),
        (b"A=${NOT_THERE:-x}\n", {"A": "x"}),
        (b"A=\n", {"A": ""}),
    ],
)
def test_forms_that_compose_reads_too(tmp_path: Path, content: bytes, found: dict[str, str]) -> None:
    assert read(tmp_path, content) == found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A: 1\n", r"\.env, line 1: it is not of the form NAME=value"),
        (b"A=1\nB=$A/b\n", r"\.env, line 2: in B, write a variable as \$\{NAME\}"),
        (b"A=x$$y\n", r"\.env, line 1: in A, write"),
        (b"A=${B-x}\n", r"\.env, line 1: in A, write"),
        (b"A='${B}'\n", r"\.env, line 1: A has \$\{ between"),
        (b'A="x\n', r"\.env, line 1: it is not of the form"),
        (b"A=\xff\n", r"\.env cannot be read"),
    ],
)
def test_forms_that_compose_reads_differently_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path, content)


def test_without_a_file_there_are_no_variables(tmp_path: Path) -> None:
    assert env_file.read(tmp_path / ".env") == {}
