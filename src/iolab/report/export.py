"""A run folder as flat tables, for people with their own notebooks: one row a request, a trial, a cell."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from iolab.errors import UsageError
from iolab.kinds.closed.cells import Analysis, analyse
from iolab.results.folder import RunFolder
from iolab.results.records import ClosedRecord, Record, Sample

Format = Literal["csv", "parquet"]
Row = Mapping[str, Any]


def export(folder: RunFolder, kind: Format, target: Path) -> list[Path]:
    """Write requests, trials and cells as files of `target`, and return their paths.

    `requests` has one row a request, with its trial's model, concurrency and CPUs beside it, so that it needs no join.
    Raises UsageError where Parquet is asked for and pyarrow is not installed, or `target` cannot be a folder.
    """
    writer = _write_csv if kind == "csv" else _write_parquet
    analysis = analyse(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"--to {target} is a file: name a folder") from error
    tables = {"requests": list(_requests(folder)), "trials": list(_trials(folder)), "cells": list(_cells(analysis))}
    paths = []
    for name, rows in tables.items():
        path = target / f"{name}.{kind}"
        partly = path.with_suffix(".part")
        writer(rows, partly)
        partly.replace(path)
        paths.append(path)
    return paths


def _requests(folder: RunFolder) -> Iterable[Row]:
    for trial in folder.read_trials(ClosedRecord):
        for sample in folder.read_rows(trial.rows, "requests", Sample):
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
    for trial in folder.read_trials(ClosedRecord):
        row = trial.model_dump(mode="json", exclude={"server", "client", "machine", "rows"})
        yield row | _prefixed(server=trial.server, client=trial.client, machine=trial.machine)


def _cells(analysis: Analysis) -> Iterable[Row]:
    for analysed in analysis.cells:
        row = analysed.cell.model_dump(mode="json", exclude={"server", "client", "findings", "median_ci_ms"})
        low, high = analysed.cell.median_ci_ms or (None, None)
        yield row | {
            "median_low_ms": low,
            "median_high_ms": high,
            "findings": " ".join(finding.id for finding in analysed.cell.findings),
            **_prefixed(server=analysed.cell.server, client=analysed.cell.client),
        }


def _prefixed(**records: Record) -> dict[str, Any]:
    """Return the values of records side by side: server_cpu_s, client_cpu_s."""
    return {f"{who}_{name}": value for who, record in records.items() for name, value in record.model_dump().items()}


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
