"""The lock of a machine: one benchmark at a time, and who has to wait learns for what."""

import fcntl
import os
import re
import threading
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.host import lock
from iolab.host.lock import only_bench
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_second_benchmark_is_refused_and_told_what_runs_since_when_and_for_how_long() -> None:
    told = rf"another benchmark is running \(queue, pid {os.getpid()}, for 0 s, about 900 s more\): .* WAIT=1"
    with only_bench("queue", 900.0), pytest.raises(UsageError, match=told), only_bench("bench"):
        pass
    with only_bench("bench"):
        pass  # the lock is free again


@pytest.mark.parametrize(
    "text", ["", "17", "{}", '{"pid": -1, "what": "x", "since_s": 0, "expected_s": null}', "\x1b]0;x"]
)
def test_a_holder_that_says_nothing_of_use_is_another_user(folder: Path, text: str) -> None:
    path = folder / "iolab-bench.lock"
    path.write_text(text)
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match=re.escape("another benchmark is running (of another user)")), only_bench():
            pass


def test_who_waits_is_told_once_and_goes_on_when_the_lock_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "POLL_S", 0.01)
    said: list[str] = []
    went_on = threading.Event()

    def second() -> None:
        with only_bench("second", wait=said.append):
            went_on.set()

    with only_bench("first", None):
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(lambda: said)
        assert not went_on.is_set()
    thread.join(10)
    assert went_on.is_set()
    assert len(said) == 1
    assert "Waiting until another benchmark ends (first, pid" in said[0]
