"""What it takes to add something: a kind is a package, a TOML file and a line of the registry; an experiment a TOML file.

The kind's command, its options and what help and the reference say of both follow from these.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, copied_lab

KIND = '''
"""Adds up numbers: a kind of experiment that needs no server."""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from iolab.experiment import Experiment
from iolab.kind import Kind, Line, Measured, Report
from iolab.options import Option
from iolab.report import doubts, run_report
from iolab.report.document import Section, Sentences
from iolab.report.summary import summary
from iolab.results.records import TrialRecord


class SumExperiment(Experiment):
    kind: Literal["sum"]
    numbers: Annotated[tuple[int, ...], Option("Numbers to add.")]


class SumRecord(TrialRecord):
    total: int


class Step(NamedTuple):
    number: int


class Sum(Kind[SumExperiment, int, SumRecord]):
    name = "sum"
    settings = SumExperiment
    record = SumRecord
    rows = MappingProxyType({"steps": Step})
    key = ("index",)
    metrics = ("total",)

    def plan(self, experiment, models, history):
        while len(history.records) < len(experiment.numbers):
            yield len(history.records)

    def count(self, experiment, models):
        return len(experiment.numbers)

    def describe(self, trial):
        return f"number {trial}"

    def run(self, experiment, trial, bench):
        steps = experiment.numbers[: trial + 1]
        record = SumRecord(
            index=trial, total=sum(steps), started=datetime.now(UTC), duration_s=0.0, valid=True, reason=None
        )
        return Measured(record, {"steps": [Step(number) for number in steps]})

    def line(self, measured):
        return Line(f"total {measured.record.total}")

    def report(self, folder):
        run, records = folder.read_run(), folder.read_trials(SumRecord)
        cells = [record.model_dump(mode="json", include={"index", "total"}) for record in records]
        drawn = run_report.report(
            run,
            len(records),
            question=run.experiment["question"],
            answer=[Section("", [Sentences([f"totals {[cell['total'] for cell in cells]}"])], brief=True)],
            noun="number",
            findings=((f"number {record.index}", doubts.invalid(record)) for record in records),
            rows="a row for each number",
        )
        return Report(summary(run, cells), lambda: drawn)


KIND = Sum()
'''
EXPERIMENT = """schema = 2
kind = "sum"
name = "total"
question = "What is the sum?"
numbers = [1, 2, 3]
"""


@pytest.fixture
def lab_copy(tmp_path: Path) -> Path:
    folder = copied_lab(tmp_path / "lab")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "docs").mkdir()
    return folder


def iolab(folder: Path, *arguments: str) -> str:
    return python(folder, "-m", "iolab", *arguments)


def python(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "RUNTIME": "local", "TMPDIR": str(folder.parent)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kind_is_a_package_a_toml_file_and_a_line_of_the_registry(lab_copy: Path) -> None:
    package = lab_copy / "src" / "iolab" / "kinds" / "sum"
    package.mkdir()
    (package / "__init__.py").write_text('"""Sums."""\n')
    (package / "kind.py").write_text(KIND)
    (lab_copy / "experiments" / "total.toml").write_text(EXPERIMENT)
    registry = package.parent / "registry.py"
    entry = 'KINDS = {\n    "sum": Entry("sum", "sum", "total", "1 s", "Add up numbers"),\n'
    registry.write_text(registry.read_text().replace("KINDS = {\n", entry, 1))
    assert "totals [1, 3, 6]" in iolab(lab_copy, "run", "experiments/total.toml")
    assert "totals [1, 3, 6]" in iolab(lab_copy, "report")
    assert "<p>totals [1, 3, 6]</p>" in (lab_copy / "results" / "latest" / "report.html").read_text()
    assert "steps.csv" in iolab(lab_copy, "export")
    assert "total" in iolab(lab_copy, "explain", "2")
    run = json.loads((lab_copy / "results" / "latest" / "run.json").read_text())
    assert (run["kind"], run["status"], run["trials_planned"]) == ("sum", "complete", 3)
    assert "totals [1, 3, 6]" in iolab(lab_copy, "sum")
    assert "totals [4, 9]" in iolab(lab_copy, "sum", "--numbers", "4,5")
    assert re.search(r"--numbers INTEGER,... +Numbers to add\.  \[default: 1,2,3\]", iolab(lab_copy, "sum", "--help"))
    assert "sum         Add up numbers" in iolab(lab_copy, "--help")
    python(lab_copy, "-m", "iolab.reference")
    assert "| `--numbers` | `NUMBERS` | INTEGER,... |" in (lab_copy / "docs" / "reference.md").read_text()
    assert re.search(
        r"^  make sum +1 s  Add up numbers$", (lab_copy / "docs" / "make-help.txt").read_text(), re.MULTILINE
    )
    made = subprocess.run(
        ["make", "-n", "-o", ".venv/run", "sum"], cwd=lab_copy, capture_output=True, text=True, check=True
    )
    assert made.stdout.endswith("/iolab sum\n")


def test_an_experiment_is_a_toml_file(lab_copy: Path) -> None:
    bench = (lab_copy / "experiments" / "bench.toml").read_text()
    short = bench.replace('"bench"', '"short"').replace("[4, 16]", "[2]").replace("repeats = 3", "repeats = 1")
    short = short.replace('models = ["all"]', 'models = ["C"]').replace("requests = 200", "requests = 20")
    (lab_copy / "experiments" / "short.toml").write_text(short)
    assert "C asyncio" in iolab(lab_copy, "run", "experiments/short.toml")
