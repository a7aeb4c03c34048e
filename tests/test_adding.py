"""What it takes to add something: a kind is a package, a TOML file and a line of the registry; an experiment a TOML file."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, copied_lab

KIND = '''
"""Adds up numbers: a kind of experiment that needs no server."""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from iolab.experiment import Experiment
from iolab.kind import Kind, Line, Measured, Report
from iolab.results.records import TrialRecord


class SumExperiment(Experiment):
    kind: Literal["sum"]
    numbers: tuple[int, ...]


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
        import json

        cells = [record.model_dump(mode="json", include={"index", "total"}) for record in folder.read_trials(SumRecord)]
        text = f"totals {[cell['total'] for cell in cells]}"
        return Report(json.dumps({"cells": cells}), lambda: text, lambda: text, lambda console, name: console.print(text))


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
    return copied_lab(tmp_path / "lab")


@pytest.fixture
def code_copy(lab_copy: Path) -> Path:
    """The lab with code of its own."""
    shutil.copytree(ROOT / "src", lab_copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return lab_copy


def iolab(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "RUNTIME": "local", "TMPDIR": str(folder.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "iolab", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kind_is_a_package_a_toml_file_and_a_line_of_the_registry(code_copy: Path) -> None:
    package = code_copy / "src" / "iolab" / "kinds" / "sum"
    package.mkdir()
    (package / "__init__.py").write_text('"""Sums."""\n')
    (package / "kind.py").write_text(KIND)
    (code_copy / "experiments" / "total.toml").write_text(EXPERIMENT)
    registry = package.parent / "registry.py"
    registry.write_text(registry.read_text().replace("KINDS = {\n", 'KINDS = {\n    "sum": Entry("run", "sum"),\n', 1))
    assert "totals [1, 3, 6]" in iolab(code_copy, "run", "experiments/total.toml")
    assert "totals [1, 3, 6]" in iolab(code_copy, "report")
    assert "steps.csv" in iolab(code_copy, "export")
    assert "total" in iolab(code_copy, "explain", "2")
    run = json.loads((code_copy / "results" / "latest" / "run.json").read_text())
    assert (run["kind"], run["status"], run["trials_planned"]) == ("sum", "complete", 3)


def test_an_experiment_is_a_toml_file(inside: Run, lab_copy: Path) -> None:
    bench = (lab_copy / "experiments" / "bench.toml").read_text()
    short = bench.replace('"bench"', '"short"').replace("[4, 16]", "[2]").replace("repeats = 3", "repeats = 1")
    short = short.replace('models = ["all"]', 'models = ["C"]').replace("requests = 200", "requests = 20")
    (lab_copy / "experiments" / "short.toml").write_text(short)
    done = inside("run", "experiments/short.toml", cwd=lab_copy, variables={"RUNTIME": "local"})
    assert done.returncode == 0, done.stderr
    assert "C asyncio" in done.stdout
