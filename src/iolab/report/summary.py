"""Writes summary.json, in the same form for every kind of experiment."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from iolab.results.records import RunInfo


def summary(run: RunInfo, cells: Sequence[Mapping[str, Any]], **facts: Any) -> str:
    """Return summary.json: the run, `facts` of its kind, and one object for each cell."""
    head = {"schema": 2, "kind": run.kind, "experiment": run.experiment["name"]}
    content = {**head, "runtime": run.runtime, "status": run.status, **facts, "cells": cells}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a number as summary.json has it."""
    return None if value is None else round(value, digits)
