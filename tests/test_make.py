"""The Makefile: variables are text, whatever is in them, and an environment belongs to its folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

HOSTILE = [
    "`touch pwned`",
    "$(touch pwned)",
    "$(shell touch pwned)",
    "$(x)",
    'a"; touch pwned; "b',
    "a'b c é",
    "-log.gz",
    "$x",
]
PROBE = """#!/bin/sh
printf '%s\\n' "RUN=$RUN" "LOG=$LOG" "CELL=$CELL" "EXPERIMENT=$EXPERIMENT" "PATH_=$PYTHONPATH$PYTHONHOME$PYTHONSTARTUP" "$*"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with the Makefile, in whose environment `iolab` prints what it gets."""
    folder = tmp_path / "a 'lab' of $x"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements-installer.txt", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "src" / "iolab" / "kinds").mkdir(parents=True)
    shutil.copy(ROOT / "src" / "iolab" / "kinds" / "registry.py", folder / "src" / "iolab" / "kinds")
    program = folder / ".venv" / "bin" / "iolab"
    program.write_text(PROBE)
    program.chmod(0o755)
    (folder / ".venv" / "folder").write_text(f"{folder.resolve()}\n")
    (folder / ".venv" / "run").touch()
    return folder


def make(lab: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=lab, env=clean | variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("target", "variable"), [("report", "RUN"), ("export", "RUN"), ("trace", "LOG"), ("explain", "CELL")]
)
def test_a_variable_is_text_and_never_runs(lab: Path, target: str, variable: str, value: str) -> None:
    typed = make(lab, target, f"{variable}={value}")
    from_environment = make(lab, target, **{variable: value})
    for done in (typed, from_environment):
        assert f"{variable}={value}\n" in done.stdout, done.stderr
    assert not list(lab.glob("pwned*"))


@pytest.mark.parametrize("value", HOSTILE)
def test_an_experiment_of_another_name_is_text_too(lab: Path, value: str) -> None:
    assert f"EXPERIMENT={value}\n" in make(lab, "backlog", f"EXPERIMENT={value}").stdout
    assert "EXPERIMENT=experiments/backlog.toml\n" in make(lab, "backlog").stdout
    assert not list(lab.glob("pwned*"))


def test_the_users_own_python_settings_do_not_reach_the_lab(lab: Path) -> None:
    done = make(lab, "report", PYTHONPATH="/elsewhere", PYTHONHOME="/nowhere", PYTHONSTARTUP="/start.py")
    assert "PATH_=\n" in done.stdout


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_the_environment_of_another_folder_is_made_anew(lab: Path, how: str) -> None:
    assert "scripts/venv" not in make(lab, "-n", "report").stdout
    other = lab.with_name("other")
    shutil.move(lab, other) if how == "moved" else shutil.copytree(lab, other, symlinks=True)
    assert "scripts/venv" in make(other, "-n", "report").stdout
