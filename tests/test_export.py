"""Flat tables of a run, and the notebook that reads them."""

import csv
import json
from pathlib import Path

import matplotlib as mpl
import pytest

from iolab.runfolder import RunFolder
from tests.conftest import ROOT, Run

EXAMPLE = ROOT / "tests" / "data" / "runs" / "docker-bench"


@pytest.fixture
def exported(iolab: Run, tmp_path: Path) -> Path:
    done = iolab("export", str(EXAMPLE), "--to", str(tmp_path / "results" / "latest" / "export"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "results" / "latest" / "export"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_request_trial_and_cell_is_a_row(exported: Path) -> None:
    folder = RunFolder.open(EXAMPLE)
    trials = folder.read_trials()
    assert len(rows(exported / "requests.csv")) == sum(trial.sent for trial in trials)
    assert [row["index"] for row in rows(exported / "trials.csv")] == [str(trial.index) for trial in trials]
    cells = rows(exported / "cells.csv")
    assert len(cells) == 8
    assert next(cell for cell in cells if cell["findings"])["findings"].split()[:2] == [
        "listen_overflow",
        "littles_law",
    ]


def test_parquet_holds_the_same(iolab: Run, exported: Path, tmp_path: Path) -> None:
    import pandas as pd  # noqa: PLC0415 (a second)

    assert iolab("export", str(EXAMPLE), "--parquet", "--to", str(tmp_path / "parquet")).returncode == 0
    for name in ("requests", "trials", "cells"):
        left, right = pd.read_csv(exported / f"{name}.csv"), pd.read_parquet(tmp_path / "parquet" / f"{name}.parquet")
        assert list(left.columns) == list(right.columns)
        assert len(left) == len(right)
    assert right.median_ms.sum() == pytest.approx(left.median_ms.sum())


def test_the_notebook_runs(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported.parents[2])
    mpl.use("Agg")
    notebook = json.loads((ROOT / "notebooks" / "explore.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        assert not cell.get("outputs")  # what it shows is of the reader's run
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["medians"].shape == (8, 3)  # type: ignore[attr-defined]
