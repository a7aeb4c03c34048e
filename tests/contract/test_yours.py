"""The contract as students see it: of the skeleton, of the solution, and of programs with one mistake each."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.contract import outcome, suite
from iolab.contract.broken import Broken
from iolab.contract.promise import Kept, Promise
from iolab.contract.server import Launcher, last_error
from iolab.errors import UsageError
from iolab.lab import Lab
from tests import own
from tests.conftest import ROOT, Run, copied_lab
from tests.contract import yours
from tests.contract.test_servers import LINES_OF_A_SCREEN

PROMISES = {promise.name: promise for promise in suite.PROMISES}
EXTRAS = ["keep-alive", "pipelining"]
LAB = Lab.read(ROOT)


def free_port() -> int:
    return own.free_ports(1)[0]


def results_of(program: str, folder: Path, *names: str) -> dict[str, Kept]:
    """Return the results of some promises, each with one try."""
    launcher = Launcher(yours.model(LAB, folder / "yours", program), folder, free_port)
    promises = [replace(PROMISES[name], timed=False) for name in names]
    return {each.name: suite.result(each, suite.find_broken(each, launcher)) for each in promises}


def all_results_of(program: str, folder: Path) -> dict[str, Kept]:
    """Return the results of all promises, as the command has them."""
    return {each.name: each for each in suite.check(yours.model(LAB, folder / "yours", program), free_port)}


def test_the_skeleton_fits_on_one_screen_and_needs_the_standard_library_alone() -> None:
    assert len(yours.SKELETON.splitlines()) <= LINES_OF_A_SCREEN
    assert not list(yours.FOLDER.glob("requirements*"))
    assert "heapq" not in yours.SKELETON  # the solution is for students to write


def test_the_solution_is_not_on_a_student_s_way() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *(ROOT / "services").rglob("*.py")):
        assert "tests/data/yours" not in path.read_text(), path


@pytest.mark.bounds
def test_the_solution_keeps_all_promises_and_extras(tmp_path: Path) -> None:
    found = all_results_of(yours.SOLUTION, tmp_path)
    assert list(found) == list(PROMISES)
    assert [each for each in found.values() if not each.kept] == []
    assert [each.name for each in found.values() if each.extra] == EXTRAS


def test_the_skeleton_starts_and_ends_and_answers_501_to_everything(tmp_path: Path) -> None:
    found = results_of(yours.SKELETON, tmp_path, *PROMISES)
    assert [name for name, each in found.items() if each.kept] == [
        *("starts", "values", "sigterm", "descriptors", "sleeps"),
    ]
    for name in ("health", "wait", "together", "pieces", "paths", "head", "body", "leaving", "garbage"):
        assert "status 501" in found[name].seen, name
        assert found[name].hint.startswith("501 is the skeleton's answer"), name
    assert found["idle"].seen == "no answer within 2 s"


MISTAKES = {
    "a sleep in the handler": (yours.SLEEPS, "together", "the last answer after 3.", "time.sleep stops the whole loop: put the end of the wait"),
    "a sleep, beside it": (yours.SLEEPS, "health", "no answer within 2 s", "only epoll may wait"),
    "a timeout of 0": (yours.TURNS, "sleeps", "it was running in ", "epoll has a timeout of 0"),
    "an end that is not read": (yours.IGNORES_THE_END, "sleeps", "it was running in ", "the end of a connection that is still registered"),
    "pieces": (yours.FORGETS_PIECES, "pieces", "status 400", "Keep it for each connection until the blank line"),
    "descriptors": (yours.LEAKS, "descriptors", " open descriptors", "unregister the socket, close it, and forget it"),
    "a reset": (yours.FAILS_ON_RESET, "leaving", "ConnectionResetError: [Errno 104] Connection reset by peer (server_yours.py, line ", "raises ConnectionError"),
    "no wait": (yours.DOES_NOT_WAIT, "wait", "an answer after ", "where the wait of a request begins"),
    "no wait, 16 users": (yours.DOES_NOT_WAIT, "together", "the last answer after 0.", "Each request must wait for WAIT_MS"),
    "SIGTERM": (yours.IGNORES_SIGTERM, "sigterm", "it still runs after 2.5 s", "sys.exit(0)"),
    "a body": (yours.READS_BODIES_AS_REQUESTS, "body", "status 200", "Answer 413 and close"),
    "a log": (yours.LOGS, "starts", "another line: GET /healthz HTTP/1.1", "part of each measurement"),
    "a buffer": (yours.KEEPS_ITS_LINE, "starts", "no line", "flush=True"),
    "an endless head": (yours.ANY_HEAD, "garbage", "no answer within 2 s", "Limit the size of a head"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("program", "name", "seen", "hint"),
    [
        pytest.param(*mistake, id=name, marks=pytest.mark.bounds if PROMISES[mistake[1]].timed else ())
        for name, mistake in MISTAKES.items()
    ],
)
def test_a_mistake_is_found_and_the_hint_says_where_to_look(
    tmp_path: Path, program: str, name: str, seen: str, hint: str
) -> None:
    (found,) = results_of(program, tmp_path, name).values()
    assert not found.kept
    assert seen in found.seen
    assert hint in found.hint


def test_a_server_that_does_not_start_is_told_once(tmp_path: Path) -> None:
    found = list(all_results_of(f"import os\n{'x' * 3}\n", tmp_path).values())
    assert (
        found[0].seen
        == "the server ended with status 1: NameError: name 'xxx' is not defined (server_yours.py, line 2)"
    )
    assert not any(each.kept for each in found)
    assert {each.seen for each in found[1:]} == {"it does not start: this promise was not tried"}


def test_the_place_of_an_error_is_the_last_one_of_its_traceback() -> None:
    text = 'Traceback (most recent call last):\n  File "/a/b.py", line 3, in f\n  File "/a/c.py", line 7, in g\nOSError: no\n'
    assert last_error(text) == "OSError: no (c.py, line 7)"
    assert last_error("PORT=0: must be a number\n") == "PORT=0: must be a number"
    assert last_error("") == ""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copied_lab(tmp_path / "lab")


@pytest.mark.bounds
def test_the_command_prints_a_line_for_each_promise_and_writes_the_outcome(
    inside: Run, copy: Path, tmp_path: Path
) -> None:
    server = copy / "services" / "yours" / "server_yours.py"
    server.write_text(yours.SOLUTION)
    done = inside("contract", cwd=copy)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line[:1] for line in lines[:-1]] == ["✓"] * len(PROMISES)
    assert lines[-1].startswith("services/yours/server_yours.py keeps 15 of 15 promises.")
    found = outcome.read(tmp_path / "results", "yours")
    assert found
    assert found.passed
    assert found.is_of(server.read_bytes())
    assert not found.is_of(server.read_bytes() + b"\n")
    server.write_text(yours.LOGS)
    again = inside("contract", cwd=copy, variables={"JSON": "1", "MODEL": "y"})
    assert again.returncode == 1
    shown = json.loads(again.stdout)
    assert (shown["passed"], shown["model"], shown["letter"]) == (False, "yours", "Y")
    assert shown["sha256"] == hashlib.sha256(yours.LOGS.encode()).hexdigest()
    assert [each["name"] for each in shown["promises"] if not each["kept"]] == ["starts"]
    assert outcome.read(tmp_path / "results", "yours") == outcome.Outcome.model_validate(shown)


@pytest.mark.parametrize(
    ("program", "variables", "said"),
    [
        (
            "import os\n\nwhile True\n    pass\n",
            {},
            "iolab: services/yours/server_yours.py, line 3: expected ':': correct it",
        ),
        ("a = '\0'\n", {}, "iolab: services/yours/server_yours.py"),
        ("", {"MODEL": "nginx"}, "iolab: MODEL=nginx: no such model; the models are A or blocking"),
        ("", {"MODEL": "all"}, "iolab: MODEL=all: one server at a time"),
        (None, {}, "iolab: services/yours/server_yours.py: No such file or directory: restore it"),
    ],
)
def test_a_mistake_of_the_user_is_one_line(
    inside: Run, copy: Path, program: str | None, variables: dict[str, str], said: str
) -> None:
    server = copy / "services" / "yours" / "server_yours.py"
    server.unlink()
    if program is not None:
        server.write_text(program)
    done = inside("contract", cwd=copy, variables=variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(said)


def test_a_promise_about_time_has_two_tries_and_any_other_one(tmp_path: Path) -> None:
    tries: list[Launcher] = []

    def holds(launcher: Launcher) -> None:
        tries.append(launcher)
        if len(tries) % 2:
            raise Broken("a request", "an answer", "a delay")

    launcher = Launcher(LAB.select(["yours"])[0], tmp_path, free_port)
    timed = Promise("x", "it answers", holds, "", timed=True)
    assert suite.find_broken(timed, launcher) is None
    assert len(tries) == 2
    assert suite.find_broken(replace(timed, timed=False), launcher)
    assert len(tries) == 3


def test_an_outcome_passes_without_extras_and_not_without_a_promise(tmp_path: Path) -> None:
    model = yours.model(LAB, tmp_path / "yours", yours.SKELETON)
    broken = Broken("a request", "an answer", "none")
    for missing, passed in (("pipelining", True), ("together", False)):
        results = tuple(suite.result(each, broken if each.name == missing else None) for each in suite.PROMISES)
        assert outcome.outcome(LAB, model, yours.SKELETON.encode(), results).passed is passed


def test_a_program_that_is_changed_during_the_test_has_no_outcome(tmp_path: Path) -> None:
    model = yours.model(LAB, tmp_path / "yours", yours.SKELETON)
    with pytest.raises(UsageError, match="changed during the test"):
        outcome.outcome(LAB, model, yours.SOLUTION.encode(), ())


def test_an_outcome_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert outcome.read(tmp_path, "yours") is None
    path = outcome.place(tmp_path, "yours")
    path.parent.mkdir()
    path.write_text("{}")
    assert outcome.read(tmp_path, "yours") is None
