"""Flat tables of a run, and the notebook that reads them."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from iolab.kinds.closed.records import ClosedRecord
from iolab.results.folder import RunFolder
from tests.conftest import ROOT, Run, Shared

pytestmark = pytest.mark.usefixtures("undrawn")

EXAMPLE = ROOT / "tests" / "data" / "runs" / "docker-bench"


@pytest.fixture(scope="module")
def tables(shared: Shared) -> Path:
    """The tables, as the tests share them."""
    folder = shared.results / "export"
    _, stderr = (process := shared.start("export", str(EXAMPLE), "--to", str(folder))).communicate(timeout=60)
    assert process.returncode == 0, stderr
    return folder


@pytest.fixture
def exported(tables: Path, tmp_path: Path) -> Path:
    """A copy, for one test to change."""
    return shutil.copytree(tables, tmp_path / "results" / "latest" / "export")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_request_trial_and_cell_is_a_row(exported: Path) -> None:
    folder = RunFolder.open(EXAMPLE)
    trials = folder.read_trials(ClosedRecord)
    assert len(rows(exported / "requests.csv")) == sum(trial.sent for trial in trials)
    assert [row["index"] for row in rows(exported / "trials.csv")] == [str(trial.index) for trial in trials]
    cells = rows(exported / "cells.csv")
    assert len(cells) == 8
    assert next(cell for cell in cells if "listen" in cell["findings"])["findings"].split()[:2] == [
        "listen_overflow",
        "littles_law",
    ]


@pytest.mark.load
def test_parquet_holds_the_same(inside: Run, exported: Path, tmp_path: Path) -> None:
    import pandas as pd  # noqa: PLC0415 (a second)

    assert inside("export", str(EXAMPLE), "--parquet", "--to", str(tmp_path / "parquet")).returncode == 0
    for name in ("requests", "trials", "cells"):
        left, right = pd.read_csv(exported / f"{name}.csv"), pd.read_parquet(tmp_path / "parquet" / f"{name}.parquet")
        assert list(left.columns) == list(right.columns)
        assert len(left) == len(right)
    assert right.median_ms.sum() == pytest.approx(left.median_ms.sum())


def notebook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the notebook in `folder`, and return what it made."""
    monkeypatch.chdir(folder)
    mpl.use("Agg")
    document = json.loads((ROOT / "notebooks" / "explore.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in document["cells"]:
        assert not cell.get("outputs")  # what it shows is of the reader's run
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


@pytest.mark.load
def test_the_notebook_runs(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert notebook(exported.parents[2], monkeypatch)["medians"].shape == (8, 3)


@pytest.mark.load
def test_the_notebook_keeps_settings_apart(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog's or a sweep's cells differ in their variant, and must not be taken for one."""
    for path in (exported / "requests.csv", exported / "cells.csv"):
        header, *others = path.read_text().splitlines()
        at = header.split(",").index("variant")
        changed = [line.split(",") for line in others]
        for number, row in enumerate(changed):
            row[at] = f"backlog {5 if number % 2 else 128}"
        path.write_text("\n".join([header, *(",".join(row) for row in changed)]) + "\n")
    assert notebook(exported.parents[2], monkeypatch)["medians"].shape == (16, 3)


def test_tables_are_flat_and_tell_what_the_load_generator_and_the_machine_did(exported: Path) -> None:
    for name in ("trials", "cells"):
        (first, *_) = rows(exported / f"{name}.csv")
        assert not [value for value in first.values() if value.startswith("{")]
        assert float(first["client_cpu_s"]) > 0
    assert float(rows(exported / "trials.csv")[0]["machine_busy_s"]) > 0


def test_a_file_is_no_folder_to_export_to(inside: Run, exported: Path) -> None:
    done = inside("export", str(EXAMPLE), "--to", str(exported / "cells.csv"))
    assert done.returncode == 2
    assert "cells.csv is a file: name a folder" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_newest_run_is_that_of_the_results_that_are_named(inside: Run, tmp_path: Path) -> None:
    """RESULTS says where a benchmark's run goes: what reads the newest run looks there too."""
    shutil.copytree(EXAMPLE, tmp_path / "results" / "some-run")
    (tmp_path / "results" / "latest").symlink_to("some-run")
    for command in (("report",), ("export",), ("explain", "C16")):
        done = inside(*command)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "some-run" / "report.html").exists()
    assert (tmp_path / "results" / "some-run" / "export" / "cells.csv").exists()


def test_an_export_writes_through_no_link(inside: Run, tmp_path: Path) -> None:
    run = shutil.copytree(EXAMPLE, tmp_path / "run")
    mine = tmp_path / "bashrc"
    mine.write_text("mine")
    (run / "export").mkdir()
    for name in ("trials.part", "trials.csv"):
        (run / "export" / name).symlink_to(mine)
    assert inside("export", str(run)).returncode == 0
    assert mine.read_text() == "mine"
    assert not (run / "export" / "trials.csv").is_symlink()
    shutil.rmtree(run / "export")
    (tmp_path / "elsewhere").mkdir()
    (run / "export").symlink_to(tmp_path / "elsewhere")
    refused = inside("export", str(run))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "export is a link, not a folder" in refused.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_page_is_written_through_no_link(inside: Run, tmp_path: Path) -> None:
    run = shutil.copytree(EXAMPLE, tmp_path / "run")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("report.html", "report.md", "summary.json"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(mine)
    assert inside("report", str(run)).returncode == 0
    assert mine.read_text() == "mine"


def test_no_cell_of_a_table_is_a_formula(inside: Run, tmp_path: Path) -> None:
    run = shutil.copytree(EXAMPLE, tmp_path / "run")
    lines = (run / "trials.jsonl").read_text().splitlines()
    reasons = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "plain"]
    changed = [
        {**json.loads(line), "valid": False, "reason": reason} for line, reason in zip(lines, reasons, strict=False)
    ]
    rest = lines[len(reasons) :]
    (run / "trials.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in changed) + "\n".join(rest) + "\n")
    assert inside("export", str(run)).returncode == 0
    found = [row["reason"] for row in rows(run / "export" / "trials.csv")[: len(reasons)]]
    assert found == ["'=1+1", "'+1", "'-1+1", "'@SUM(A1)", "'\t=1", "plain"]
