"""Every server under hostile environments: it starts, or it ends at once with one line and status 2."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.contract.servers import SCRIPTS, named, variables
from tests.contract.yours import FOLDER
from tests.own import environment, free_ports

# Those that found a defect: in the fast tier, for one server; all of them, for all servers, in the load tier.
FEW = (
    "",
    "soon",
    "-1",
    "0",
    "nan",
    "1e999",
    "\u0663\u0663",
    "\u00b2",
    "\udcff",
    "7" * 5000,
    "0" * 5000,
    "7\n8",
    "\x1b[31m7",
)
HOSTILE = (
    *FEW, " ", "\t", "0.5", "1.0", "-0", "inf", "-inf", "1e3", "1e308", "99999999999", "\u2460", " 7 ", "7 ", "7\n", "0x10",
    "1_000", "+7", "--7", "7,5", "$PORT", "None", "True", "'7'", "7;8",
)  # fmt: skip
FEW_HOSTS = ("", "127.0.0.1", ".", "a" * 64, "\udcff", "999.1.1.1", "192.0.2.1", "b\u00fccher..example", "127.0.0.1\n")
HOSTS = (
    *FEW_HOSTS, " ", "localhost", "-", "..", "a." * 200, "\u00e9\n", "::1", "[::1]", "127.0.0.1:80", "0x7f.1", "\x1b[2J",
    "7" * 5000,
)  # fmt: skip

ALL = [*SCRIPTS, FOLDER / "server_yours.py"]  # the skeleton answers no request, but reads the same environment
TEXTS = ("HOST", "DOWNSTREAM_HOST", "ALLOWED_ORIGINS")


@dataclass(frozen=True)
class Outcome:
    status: int | None
    stdout: str
    stderr: str
    seconds: float


def cases(path: Path, values: Sequence[str], hosts: Sequence[str]) -> list[dict[str, str]]:
    """Return an environment for each value of each variable; the variable comes last."""
    port = str(free_ports(1)[0])
    names = variables(path)
    return [{"PORT": port} | {name: value} for name in names for value in (hosts if name.endswith("HOST") else values)]


def outcomes(path: Path, environments: Sequence[dict[str, str]]) -> list[Outcome]:
    job = json.dumps({"folder": str(path.parent), "script": path.name, "cases": list(environments)})
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("environments.py"))],
        input=job,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=170,
        check=True,
    )
    return [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]


def complaint(name: str, value: str, outcome: Outcome) -> str:
    """Return what is wrong with the outcome of a value of this variable, or nothing."""
    if outcome.status is None and name not in TEXTS and not value.isascii():
        return "starts with a value that is no number to others, such as Compose and the lab"
    if outcome.seconds > 15:
        return "takes too long"
    if outcome.status is None:
        return "starts, with a traceback" if "Traceback" in outcome.stderr else ""
    if outcome.status != 2:
        return f"status {outcome.status}"
    if outcome.stdout or len(outcome.stderr.splitlines()) != 1 or not outcome.stderr.rstrip("\n").isprintable():
        return "not one line"
    return "" if f"{name}=" in outcome.stderr else "the line does not name it"


def test_it_starts_or_ends_in_one_line() -> None:
    path = ROOT / "services" / "threadpool" / "server_threadpool.py"
    expect_no_complaint(path, cases(path, FEW, FEW_HOSTS))


@pytest.mark.load
@pytest.mark.parametrize("path", ALL, ids=named)
def test_it_starts_or_ends_in_one_line_for_all_values(path: Path) -> None:
    expect_no_complaint(path, cases(path, HOSTILE, HOSTS))


def expect_no_complaint(path: Path, given: Sequence[dict[str, str]]) -> None:
    found = outcomes(path, given)
    assert len(found) == len(given)
    wrong = {}
    for one, outcome in zip(given, found, strict=True):
        *_, name = one
        if why := complaint(name, one[name], outcome):
            wrong[f"{name}={one[name]:.30}"] = why, outcome.stderr[-300:]
    assert not wrong
    assert {outcome.status for outcome in found} == {None, 2}  # some values are right
