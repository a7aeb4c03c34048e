"""What is printed cannot control the terminal, and does not fail for the terminal's encoding."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from iolab.cli import output as cli_output
from iolab.cli.console import Console
from tests.conftest import ROOT

HOSTILE = "a\x1b]0;title\x07b\x9b2Jc\x7f\u202ed"


def test_control_characters_are_escapes() -> None:
    assert cli_output.visible(HOSTILE) == r"a\x1b]0;title\x07b\x9b2Jc\x7f\u202ed"
    assert cli_output.visible("tab\t, line\n, é, 字, ─") == "tab\t, line\n, é, 字, ─"
    assert cli_output.visible("\udcff") == r"\udcff"


def test_every_form_of_text_on_a_console_is_made_visible() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    for each in (HOSTILE, Text(HOSTILE, style="bold"), table):
        console.print(each, markup=False) if isinstance(each, str) else console.print(each)
    with console.status(HOSTILE):
        pass
    text = out.getvalue()
    assert r"\x1b]0;title" in text
    assert "\x1b]0;" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text


GENERATORS = {"reference.py", "manifests.py"}  # for maintainers: they print a path


def test_no_module_prints_in_another_way() -> None:
    for path in (ROOT / "src" / "iolab").rglob("*.py"):
        if (path.parent.name == "cli" and path.name in {"output.py", "console.py"}) or path.name in GENERATORS:
            continue
        text = path.read_text()
        assert "click.echo(" not in text, path
        assert not re.search(r"\bConsole\(", text) or "from iolab.cli.console import Console" in text, path


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_an_encoding_without_a_sign_is_no_failure(encoding: str, tmp_path: Path) -> None:
    log = tmp_path / "a.txt"
    log.write_text('1 bind(3, {sa_family=AF_UNIX, sun_path="/tmp/é\\33]0;x"}, 110) = 0\n')
    done = subprocess.run(
        [sys.executable, "-m", "iolab", "trace", str(log)],
        env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"\x1b" not in done.stdout
