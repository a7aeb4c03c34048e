"""Writes summary.json, in the same form for every kind of experiment."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from iolab.report.document import Document
from iolab.results.records import RunInfo


def summary(run: RunInfo, cells: Sequence[Mapping[str, Any]], **facts: Any) -> str:
    """Return summary.json: what the run was, `facts` of its kind, and one object a cell."""
    head = {
        "schema": 2,
        "kind": run.kind,
        "experiment": run.experiment["name"],
        "started": run.started.isoformat(timespec="seconds"),
        "runtime": run.runtime,
        "status": run.status,
        "quick": run.quick,
    }
    return _text({**head, **facts, "cells": cells})


def answered(summary: str, document: Document) -> str:
    """Return summary.json with the question of its report, the verdict and the trust in its head."""
    content = json.loads(summary)
    cells = content.pop("cells")
    answer = {"question": document.question, "verdict": document.verdict, "trust": document.trust._asdict()}
    return _text({**content, **answer, "cells": cells})


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a number as summary.json has it."""
    return None if value is None else round(value, digits)


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
