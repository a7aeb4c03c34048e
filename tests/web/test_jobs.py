"""Experiments that the page starts, and the record of the page's own process."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from iolab.errors import UsageError
from iolab.web import record
from iolab.web.events import Audience
from iolab.web.jobs import Job, Jobs
from tests.conftest import Run
from tests.waiting import happens, wait_until

WAITS = (
    "import sys, signal, time; print('begun', flush=True); signal.signal(2, lambda *_: sys.exit(130)); time.sleep(60)"
)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    (tmp_path / "iolab").mkdir()
    (tmp_path / "iolab" / "__init__.py").write_text("")
    monkeypatch.setenv("RESUME", "elsewhere")
    return Jobs(tmp_path, Audience())


def as_module(folder: Path, code: str) -> None:
    (folder / "iolab" / "__main__.py").write_text(code)


def test_a_job_has_its_variables_and_is_interrupted_as_by_ctrl_c(jobs: Jobs, tmp_path: Path) -> None:
    as_module(tmp_path, f"import os\nprint(os.environ['CPUS'], os.environ.get('RESUME'), flush=True)\n{WAITS}")

    async def look() -> None:
        jobs.start(Job("bench", {"CPUS": "2", "EXPERIMENT": "a b.toml"}))
        state = jobs.state()
        assert state
        assert state["line"] == "make bench CPUS=2 EXPERIMENT='a b.toml'"
        await happens(lambda: "begun" in (jobs.state() or {})["output"])
        assert (jobs.state() or {})["output"].startswith("2 None")
        with pytest.raises(UsageError, match="wait until it has ended"):
            jobs.start(Job("bench", {}))
        await jobs.stop()
        await happens(lambda: not jobs.running)
        assert (jobs.state() or {})["status"] == 130
        await jobs.close()

    asyncio.run(look())


def test_what_runs_is_what_the_page_shows(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own environment has no part in it: neither options, nor what make was called with."""
    for name in ("CPUS", "REPEATS", "RUNTIME", "MAKEFLAGS", "OTHER"):
        monkeypatch.setenv(name, "theirs")
    code = "import os\nprint(*(os.environ.get(name) for name in ('CPUS', 'REPEATS', 'RUNTIME', 'MAKEFLAGS', 'OTHER')))"
    as_module(tmp_path, code)

    async def look() -> None:
        jobs.start(Job("bench", {"CPUS": "2"}, frozenset({"CPUS", "REPEATS"})))
        await happens(lambda: not jobs.running)
        assert (jobs.state() or {})["output"] == "2 None None None theirs"
        await jobs.close()

    asyncio.run(look())


def test_closing_ends_a_job_that_does_not_listen(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_module(tmp_path, "import signal, time; signal.signal(2, signal.SIG_IGN); print('x', flush=True); time.sleep(60)")
    monkeypatch.setattr("iolab.web.jobs.PATIENCE_S", 0.2)

    async def look() -> None:
        jobs.start(Job("bench", {}))
        await happens(lambda: "x" in (jobs.state() or {})["output"])
        await jobs.close()
        assert not jobs.running

    asyncio.run(look())


def test_the_record_tells_the_process_that_serves_and_no_other(tmp_path: Path) -> None:
    assert record.serving(tmp_path) is None
    record.write(tmp_path, "http://localhost:1")
    found = record.serving(tmp_path)
    assert found
    assert (found.pid, found.url) == (os.getpid(), "http://localhost:1")
    (tmp_path / "other").mkdir()
    assert record.serving(tmp_path / "other") is None
    stale = {"pid": os.getpid(), "since_s": psutil.Process().create_time() - 100, "url": "x"}
    for content in (json.dumps(stale), "{", "[]", json.dumps({**stale, "pid": 2**40}), json.dumps({"pid": 1})):
        record.path(tmp_path).write_text(content)
        assert record.serving(tmp_path) is None
    record.remove(tmp_path)
    record.path(tmp_path).unlink()


def test_the_page_of_a_folder_is_ended_by_its_own_id(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from iolab.web import record;"
        " record.write(Path(sys.argv[1]), 'x'); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    wait_until(lambda: record.serving(tmp_path))
    assert record.end(tmp_path)
    process.wait(5)
    assert not record.path(tmp_path).exists()
    assert not record.end(tmp_path)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-5", " ", "8078.5", "٨٠٧٨", "9" * 5000])
def test_a_port_that_is_none_is_refused_in_a_line(inside: Run, port: str) -> None:
    done = inside("lab", variables={"LAB_PORT": port})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "LAB_PORT=" in done.stderr
    assert "must be a number from 1 to 65535" in done.stderr


def test_results_that_are_no_folder_are_refused(inside: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = inside("lab", variables={"RESULTS": str(tmp_path / "file")})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not a folder" in done.stderr
