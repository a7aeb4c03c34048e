"""A local run compiles what its program is made of: once for each source, beside the packages, and never half."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.host import programs
from iolab.lab import Lab
from iolab.service import Service
from tests.conftest import ROOT

COMPILER = """#!/bin/sh
[ "$1 $2 $3 $5 $CGO_ENABLED" = "build -trimpath -o server_go.go 0" ] || { echo "asked for $*" >&2; exit 9; }
echo half >"$4"
if grep -q wrong server_go.go; then printf 'server_go.go:1:1: syntax\\n error\\n' >&2; exit 1; fi
cp server_go.go "$4"; echo once >>../calls
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """K's service in a folder of its own, beside a compiler that only copies and writes down that it ran."""
    folder, path = tmp_path / "go", tmp_path / "bin"
    folder.mkdir()
    path.mkdir()
    (folder / "server_go.go").write_text("package main\n")
    (path / "go").write_text(COMPILER)
    (path / "go").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(path), prepend=os.pathsep)
    monkeypatch.setattr(programs, "COMPILED", tmp_path / "compiled")
    return replace(Lab.read(ROOT).select(["K"])[0].service, folder=folder)


def test_a_program_is_compiled_once_for_each_source(service: Service, tmp_path: Path) -> None:
    assert service.folder
    assert programs.lacking(service) == ""
    for text in ("package main\n", "package main\n", "package main // newer\n", "package main\n"):
        (service.folder / "server_go.go").write_text(text)
        (program,) = programs.own_command(service)
        assert Path(program).read_text() == text
    assert (tmp_path / "calls").read_text() == "once\n" * 2
    assert [each.name for each in service.folder.iterdir()] == ["server_go.go"]
    assert len([*(tmp_path / "compiled").iterdir()]) == 2


def test_a_source_that_cannot_be_compiled_is_an_error_in_one_line(service: Service, tmp_path: Path) -> None:
    assert service.folder
    (service.folder / "server_go.go").write_text("wrong\n")
    with pytest.raises(UsageError) as error:
        programs.own_command(service)
    assert str(error.value) == "server_go.go cannot be compiled: server_go.go:1:1: syntax error"
    assert [*(tmp_path / "compiled").iterdir()] == []


def test_without_a_compiler_the_line_says_what_to_install(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.lacking(service) == "needs the program go: install it (Debian: golang-go), or use Docker"
    with pytest.raises(UsageError, match=r"server_go\.go cannot be compiled: .*use Docker"):
        programs.own_command(service)


def test_what_a_student_reads_is_the_source() -> None:
    found = {each.letter: programs.source(each.service).name for each in Lab.read(ROOT).family}
    assert found["A"] == "server.py"
    assert found["K"] == "server_go.go"
