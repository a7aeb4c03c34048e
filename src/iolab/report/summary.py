"""summary.json, as every kind of experiment writes it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from iolab.results.records import RunInfo


def summary(run: RunInfo, cells: Sequence[Mapping[str, Any]], **facts: Any) -> str:
    """Return summary.json: what the run was, `facts` of its kind, and one object a cell."""
    head = {"schema": 2, "kind": run.kind, "experiment": run.experiment["name"]}
    content = {**head, "runtime": run.runtime, "status": run.status, **facts, "cells": cells}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a number as summary.json says it."""
    return None if value is None else round(value, digits)
