"""`iolab lab --background`: the page outlives the command that started it, and its terminal; `iolab down` ends it."""

import os
from pathlib import Path

import psutil
import pytest

from iolab.runtime import probe
from iolab.web import app
from tests.conftest import Run, copied_lab


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_page_stays_and_a_second_command_finds_it(iolab: Run, tmp_path: Path, how: str) -> None:
    root, port = copied_lab(tmp_path / "copy"), int(os.environ["LAB_PORT"])
    asked = ("lab", "--background") if how == "option" else ("lab",)
    variables = {"BACKGROUND": "1"} if how == "variable" else {}
    first = iolab(*asked, cwd=root, variables=variables)
    try:
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith(f"The lab: http://localhost:{port} ")
        assert "make learn STUDENT=" in first.stdout
        assert probe.get(("127.0.0.1", port), "/", 10)[0] == 200
        (page,) = [each for each in psutil.process_iter(["cmdline", "cwd"]) if serves(each, root)]
        assert os.getsid(page.pid) == page.pid  # the end of a terminal does not reach it
        again = iolab(*asked, cwd=root, variables=variables)
        assert (again.returncode, again.stdout) == (0, first.stdout)
    finally:
        ended = iolab("down", cwd=root, variables={"PATH": "/nowhere"})  # where there is no Docker
    assert "The page is closed." in ended.stdout
    with pytest.raises(OSError, match="refused"):
        probe.get(("127.0.0.1", port), "/", 1)


def serves(process: psutil.Process, root: Path) -> bool:
    return process.info["cwd"] == str(root) and (process.info["cmdline"] or [])[-2:] == ["iolab", "lab"]


def test_the_variables_of_commands_that_start_the_page_are_not_the_page_s() -> None:
    assert {"BACKGROUND", "CPUS", "MAKEFLAGS"} <= app.OF_STARTER
