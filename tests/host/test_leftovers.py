"""What a lab has left that was killed together with its guardian: the next run and `make down` end and remove it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from iolab.cli import live as cli_live
from iolab.errors import EngineMissing
from iolab.host import leftovers, proc
from iolab.lab import Lab
from tests.conftest import ROOT, Run, Start
from tests.waiting import wait_until

LAB = """
import sys, time
from iolab.host.processes import running, temporary_folder
with temporary_folder() as folder, running(["sh", "-c", "sleep 600 & exec sleep 600"]) as process:
    print(process.pid, folder, flush=True)
    time.sleep(600)
"""
BENCH = ("bench", "--runtime", "local", "--models", "C", "--concurrency", "4", "--requests", "20000", "--repeats", "9")
SHORT = ("bench", "--runtime", "local", "--models", "C", "--concurrency", "4", "--requests", "40", "--repeats", "1")


def killed(tmp: Path) -> tuple[list[psutil.Process], Path]:
    """Return what a lab leaves that is killed with its guardian: programs, and a folder."""
    variables = {**os.environ, "TMPDIR": str(tmp)}
    lab = subprocess.Popen([sys.executable, "-c", LAB], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables)
    assert lab.stdout
    with lab.stdout:
        pid, folder = lab.stdout.readline().split()
    wait_until(lambda: len(psutil.Process(lab.pid).children(recursive=True)) == 3)  # two of sleep, and the guardian
    children = psutil.Process(lab.pid).children(recursive=True)
    kill_with_guardian(lab.pid, children)
    lab.wait(10)
    left = [child for child in children if alive(child)]
    assert int(pid) in [child.pid for child in left]
    return left, Path(folder)


def kill_with_guardian(pid: int, children: list[psutil.Process]) -> None:
    guardian = [child for child in children if "guardian.py" in " ".join(child.cmdline())]
    assert len(guardian) == 1
    guardian[0].send_signal(signal.SIGSTOP)  # so that it does not act in the moment between the two signals
    os.kill(pid, signal.SIGKILL)
    guardian[0].kill()
    wait_until(lambda: not alive(guardian[0]))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.mark.alone  # a local run of another test would end what is left here
def test_what_a_killed_lab_has_left_is_ended_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, folder = killed(tmp_path)
    assert len(left) == 2
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert leftovers.end() >= 2
    assert not [child for child in left if alive(child)]
    assert folder.is_dir()  # it is young: another lab may be about to lock it
    old = time.time() - 2 * leftovers.YOUNG_S
    os.utime(folder, (old, old))
    leftovers.end()
    assert not folder.exists()


PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], env={**os.environ, sys.argv[1]: sys.argv[2]})
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.alone  # as above
def test_what_has_ended_is_not_waited_for_although_its_parent_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such is the first process of many a container: what has ended stays in the table of processes."""
    (ended := subprocess.Popen(["true"])).wait()
    owner = f"{proc.pid_namespace()} {ended.pid} 0"
    sent, send = [], psutil.Process.send_signal

    def noted(process: psutil.Process, number: int) -> None:
        sent.append((process.pid, number))
        send(process, number)

    monkeypatch.setattr(psutil.Process, "send_signal", noted)
    command = [sys.executable, "-c", PARENT, leftovers.OWNER, owner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert leftovers.end() >= 1
        assert psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        parent.kill()
    assert [number for pid, number in sent if pid == child] == [signal.SIGTERM]


def test_what_belongs_to_a_running_lab_or_to_none_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iolab.host.processes import running, temporary_folder  # noqa: PLC0415 (with this folder)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old = time.time() - 2 * leftovers.YOUNG_S
    (tmp_path / "iolab-mine").mkdir()
    (tmp_path / f"{leftovers.FOLDER}file").touch()
    (tmp_path / f"{leftovers.FOLDER}link").symlink_to(tmp_path / "iolab-mine")
    other = {
        **os.environ,
        leftovers.OWNER: "pid:[1] 1 0",
    }  # of another namespace, where the number means another process
    with (
        subprocess.Popen(["sleep", "600"], env=other) as foreign,
        temporary_folder() as folder,
        running(["sleep", "600"]) as process,
    ):
        for path in (folder, *tmp_path.iterdir()):
            os.utime(path, (old, old), follow_symlinks=False)
        leftovers.end()
        assert process.poll() is None
        assert foreign.poll() is None
        assert folder.is_dir()
        foreign.kill()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.alone  # a local run of another test would end what is left here
def test_down_ends_local_programs_also_without_an_engine(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise EngineMissing("there is no engine", "start it")

    left, _ = killed(tmp_path)
    monkeypatch.setattr(cli_live, "find_engine", missing)
    done = inside("down")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ended ")
    assert " of killed runs." in done.stdout
    assert not [child for child in left if alive(child)]
    assert inside("down").returncode == 2


@pytest.mark.alone  # a local run of another test would end what is left here
@pytest.mark.load
@pytest.mark.needs("linux")
@pytest.mark.parametrize(
    ("number", "guarded"), [(signal.SIGKILL, True), (signal.SIGQUIT, True), (signal.SIGKILL, False)]
)
def test_a_bench_that_was_killed_leaves_no_server_to_the_next_one(
    start: Start, lab: Lab, tmp_path: Path, number: signal.Signals, guarded: bool
) -> None:
    """With its guardian nothing is left after some seconds; without it, the next run ends what is left."""
    before = ("sh", "-c", 'ulimit -c 0; exec "$@"', "sh")  # SIGQUIT would write a core
    process = start(*BENCH, before=before)
    wait_until(lambda: list((tmp_path / "results").glob("*/run.json")) and serves(lab), limit_s=60)
    children = psutil.Process(process.pid).children(recursive=True)
    if guarded:
        process.send_signal(number)
    else:
        kill_with_guardian(process.pid, children)
    process.wait(10)
    if guarded:
        wait_until(lambda: not [child for child in children if alive(child)], limit_s=20)
        wait_until(lambda: not list((tmp_path / "tmp").glob("iolab-run-*")), limit_s=20)
        assert not serves(lab)
        return
    assert serves(lab)
    again = start(*SHORT)
    _, stderr = again.communicate(timeout=60)
    assert again.returncode == 0, stderr
    assert not [child for child in children if alive(child)]


def serves(lab: Lab) -> bool:
    address = next(("127.0.0.1", model.port.host) for model in lab.models if model.letter == "C")
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0
