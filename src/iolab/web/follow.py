"""Follows a run that is being measured: it reads how many trials have ended, and asks for the figure between trials."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.host import lock
from iolab.results import files
from iolab.results.files import PROGRESS, WATCHED
from iolab.web.events import encoded
from iolab.web.runs import begun_s, is_measured, number, standing_alone

EVERY_S = 1.0
MOST_LINES = 40  # of trials, the last ones


async def messages(path: Path) -> AsyncIterator[bytes]:
    """Yield the progress of a run, once a second where it changed, until it has ended."""
    told: dict[str, Any] | None = None
    while True:
        found = progress(path)
        if found != told:
            told = found
            yield encoded("progress", found)
        if found["status"] != "running":
            with suppress(OSError):
                (path / WATCHED).unlink()
            return
        watch(path)
        await asyncio.sleep(EVERY_S)


def watch(path: Path) -> None:
    """Ask the process that measures for the figure, which it then draws between two trials."""
    try:
        files.check_folder(path)
        (path / WATCHED).touch()
    except (OSError, UsageError):
        return  # the folder is gone, or of another user: there is no figure until the end


def progress(path: Path) -> dict[str, Any]:
    """Return the status of a run, its trials, the seconds that are left (a null is not known), lines and figure."""
    try:
        run = json.loads(files.read(path / "run.json"))
        status, planned = str(run["status"]), int(number(run["trials_planned"]) or 0)
        begun = str(run.get("resumed") or run["started"])
        began_s, name = begun_s(begun), str(run["experiment"]["name"])
        trials = files.read(path / "trials.jsonl").count(b"\n") if (path / "trials.jsonl").exists() else 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError):
        return {"status": "gone", "trials": 0, "planned": 0, "left_s": None, "lines": [], "figure": ""}
    if status == "running" and not is_measured(name, begun):
        status = "killed"
    drawn = _drawn(path) if status == "running" else {}
    return {
        "status": status,
        "trials": trials,
        "planned": planned,
        "left_s": _left_s(began_s, trials, planned) if status == "running" else None,
        "lines": [str(each)[:200] for each in drawn.get("lines", [])][-MOST_LINES:],
        "figure": standing_alone(str(drawn["figure"])) if drawn.get("figure") else "",
    }


def _left_s(began_s: float, trials: int, planned: int) -> float | None:
    """Return the seconds that are left: by the experiment's own theory, or by the trials that have ended."""
    holder = lock.holder()
    if holder and holder.expected_s is not None:
        return round(max(0.0, holder.since_s + holder.expected_s - time.time()))
    if not trials or planned <= trials:
        return None
    return round((time.time() - began_s) / trials * (planned - trials))


def _drawn(path: Path) -> dict[str, Any]:
    """Return what the measuring process last wrote."""
    try:
        found = json.loads(files.read(path / PROGRESS))
    except (OSError, ValueError, RecursionError, UsageError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("lines"), list) else {}
