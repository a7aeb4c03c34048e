"""A student's folder, made of recorded logs and runs."""

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from iolab.learn import plan
from iolab.learn.course import Learning
from iolab.learn.journal import Journal
from iolab.learn.student import Student

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "data" / "strace"
BENCH = ROOT / "tests" / "data" / "runs" / "docker-bench"
BEGIN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HEY = """
Summary:
  Total:\t2.1000 secs
  Slowest:\t2.0500 secs
  Fastest:\t0.0203 secs
  Average:\t0.1600 secs
  Requests/sec:\t91.4286

Latency distribution:
  50%% in 0.1421 secs
  95%% in 1.0300 secs
  99%% in 2.0100 secs

Status code distribution:
  [200]\t192 responses
"""


class Clock:
    """A clock that goes on by a second each time it is read."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def checkout(folder: Path) -> Path:
    """Return a folder with the files of the course, and nothing else of the lab."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "labs", folder / "labs")
    return folder


def begun(folder: Path, student: str = "b10901001", clock: Clock | None = None) -> Learning:
    """Return the course of a student in a new folder."""
    root = checkout(folder)
    learning = Learning.begin(root, student)
    journal = Journal(learning.student.journal.path, clock or Clock())
    journal.path.unlink()
    journal.add("begin", student=student, term=learning.course.term)
    known = Student(learning.student.values, journal, learning.student.folder)
    return Learning(root, known, plan.read_plan(root), plan.read_course(root))


def put_log(root: Path, name: str) -> dict[str, Any]:
    """Let a recorded log be the student's; return what is true of it."""
    packed = LOGS / f"{name}.txt.gz"
    (root / "mylab" / "trace.log").write_bytes(gzip.decompress(packed.read_bytes()))
    truth: dict[str, Any] = json.loads((LOGS / f"{name}.json").read_text(encoding="utf-8"))
    return truth


def put_hey(root: Path) -> None:
    """Put the texts of hey into place."""
    for model in "ABC":
        for users in (4, 16):
            (root / "mylab" / f"hey-{model}-{users}.txt").write_text(HEY, encoding="utf-8")


def put_run(root: Path, *, started: datetime, name: str = "20261120T100000Z-bench", **experiment: Any) -> Path:
    """Put the recorded benchmark into place as a run with other settings."""
    folder = root / "results" / name
    shutil.copytree(BENCH, folder)
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for key, value in experiment.items():
        table = info["experiment"]
        *tables, last = key.split("__")
        for each in tables:
            table = table[each]
        table[last] = value
    info["started"] = started.isoformat()
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder
