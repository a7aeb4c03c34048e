"""What test processes have of their own, and that nobody is in anybody's way."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests import needs, own
from tests.conftest import ROOT
from tests.waiting import wait_until

# Takes a slot in a folder, starts a child as tests do, and says both.
OWNER = """
import os, subprocess, sys, time
from pathlib import Path
from tests import own

slot = own.take(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "64"], env={**os.environ, own.VARIABLE: slot.name})
print(slot.number, child.pid, flush=True)
time.sleep(64)
"""


def owner(folder: Path) -> tuple[subprocess.Popen[str], int, int]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    number, child = process.stdout.readline().split()
    return process, int(number), int(child)


def taken(folder: Path, stack: ExitStack) -> own.Slot:
    slot = own.take(folder)
    stack.callback(slot.give_back)
    return slot


def test_a_slot_is_one_process_s_alone_and_the_next_one_removes_what_it_left(tmp_path: Path) -> None:
    first, number, child = owner(tmp_path)
    with ExitStack() as stack:
        stack.callback(first.communicate)
        stack.callback(first.kill)
        other = taken(tmp_path, stack)
        assert (number, other.number) == (0, 1)
        assert other.token == (tmp_path / "token").read_text()
        own.remove_leftovers(other)
        assert psutil.pid_exists(child)  # it is another slot's
        first.kill()
        first.wait()
        next_one = taken(tmp_path, stack)
        assert next_one.number == 0
        assert [process.pid for process in own.children_left(next_one)] == [child]
        own.remove_leftovers(next_one)
        wait_until(lambda: not own.children_left(next_one))


def test_slots_share_no_port_and_names_fit_an_interface(tmp_path: Path) -> None:
    with ExitStack() as stack:
        slots = [taken(tmp_path, stack) for _ in range(own.SLOTS)]
        with pytest.raises(RuntimeError, match="16 test processes run already"):
            own.take(tmp_path)
    ports = [{next(iterator) for _ in range(own.PORTS_OF_A_SLOT)} for iterator in (slot.ports() for slot in slots)]
    assert len(set.union(*ports)) == own.SLOTS * own.PORTS_OF_A_SLOT
    assert max(set.union(*ports)) < 32_768
    assert len({slot.name for slot in slots} | {slot.short for slot in slots}) == 2 * own.SLOTS
    assert all(len(f"{slot.short}w3v") <= 15 for slot in slots)


def test_children_can_be_interrupted_whatever_the_shell_had_set() -> None:
    """As `nohup make test &` in a script: the shell has both signals ignored, and so would every child."""
    child = (
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
        " signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL)"
    )
    run = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    for before, heard in (("", False), ("from tests import own; own.hear_interrupts(); ", True)):
        ignored = ["sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh", sys.executable, "-c", before + run]
        assert (
            subprocess.run(ignored, cwd=ROOT, capture_output=True, text=True, check=True).stdout == f"{heard} {heard}\n"
        )


def test_tests_hear_interrupts() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_required_fails_and_what_is_not_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOLAB_REQUIRE", "docker,strace")
    assert [needs.required(name) for name in ("docker", "strace", "browser")] == [True, True, False]
    monkeypatch.setenv("IOLAB_REQUIRE", "all")
    assert needs.required("browser")
    monkeypatch.delenv("IOLAB_REQUIRE")
    assert not needs.required("docker")


def test_a_program_that_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert needs.NEEDS["node"]() == "needs the program node: install it, or use Docker"
    assert needs.NEEDS["go"]() == "needs the program go: install it (Debian: golang-go), or use Docker"
    assert needs.NEEDS["asyncio"]() is None
    assert needs.NEEDS["strace"]() == "strace is not installed (Debian: apt install strace)"
    assert "chromium" in (needs.NEEDS["browser"]() or "")
    assert "Docker is not installed" in (needs.NEEDS["docker"]() or "")
