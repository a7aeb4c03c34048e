"""Exports a run folder as flat tables, for notebooks: one row for each cell, for each trial, and for each sample."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from iolab.errors import UsageError
from iolab.results import files
from iolab.results.folder import RunFolder
from iolab.results.records import TrialRecord

Format = Literal["csv", "parquet"]
Row = Mapping[str, Any]
RowType = type[Any]


class Source(NamedTuple):
    """The data of a run to export: trials, the types of their records and of their rows, and one object for each cell.

    `key` are the columns that identify a cell, and `key_of` returns those of a trial, which are added to each of its
    rows, so that no join is needed.
    """

    trials: Sequence[TrialRecord]
    record: type[TrialRecord]
    rows: Mapping[str, RowType]
    cells: Sequence[Row]
    key: Sequence[str]
    key_of: Callable[[Any], Row]


def export(folder: RunFolder, source: Source, form: Format, target: Path) -> list[Path]:
    """Write cells, trials and each kind of rows as files of `target`, and return their paths.

    Raises UsageError if Parquet is wanted and pyarrow is not installed, or `target` cannot be a folder.
    """
    packed = _csv if form == "csv" else _parquet
    try:
        target.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{target} is a file: name a folder with --to") from error
    files.check_folder(target)
    beside = ("trial", "repeat", *source.key, "valid")
    tables: dict[str, tuple[Sequence[str], list[Row]]] = {
        kind: ((*beside, *row._fields), list(_rows(folder, source, kind, row))) for kind, row in source.rows.items()
    }
    tables |= {
        "trials": (
            list(_columns(source.record)),
            [dict(_flat(trial.model_dump(mode="json", exclude={"rows"}))) for trial in source.trials],
        ),
        "cells": (source.key, [dict(_flat(cell)) for cell in source.cells]),
    }
    paths = []
    for name, (columns, rows) in tables.items():
        path = target / f"{name}.{form}"
        names = list(dict.fromkeys(name for row in rows for name in row)) or columns
        files.write(path, packed(names, [{name: row.get(name) for name in names} for row in rows]))
        paths.append(path)
    return paths


def _rows(folder: RunFolder, source: Source, kind: str, row: RowType) -> Iterable[Row]:
    for trial in source.trials:
        beside = {"trial": trial.index, "repeat": trial.repeat, **source.key_of(trial)}
        for one in folder.read_rows(trial.rows, kind, row):
            yield {**beside, "valid": trial.valid, **one._asdict()}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    """Yield flat values: those of a table with its name as prefix, both ends of an interval, the ids of findings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}_")
        elif name == "findings":
            yield f"{before}{name}", " ".join(finding["id"] for finding in value)
        elif "_ci_" in name:
            low, high = value or (None, None)
            yield f"{before}{name.replace('_ci_', '_low_')}", low
            yield f"{before}{name.replace('_ci_', '_high_')}", high
        elif isinstance(value, list):
            yield f"{before}{name}", json.dumps(value)
        else:
            yield f"{before}{name}", value


def _columns(record: type[BaseModel], before: str = "") -> Iterable[str]:
    """Yield the columns of a record's type, those of a table with its name as prefix."""
    for name, field in record.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _columns(field.annotation, f"{before}{name}_")
        elif name != "rows":
            yield f"{before}{name}"


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _no_formula(value: object) -> object:
    """Return text that a spreadsheet would compute, such as =1+1, with an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _parquet(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    try:
        import pyarrow  # noqa: PLC0415 (optional: 45 MB)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise UsageError("Parquet needs pyarrow: .venv/bin/pip install pyarrow; or use --csv") from None
    packed = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({name: [row[name] for row in rows] for name in columns}), packed)
    return packed.getvalue()
