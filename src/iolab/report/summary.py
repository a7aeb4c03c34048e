"""What reports of every kind have in common: summary.json, and what a run lacks."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from iolab.results.records import RunInfo, TrialRecord

R = TypeVar("R", bound=TrialRecord)


def summary(run: RunInfo, cells: Sequence[Mapping[str, Any]], **facts: Any) -> str:
    """Return summary.json: what the run was, `facts` of its kind, and one object a cell."""
    head = {"schema": 2, "kind": run.kind, "experiment": run.experiment["name"]}
    content = {**head, "runtime": run.runtime, "status": run.status, **facts, "cells": cells}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def shortcomings(run: RunInfo, records: Sequence[R], name: Callable[[R], str]) -> list[str]:
    """Say what a run lacks: trials that were not measured, and those that are not valid; nothing of a whole one."""
    missing, measured = run.trials_planned - len(records), f"{len(records)} of {run.trials_planned} trials"
    texts = []
    if run.status == "running":
        texts.append(f"This run is not finished: {measured} are here so far.")
    elif missing > 0:
        why = {"partial": "it was interrupted", "failed": "it failed"}.get(run.status, "trials.jsonl lacks lines")
        texts.append(f"This run is not whole: {why}, and {measured} are here.")
    texts += [f"{name(record)} is not valid: {record.reason}." for record in records if not record.valid]
    return texts


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a number as summary.json says it."""
    return None if value is None else round(value, digits)
