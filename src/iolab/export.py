"""A run folder as flat tables, for people with their own notebooks: one row a request, a trial, a cell."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from iolab.analysis import analyse
from iolab.errors import UsageError
from iolab.runfolder import RunFolder

Format = Literal["csv", "parquet"]
Row = Mapping[str, Any]


def export(folder: RunFolder, kind: Format, target: Path) -> list[Path]:
    """Write requests, trials and cells as files of `target`, and return their paths.

    `requests` has one row a request, with its trial's model, concurrency and CPUs beside it, so that it needs no join.
    Raises UsageError where Parquet is asked for and pyarrow is not installed.
    """
    writer = _write_csv if kind == "csv" else _write_parquet
    target.mkdir(parents=True, exist_ok=True)
    tables = {"requests": list(_requests(folder)), "trials": list(_trials(folder)), "cells": list(_cells(folder))}
    paths = []
    for name, rows in tables.items():
        path = target / f"{name}.{kind}"
        partly = path.with_suffix(".part")
        writer(rows, partly)
        partly.replace(path)
        paths.append(path)
    return paths


def _requests(folder: RunFolder) -> Iterable[Row]:
    for trial in folder.read_trials():
        for sample in folder.read_samples(trial.samples) if trial.samples else ():
            yield {
                "trial": trial.index,
                "repeat": trial.repeat,
                "model": trial.model,
                "service": trial.service,
                "concurrency": trial.concurrency,
                "cpus": trial.cpus,
                "variant": trial.variant,
                "valid": trial.valid,
                **sample._asdict(),
            }


def _trials(folder: RunFolder) -> Iterable[Row]:
    for trial in folder.read_trials():
        row = trial.model_dump(mode="json", exclude={"server", "client", "samples"})
        yield (
            row
            | {f"server_{name}": value for name, value in trial.server.model_dump().items()}
            | {f"client_{name}": value for name, value in trial.client.model_dump().items()}
        )


def _cells(folder: RunFolder) -> Iterable[Row]:
    for analysed in analyse(folder).cells:
        row = analysed.cell.model_dump(mode="json", exclude={"server", "client", "findings", "median_ci_ms"})
        low, high = analysed.cell.median_ci_ms or (None, None)
        yield row | {
            "median_low_ms": low,
            "median_high_ms": high,
            "findings": " ".join(finding.id for finding in analysed.cell.findings),
            **{f"server_{name}": value for name, value in analysed.cell.server.model_dump().items()},
        }


def _write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(rows: Sequence[Row], path: Path) -> None:
    try:
        import pyarrow  # noqa: PLC0415 (optional: 45 MB)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise UsageError("Parquet needs pyarrow: .venv/bin/pip install pyarrow; or take --csv") from None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
