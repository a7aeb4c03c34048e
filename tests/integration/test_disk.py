"""Results that cannot be written any more: one line, exit status 2, no unfinished file, and what was measured is kept."""

import errno
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from iolab.errors import explained
from iolab.results import files
from tests.conftest import RECORDED, ROOT, Run, Start
from tests.kinds.recordings import one_cell
from tests.shortened import CROWD, shortened
from tests.waiting import wait_until

LOG = ROOT / "tests" / "data" / "strace" / "a_classic_1click.txt.gz"
LOCAL = ("--runtime", "local")
BENCH = ("bench", *LOCAL, "--models", "C", "--concurrency", "16", "--requests", "2080", "--repeats", "3")
LONG = {  # each has several trials, and the first ends after some seconds
    "bench": ("bench", *LOCAL, "--models", "C", "--concurrency", "4", "--requests", "200", "--repeats", "40"),
    "queue": ("queue", *LOCAL, "--models", "A", "--utilisation", "0.3,0.4,0.5", "--duration", "3s", "--wait-ms", "10"),
    "crowd": ("crowd", *LOCAL, "--models", "C", "--users", "20,40,60,80"),
}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder on which a small disk is mounted: `small` runs a program in a namespace with it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def small(disk: Path, size: str, *, before: str = "true", after: str = "true") -> Sequence[str]:
    """Return what runs a program where a disk of `size` is mounted; what is on it at the end is copied beside it."""
    script = (
        f'mount -t tmpfs -o size={size} none {disk} && {before} && {{ "$@"; status=$?; {after};'
        f" cp -a {disk}/. {disk}-copy; exit $status; }}"
    )
    return ("unshare", "-m", "sh", "-c", script, "sh")


def fill(disk: Path) -> str:
    """Return what takes all the room that is left."""
    return f"dd if=/dev/zero of={disk}/fill bs=4k 2>/dev/null"


def filled_after_a_trial(disk: Path) -> dict[str, str]:
    """Return the options of `small` that fill the disk as soon as a trial is on it, however large its rows are."""
    waits = f"until test -s {disk}/results/2*/trials.jsonl; do sleep 0.05; done"
    return {"before": f"{{ {{ {waits}; {fill(disk)}; }} & true; }}", "after": "kill $! 2>/dev/null"}


def one_line(process: "subprocess.CompletedProcess[str]") -> str:
    assert process.returncode == 2, process.stderr
    assert process.stderr.startswith("iolab: ")
    assert process.stderr.count("\n") == 1, process.stderr
    return process.stderr


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name.startswith((files.UNFINISHED, ".latest"))]


@pytest.mark.load
@pytest.mark.needs("mounts")
@pytest.mark.parametrize(
    ("size", "kept"),
    [("8k", {0}), ("1m", {1, 2}), ("64k", {3})],
    ids=["full in the first trial", "full in a later trial", "full at the report"],
)
def test_a_full_disk_ends_a_bench(iolab: Run, inside: Run, disk: Path, size: str, kept: set[int]) -> None:
    later = filled_after_a_trial(disk) if kept == {1, 2} else {}
    done = iolab(*BENCH, variables={"RESULTS": str(disk / "results")}, before=small(disk, size, **later))
    said = one_line(done)
    assert "No space left on device: make room, or use another folder (RESULTS)" in said
    copy = disk.with_name("disk-copy")
    assert not unfinished(copy)
    (run,) = (path for path in (copy / "results").iterdir() if not path.is_symlink())
    lines = (run / "trials.jsonl").read_bytes().count(b"\n") if (run / "trials.jsonl").exists() else 0
    assert lines in kept
    if lines == 3:
        assert re.search(r"All trials are kept in (\S+); make report RUN=\1 writes the report", said)
    elif lines:
        assert re.search(rf"{lines} trials? (is|are) kept in (\S+); make bench RESUME=\2 measures the rest", said)
    else:
        assert "No trial is kept." in said
    if lines:  # what is kept can be read, and the run goes on elsewhere
        assert inside("report", str(run)).returncode == 0
    if 0 < lines < 3:
        again = inside(*BENCH[:3], "--resume", str(run))
        assert again.returncode == 0, again.stderr
        assert (run / "trials.jsonl").read_bytes().count(b"\n") == 3


@pytest.mark.load
@pytest.mark.needs("mounts")
@pytest.mark.parametrize("full", [True, False], ids=["full", "read-only"])
@pytest.mark.parametrize("command", ["report", "export", "trace", "bench", "queue", "crowd", "doctor"])
def test_a_full_or_read_only_disk_is_named_by_every_command(iolab: Run, disk: Path, command: str, full: bool) -> None:
    run = disk / "results" / "20260101T000000Z-bench"
    calls: dict[str, Sequence[str]] = {
        "report": ("report", str(run)),
        "export": ("export", str(run)),
        "trace": ("trace", str(LOG), "--html"),
        "doctor": ("doctor",),
        **LONG,
    }
    last = f"{fill(disk)}; true" if full else f"mount -o remount,ro {disk}"
    prepare = f"mkdir -p {run.parent} && cp -r {RECORDED} {run} && rm -f {run}/report.* && {{ {last}; }}"
    done = iolab(*calls[command], variables={"RESULTS": str(run.parent)}, before=small(disk, "1m", before=prepare))
    if command == "doctor":  # it writes nothing
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert ("No space left on device: " if full else "Read-only file system: ") in one_line(done)
    assert not unfinished(disk.with_name("disk-copy"))


@pytest.mark.load
@pytest.mark.parametrize("command", list(LONG))
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "deleted"])
def test_results_that_are_moved_or_deleted_end_the_run(
    start: Start, inside: Run, tmp_path: Path, command: str, moved: bool
) -> None:
    results = tmp_path / "results"
    shorter = ("--experiment", str(shortened("crowd", tmp_path, CROWD))) if command == "crowd" else ()
    process = start(*LONG[command], *shorter)
    wait_until(
        lambda: (
            process.poll() is not None
            or any(path.read_bytes().count(b"\n") for path in results.glob("2*/trials.jsonl"))
        ),
        limit_s=120,
    )
    assert process.poll() is None, process.communicate()
    if moved:
        results.rename(tmp_path / "elsewhere")
    else:
        shutil.rmtree(results)
    _, stderr = process.communicate(timeout=60)
    said = one_line(subprocess.CompletedProcess(process.args, process.returncode, "", stderr))
    assert "was moved or deleted during the run" in said
    assert not results.exists()
    if not moved:
        assert said.endswith(". No trial is kept.\n")
        return
    (run,) = (path for path in (tmp_path / "elsewhere").iterdir() if not path.is_symlink())
    assert not unfinished(run)
    lines = (run / "trials.jsonl").read_bytes().count(b"\n")
    assert re.search(rf"\d+ trials? (is|are) kept in \S*elsewhere/{run.name}; make {command} RESUME=", said)
    assert lines >= 1
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert "This run failed" in inside("report", str(run)).stdout


@pytest.mark.load
@pytest.mark.needs("linux")
@pytest.mark.parametrize("command", [*LONG, "trace"])
def test_twenty_open_files_are_too_few_for_a_run_and_one_line_says_so(iolab: Run, command: str) -> None:
    arguments = {"trace": ("trace", *LOCAL, "--click", "1"), **LONG}[command]
    done = iolab(*arguments, before=("sh", "-c", 'ulimit -n 20; exec "$@"', "sh"))
    said = one_line(done)
    assert "20 open files on this machine (hard limit)" in said
    assert "ulimit -n" in said
    assert "-1" not in said.replace("ulimit -n 1", "")


@pytest.mark.parametrize("command", [("report",), ("export",), ("doctor",), ("trace", str(LOG), "--html")], ids=str)
def test_commands_that_measure_nothing_work_with_twenty_open_files(
    iolab: Run, tmp_path: Path, command: Sequence[str]
) -> None:
    one_cell(tmp_path / "results" / "20260101T000000Z-bench")
    (tmp_path / "results" / "latest").symlink_to("20260101T000000Z-bench")
    done = iolab(*command, before=("sh", "-c", 'ulimit -n 20; exec "$@"', "sh"))
    assert done.returncode == 0, done.stderr
    assert ": -" not in done.stdout


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("command", ["report", "export", "trace"])
def test_no_error_of_the_disk_leaves_an_unfinished_file(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, number: int
) -> None:
    run = one_cell(tmp_path / "results" / "20260101T000000Z-bench")

    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    done = inside(command, *((str(LOG), "--html") if command == "trace" else (str(run),)))
    assert f"{os.strerror(number)}: " in one_line(done)
    name = {"report": "summary.json", "export": "requests.csv", "trace": "trace.html"}[command]
    assert f"/{name}: " in done.stderr
    assert not unfinished(tmp_path)


@pytest.mark.needs("linux")
@pytest.mark.parametrize("command", [("doctor",), ("report",)], ids=str)
def test_an_output_that_is_full_ends_in_one_line(tmp_path: Path, command: Sequence[str]) -> None:
    one_cell(tmp_path / "results" / "20260101T000000Z-bench")
    (tmp_path / "results" / "latest").symlink_to("20260101T000000Z-bench")
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [str(ROOT / ".venv" / "bin" / "iolab"), *command],
            cwd=ROOT,
            env={**os.environ, "RESULTS": str(tmp_path / "results")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "No space left on device" in one_line(process)


def test_a_missing_temporary_folder_is_explained() -> None:
    found = explained(FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"))
    assert found
    assert "TMPDIR" in found
    assert explained(FileNotFoundError(errno.ENOENT, "No such file or directory")) is None


def test_a_latest_that_is_a_folder_is_named_and_leaves_no_link(inside: Run, tmp_path: Path) -> None:
    (tmp_path / "results" / "latest" / "x").mkdir(parents=True)
    done = inside(*BENCH)
    assert "results/latest: Is a directory: it must be a link, or not be there" in one_line(done)
    assert not unfinished(tmp_path / "results")


def test_what_a_killed_process_was_writing_is_removed_when_the_run_goes_on(tmp_path: Path) -> None:
    (ended := subprocess.Popen(["true"])).wait()
    stale, current = (tmp_path / f"{files.UNFINISHED}{pid}-abc" for pid in (ended.pid, os.getpid()))
    for path in (stale, current):
        path.touch()
    files.sweep(tmp_path)
    assert not stale.exists()
    assert current.exists()
