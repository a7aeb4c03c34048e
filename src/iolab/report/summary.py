"""Writes summary.json, in the same form for every kind of experiment."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from iolab.report import run_report
from iolab.report.document import Document
from iolab.results.run_info import RunInfo


def summary(run: RunInfo, document: Document, cells: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return summary.json: the run, `facts` of its kind, the answer of its report, and one object for each cell."""
    content = {
        "schema": 2,
        "kind": run.kind,
        "experiment": run.experiment["name"],
        "started": run.started.isoformat(timespec="seconds"),
        "runtime": run.runtime,
        "status": run.status,
        "quick": run.quick,
        "seed": run_report.seed(run),
        "environment": run.environment,
        **facts,
        "question": document.question,
        "verdict": document.verdict,
        "lacks": document.lacks,
        "trust": document.trust._asdict(),
        "cells": cells,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a number as summary.json has it."""
    return None if value is None else round(value, digits)
