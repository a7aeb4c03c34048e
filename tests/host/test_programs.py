"""A program that has the name of another one is not taken for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from iolab.errors import LoadFailed, UsageError
from iolab.host import programs
from iolab.live import doctor
from iolab.loadgen.hey import read_rows
from iolab.runtime import choice
from iolab.service import Service

OTHER = "#!/bin/sh\necho 'hello from another hey'\n"
GENUINE = "#!/bin/sh\necho 'flag needs an argument: -h\nUsage: hey [options...] <url>' >&2\nexit 2\n"


def put(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "hey").write_text(text)
    (folder / "hey").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "hey"


def test_another_program_named_hey_is_not_used_and_the_doctor_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, OTHER, monkeypatch)
    assert programs.hey() == (str(path), False)
    assert choice.generator_name("auto", "local") == "locust"
    with pytest.raises(UsageError, match=f"LOADGEN=hey: {path} is another program of that name"):
        choice.generator_name("hey", "local")
    fine, _, said = doctor._hey()
    assert not fine
    assert f"{path} is another program of that name" in said


def test_hey_is_known_by_its_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, GENUINE, monkeypatch)
    assert programs.hey() == (str(path), True)
    assert choice.generator_name("auto", "local") == "hey"


def test_a_machine_without_hey_uses_locust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.hey() == ("", False)
    assert choice.generator_name("auto", "local") == "locust"
    assert choice.generator_name("auto", "docker") == "hey"


@pytest.mark.parametrize("text", ["", "hello from another hey\n", "0.1,0.2\n"])
def test_what_is_no_table_is_no_measurement(text: str) -> None:
    with pytest.raises(LoadFailed, match="hey printed no table"):
        read_rows(text)


def test_a_table_without_rows_is_a_load_without_responses() -> None:
    assert (
        read_rows("response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n") == []
    )


def test_what_a_local_run_lacks_is_said_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "services" / "one"
    folder.mkdir(parents=True)
    (folder / "requirements-one.txt").touch()
    service = Service("one", "", folder, ("python3", "one.py"), {}, {}, (), ())
    assert programs.lacking(service) == ""
    assert programs.lacking(replace(service, labels={"iolab.package": "json"})) == ""
    assert programs.lacking(replace(service, labels={"iolab.package": "no_such_package"})) == (
        "needs the package no_such_package: .venv/bin/pip install --require-hashes -r"
        " services/one/requirements-one.txt, or use Docker"
    )
    assert programs.lacking(replace(service, command=("no-such-program", "one.js"))) == (
        "needs the program no-such-program: install it, or use Docker"
    )
