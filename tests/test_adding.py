"""What it takes to add a kind, an experiment, a model; each in a copy of the lab.

A kind is a package, a TOML file and a line of the registry; its command, its options and what help and the reference
say of both follow. An experiment is a TOML file. A model is a folder and a Compose block.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from iolab.lab import Lab
from iolab.live import standing
from tests.conftest import ROOT, Run, copied_lab, lab_with_a_fifth_model, port_variables

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
        return Report(cells, lambda: drawn)


KIND = Sum()
'''
EXPERIMENT = """schema = 2
kind = "sum"
name = "total"
question = "What is the sum?"
numbers = [1, 2, 3]
"""


SERVER = """
import http.server, os, signal, time

class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/healthz":
            time.sleep(float(os.environ["WAIT_MS"]) / 1000)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words):
        pass

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answers).serve_forever()
"""


@pytest.fixture
def lab_copy(tmp_path: Path) -> Path:
    return with_source(copied_lab(tmp_path / "lab"))


def with_source(folder: Path) -> Path:
    for name in ("src", "deploy", "docs"):  # bytecode too: Python compiles again what a test changes, and nothing else
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def iolab(folder: Path, *arguments: str, program: str = "iolab") -> str:
    return python(folder, "-m", program, *arguments)


def python(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "RUNTIME": "local", "TMPDIR": str(folder.parent)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, **port_variables()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.load
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
        ["make", "--no-print-directory", "-n", "-o", ".venv/run", "sum"],
        cwd=lab_copy,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.endswith("/iolab sum\n")


def test_an_experiment_is_a_toml_file(inside: Run, lab_copy: Path) -> None:
    bench = (lab_copy / "experiments" / "bench.toml").read_text()
    short = bench.replace('"bench"', '"short"').replace("[4, 16]", "[2]").replace("repeats = 3", "repeats = 1")
    short = short.replace('models = ["main"]', 'models = ["C"]').replace("requests = 200", "requests = 20")
    (lab_copy / "experiments" / "short.toml").write_text(short)
    done = inside("run", "experiments/short.toml", cwd=lab_copy, variables={"RUNTIME": "local"})
    assert done.returncode == 0, done.stderr
    assert "C asyncio" in done.stdout


@pytest.mark.load
def test_a_model_is_a_folder_and_a_block_of_the_compose_file(tmp_path: Path) -> None:
    """What else names it is made of the block: by the command line at once, in files by `make manifests`."""
    folder = with_source(lab_with_a_fifth_model(tmp_path / "lab", SERVER))
    shown = iolab(folder, "bench", "--models", "Z", "--concurrency", "2", "--requests", "20", "--repeats", "1")
    assert "Z fifth" in shown
    assert re.search(r"port \d+ for fifth is free", iolab(folder, "doctor"))
    lab = Lab.read_defaults(folder)
    assert ("http://localhost:8091", "Server Z: Fifth") in standing.pages(lab)
    target = "ZFifth=http://fifth:8091"
    assert target in standing.targets(lab, lambda model: f"{model.name}:{model.port.container}").split()
    iolab(folder, program="iolab.manifests")
    deploy = folder / "deploy"
    stack = yaml.safe_load((deploy / "swarm.yml").read_text())["services"]
    assert stack["fifth"]["command"] == ["python3", "server.py"]
    assert target in stack["locust-worker"]["environment"]["TARGETS"].split()
    service, deployment = yaml.safe_load_all((deploy / "kubernetes" / "fifth.yaml").read_text())
    assert (service["kind"], service["spec"]["ports"][0]["port"]) == ("Service", 8091)
    assert deployment["metadata"]["labels"]["iolab.model"] == "Z"
    assert "fifth.yaml" in yaml.safe_load((deploy / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    iolab(folder, program="iolab.reference")
    assert "| 8091 | `FIFTH_PORT` | fifth | Fifth |" in (folder / "docs" / "reference.md").read_text()
