"""The real drivers of loadtest/, with real processes."""

import json
import socket
import sys
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from iolab.errors import LoadFailed
from iolab.loadgen import Job, driver
from iolab.loadgen.boards import Boards
from iolab.loadgen.locust import Locust
from tests.conftest import ROOT
from tests.fakes import answering
from tests.waiting import wait_until

LOADTEST = ROOT / "loadtest"
HEY_DRIVER = (sys.executable, str(LOADTEST / "hey_driver.py"))
BOARDS_DRIVER = (sys.executable, str(LOADTEST / Boards.driver_script))
LOCUST_DRIVER = (sys.executable, str(LOADTEST / "locust_driver.py"))


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_command_is_run_and_its_cpu_time_is_its_own() -> None:
    spin = (
        "import sys, time\nwhile time.process_time() < 0.4: pass\n"
        "print('out'); print('err', file=sys.stderr); sys.exit(3)"
    )
    with driver.start(HEY_DRIVER) as started:
        answer = started.ask({"argv": [sys.executable, "-c", spin]}, timeout_s=20)
        assert (answer["status"], answer["stdout"], answer["stderr"]) == (3, "out\n", "err\n")
        assert 0.4 <= answer["cpu_s"] < 0.8
        assert started.ask({"argv": ["true"]}, timeout_s=20)["cpu_s"] < 0.1


def test_a_command_that_is_too_slow_is_killed() -> None:
    with driver.start(HEY_DRIVER) as started:
        assert started.ask({"argv": ["sleep", "60"]}, timeout_s=0.2)["timed_out"] is True


def test_a_command_that_is_not_there_is_an_answer() -> None:
    with driver.start(HEY_DRIVER) as started:
        answer = started.ask({"argv": ["no-such-program"]}, timeout_s=5)
        assert answer["status"] == 127
        assert "no-such-program" in answer["stderr"]


def test_what_runs_is_killed_when_the_driver_is_left(tmp_path: Path) -> None:
    script = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with driver.start(HEY_DRIVER) as started:
        job = {"job": 1, "argv": [sys.executable, "-c", script], "timeout_s": 60}
        assert started._process.stdin
        started._process.stdin.write(json.dumps(job).encode() + b"\n")
        started._process.stdin.flush()
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        pid = int((tmp_path / "pid").read_text())
    wait_until_gone(pid)


def test_a_driver_that_dies_fails_the_trial_with_its_last_words() -> None:
    with driver.start((sys.executable, "-c", "import sys; print('boom', file=sys.stderr); sys.exit(1)")) as started:
        with pytest.raises(LoadFailed, match="the load driver has ended: boom"):
            started.answer(timeout_s=10)
        with pytest.raises(LoadFailed, match="the load driver has ended"):
            started.ask({"argv": []}, timeout_s=1)


def test_an_answer_that_comes_late_is_never_taken_for_that_of_the_next_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "EXTRA_S", -0.8)  # we wait shorter than the driver
    with driver.start(HEY_DRIVER) as started:
        with pytest.raises(LoadFailed, match="did not answer within"):
            started.ask({"argv": ["sleep", "0.4"]}, timeout_s=1)
        monkeypatch.setattr(driver, "EXTRA_S", 10)
        with pytest.raises(LoadFailed, match="answered another job"):
            started.ask({"argv": ["true"]}, timeout_s=5)


def test_locust_sends_what_it_is_asked_for_and_gives_a_row_each() -> None:
    with answering() as (host, port), driver.start(LOCUST_DRIVER) as started:
        locust = Locust(started)
        for _ in range(2):
            load = locust.run(Job(f"http://{host}:{port}/", users=4, requests=40, answer_limit_s=5, timeout_s=30))
            assert load.ok == len(load.samples) == 40
            assert load.cpu_s
            assert load.samples[0].start_s == 0
            assert all(sample.latency_s and 0 < sample.latency_s < 1 for sample in load.samples)


def test_locust_counts_requests_without_an_answer() -> None:
    with driver.start(LOCUST_DRIVER) as started:
        load = Locust(started).run(Job("http://127.0.0.1:1", users=2, requests=6, answer_limit_s=5, timeout_s=30))
    assert [sample.status for sample in load.samples] == [0] * 6
    assert load.ok == 0


def test_each_board_plays_its_own_moves_one_after_the_other() -> None:
    with answering() as (host, port), driver.start(BOARDS_DRIVER) as started:
        for _ in range(2):
            pairs = Boards(started).play(f"http://{host}:{port}", 5, 4, answer_limit_s=5, timeout_s=20)
            assert {(pair.board, pair.move) for pair in pairs} == {(b, m) for b in range(5) for m in range(4)}
            for board in range(5):
                mine = [pair for pair in pairs if pair.board == board]
                assert [pair.move for pair in mine] == [0, 1, 2, 3]
                assert all(one.end_s <= other.start_s for one, other in pairwise(mine))
            assert all(pair.service_s == -1 for pair in pairs)  # this server does not tell it


def test_boards_without_an_answer_are_no_exhibition() -> None:
    with driver.start(BOARDS_DRIVER) as started, pytest.raises(LoadFailed, match="6 of 6 moves got no answer 200"):
        Boards(started).play("http://127.0.0.1:1", 2, 3, answer_limit_s=5, timeout_s=20)


def test_boards_that_take_too_long_are_stopped() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            driver.start(BOARDS_DRIVER) as started,
            pytest.raises(LoadFailed, match=r"stopped after 0\.5 s, with 0 of 2"),
        ):
            Boards(started).play(url, 2, 1, answer_limit_s=30, timeout_s=0.5)


def test_the_driver_is_gone_after_its_block() -> None:
    with driver.start(HEY_DRIVER) as started:
        pid = started._process.pid
    wait_until_gone(pid)
