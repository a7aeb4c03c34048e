"""The addresses of the course; the helper process does what the commands learn, answer and hint do."""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from iolab.errors import UsageError
from iolab.host import lock
from iolab.learn import reading
from iolab.web import guard
from iolab.web.helper import Helper
from iolab.web.live.settings import LIVE_VIEW

MOST_RUNS = 400  # that are looked at, the newest ones


class Study:
    """What a student asks of the course in the lab in `root`."""

    def __init__(self, root: Path, helper: Helper) -> None:
        self._root, self._helper = root, helper

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses; looking records new evidence, so that it needs the page's token, too."""
        return [web.get("/api/learn/mark", self.mark), web.post("/api/learn/{action}", self.act)]

    async def mark(self, _: web.Request) -> web.Response:
        """Answer with a mark of all evidence, which changes with it; None while something is measured."""
        holder = lock.holder()
        measures = holder is not None and holder.what != LIVE_VIEW
        found = None if measures else await asyncio.to_thread(mark_of, self._root)
        return web.json_response({"mark": found})

    async def act(self, request: web.Request) -> web.Response:
        """Look, begin, answer, or take a hint, and answer with where the student is."""
        action = request.match_info["action"]
        if action not in ("look", "begin", "answer", "hint"):
            raise UsageError("there is no such action")
        given = await guard.given(request)
        mark = await asyncio.to_thread(mark_of, self._root)
        return web.json_response(
            await self._helper.ask(
                "lesson",
                action=action,
                wanted=text_of(given, "language"),
                name=text_of(given, "step"),
                student=text_of(given, "student"),
                values=numbers_of(given),
                text=text_of(given, "text"),
                mark=mark,
            )
        )


def mark_of(root: Path) -> str:
    """Return a mark of the files that a course reads, made of their names, times and sizes: none of them is read."""
    lines = [f"{path} {found.st_mtime_ns} {found.st_size}" for path, found in _files(root)]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    results = root / "results"
    runs = sorted((name for name in _names(results) if name[:1].isdigit()), reverse=True)[:MOST_RUNS]
    for folder in (root / "mylab", root / "labs", results / "contract", *(results / run for run in runs)):
        for name in sorted(_names(folder)):
            try:
                yield f"{folder.name}/{name}", (folder / name).lstat()
            except OSError:
                continue  # it has just been removed


def _names(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []


def text_of(given: Mapping[str, Any], name: str) -> str:
    """Return a text of a request, "" where there is none; raises UsageError for anything else."""
    found = given.get(name, "")
    if not isinstance(found, str):
        raise UsageError(f"{name}: must be a text")
    return found


def numbers_of(given: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of a request; raises UsageError for what is no number."""
    found = given.get("values", {})
    if not isinstance(found, dict):
        raise UsageError("values: must be an object")
    for name, value in found.items():
        if not reading.is_reading(value):
            raise UsageError(f"{name[:40]}: {reading.MUST}")
    return found
