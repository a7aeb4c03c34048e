import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import psutil
import pytest

from iolab.host import cores, processes
from iolab.host.guardian import GUARDIAN
from iolab.host.signals import Interrupted, delayed, interruptible
from tests.waiting import wait_until


def children() -> set[int]:
    """Return what runs below us, except the guardian; the browser that other tests share may be among them."""
    GUARDIAN.tell("+folder /nowhere")  # so that it is there from now on
    GUARDIAN.tell("-folder /nowhere")
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_a_program_is_run_to_its_end() -> None:
    done = processes.run(
        [sys.executable, "-c", "import sys; print('a'); print('b', file=sys.stderr); sys.exit(4)"], timeout_s=20
    )
    assert (done.status, done.stdout, done.stderr) == (4, "a\n", "b\n")


def test_a_program_that_is_too_slow_is_stopped() -> None:
    before = children()
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(["sleep", "61"], timeout_s=0.2)
    assert children() <= before


def test_a_program_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.2)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = processes.start([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    processes.stop(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.needs("affinity")
def test_what_is_started_inside_runs_on_its_cores_and_we_on_ours_again() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    ask = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
    with cores.affinity([core]) as possible:
        assert possible
        assert processes.run(ask, timeout_s=20).stdout == f"[{core}]\n"
    assert os.sched_getaffinity(0) == before


def test_background_work_stops_with_its_block() -> None:
    calls: list[float] = []
    threads = threading.active_count()
    with processes.Background(lambda: calls.append(time.monotonic()), 0.01):
        wait_until(lambda: len(calls) >= 3)
    assert threading.active_count() == threads


def test_the_first_signal_interrupts_and_the_next_does_not_disturb_the_cleaning_up() -> None:
    cleaned = False
    with pytest.raises(Interrupted) as caught, interruptible():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            cleaned = True
    assert cleaned
    assert caught.value.exit_status == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_is_held_back_while_a_program_starts() -> None:
    reached = False
    with pytest.raises(Interrupted) as caught, interruptible(), delayed():
        signal.raise_signal(signal.SIGTERM)
        reached = True
    assert reached
    assert caught.value.exit_status == 143


def test_a_program_that_an_interruption_finds_starting_does_not_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen

    def interrupted_popen(*arguments: Any, **options: Any) -> Any:
        process = popen(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return process

    before = children()
    monkeypatch.setattr(subprocess, "Popen", interrupted_popen)
    with pytest.raises(Interrupted), interruptible():
        processes.start(["sleep", "62"])
    assert children() <= before


def test_what_a_program_has_started_is_stopped_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker` starts Compose, and does not pass signals on to it."""
    monkeypatch.setattr(processes, "GRACE_S", 0.2)
    script = "trap '' TERM; sleep 63 & echo $!; wait"
    process = processes.start(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    grandchild = int(process.stdout.readline())
    processes.stop(process)
    wait_until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(), delayed():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
