"""A lab that is killed leaves nothing behind: neither programs nor temporary folders."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.waiting import wait_until

LAB = """
import signal, sys, time
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell lets programs in the background ignore it
from iolab.host.processes import running, temporary_folder
with temporary_folder() as folder, running(["sh", "-c", "sleep 600 & exec sleep 600"]) as process:
    (folder / "log").write_text("x")
    print(process.pid, folder, flush=True)
    {then}
"""


def started(then: str) -> tuple[subprocess.Popen[str], int, Path]:
    lab = subprocess.Popen([sys.executable, "-c", LAB.format(then=then)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert lab.stdout
    with lab.stdout:
        pid, folder = lab.stdout.readline().split()
    return lab, int(pid), Path(folder)


def group_has_ended(pid: int) -> bool:
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                return False
        except (psutil.Error, ProcessLookupError):
            continue
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_programs_and_folders_of_a_killed_lab_are_ended_and_removed(number: signal.Signals) -> None:
    lab, pid, folder = started("time.sleep(600)")
    assert psutil.pid_exists(pid)
    assert folder.is_dir()
    lab.send_signal(number)
    lab.wait(10)
    wait_until(lambda: group_has_ended(pid), limit_s=15)
    wait_until(lambda: not folder.exists(), limit_s=15)


def test_a_lab_that_ends_by_itself_leaves_no_guardian() -> None:
    lab, pid, folder = started("pass")
    assert lab.wait(20) == 0
    assert group_has_ended(pid)
    assert not folder.exists()
    wait_until(lambda: not [each for each in psutil.process_iter(["cmdline"]) if guards(each, lab.pid)], limit_s=10)


def guards(process: psutil.Process, lab: int) -> bool:
    try:
        return "guardian.py" in " ".join(process.info["cmdline"] or ()) and process.ppid() in (lab, 1)
    except psutil.Error:
        return False
