"""The addresses of runs, traces and documents: what they bring is sandboxed, because it may come from other users."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from iolab.web import follow, guard
from iolab.web.helper import Helper
from iolab.web.runs import Runs

TYPES = {".html": "text/html", ".md": "text/plain", ".json": "application/json", ".jsonl": "text/plain",
         ".csv": "text/plain", ".gz": "application/gzip"}  # fmt: skip

NO_FIGURE = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>'


class Shelf:
    """What can be read of the lab in `root`, whose runs are in `results`."""

    def __init__(self, root: Path, results: Path, helper: Helper) -> None:
        self._root, self._results, self._helper = root, results, helper
        self._runs = Runs(results)

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.get("/api/runs", self.entries),
            web.get("/api/runs/{run}/events", self.events),
            web.get("/api/runs/{run}/files", self.files),
            web.get("/runs/{run}/figure.svg", self.figure),
            web.get("/runs/{run}/{name:.+}", self.file),
            web.get("/trace/{name}", self.trace),
            web.get("/docs/{name}", self.document),
            web.get("/compare", self.compare),
        ]

    def traces(self) -> list[str]:
        """Return the names of the pages of traces."""
        folder = self._results / "trace"
        return sorted(each.name for each in folder.glob("*.html") if not each.is_symlink()) if folder.is_dir() else []

    async def entries(self, _: web.Request) -> web.Response:
        """Answer with the list of all runs."""
        return web.json_response(await asyncio.to_thread(self._runs.entries))

    async def files(self, request: web.Request) -> web.Response:
        """Answer with the files of raw rows of a run, and their sizes in bytes."""
        return web.json_response(await asyncio.to_thread(self._runs.rows, request.match_info["run"]))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Answer with the progress of a run, until it has ended."""
        path = self._runs.file(request.match_info["run"], "run.json").parent
        return await stream(request, follow.messages(path))

    async def figure(self, request: web.Request) -> web.Response:
        """Answer with the headline figure of a run."""
        svg = await asyncio.to_thread(self._runs.figure, request.match_info["run"])
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return web.Response(text=svg or NO_FIGURE, content_type="image/svg+xml", headers=headers)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file of a run."""
        path = self._runs.file(request.match_info["run"], request.match_info["name"])
        return _foreign(path)

    async def trace(self, request: web.Request) -> web.StreamResponse:
        """Answer with the page of a trace."""
        name = request.match_info["name"]
        if name not in self.traces():
            raise web.HTTPNotFound(text="there is no such page\n")
        return _foreign(self._results / "trace" / name)

    async def document(self, request: web.Request) -> web.Response:
        """Answer with a text of docs/, as a page."""
        return _page(await self._helper.ask("document", name=request.match_info["name"]))

    async def compare(self, request: web.Request) -> web.Response:
        """Answer with the page that compares runs: a `run` for each side, with commas between runs of one side."""
        sides = [
            [str(self._runs.file(run, "run.json").parent) for run in side.split(",")]
            for side in request.query.getall("run", [])
        ]
        return _page(await self._helper.ask("compare", sides=sides))


async def stream(request: web.Request, messages: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send events until the page has gone, or there are no more."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    with suppress(ConnectionError):
        await response.prepare(request)
        async for message in messages:
            await response.write(message)
    return response


def _page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": guard.FOREIGN})


def _foreign(path: Path) -> web.FileResponse:
    """Return a file that may come from another user: whatever it contains, it can do nothing here."""
    headers = {"Content-Security-Policy": guard.FOREIGN, "Content-Type": f"{TYPES[path.suffix]}; charset=utf-8"}
    return web.FileResponse(path, headers=headers)
