"""The page of a copy of the lab, served as a process, and open in a browser."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import copied_lab
from tests.own import free_ports

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass
class Served:
    """The page of a copy of the lab, and its process."""

    root: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def results(self) -> Path:
        return self.root / "results"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    root = copied_lab(tmp_path / "lab")
    (port,) = free_ports(1)
    (tmp_path / "tmp").mkdir()
    # A folder of its own for temporary files: other tests hold the machine's benchmark lock.
    environment = {**os.environ, "LAB_PORT": str(port), "TMPDIR": str(tmp_path / "tmp"), "RUNTIME": "local"}
    environment.pop("RESULTS", None)
    errors = (tmp_path / "errors.txt").open("wb")
    command = [sys.executable, "-m", "iolab", "lab"]
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout
    line = process.stdout.readline().decode()
    assert f"http://localhost:{port}" in line
    yield Served(root, f"http://localhost:{port}", process)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    process.stdout.close()
    errors.close()
    assert (tmp_path / "errors.txt").read_text() == ""


@pytest.fixture
def page(browser: "Browser", served: Served) -> "Iterator[Page]":
    """A page of the lab; an error of its script fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    mistakes: list[str] = []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.on("console", lambda message: mistakes.append(message.text) if message.type == "error" else None)
    opened.goto(served.url)
    yield opened
    context.close()
    assert mistakes == []
