"""The application: which address answers what."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

import iolab
from iolab.errors import UsageError
from iolab.host import cores, lock
from iolab.lab import Lab
from iolab.web import guard
from iolab.web.events import Audience
from iolab.web.helper import Helper
from iolab.web.jobs import Job, Jobs
from iolab.web.live.lane import Lane
from iolab.web.live.settings import Settings
from iolab.web.live.stage import Stage
from iolab.web.shelf import Shelf, stream
from iolab.web.study import Study

PAGE = Path(__file__).parent / "page"
MOST_BODY = 65_536


class Site:
    """The handlers, and what they share."""

    def __init__(self, lab: Lab, results: Path, variables: Mapping[str, str]) -> None:
        self.token = guard.new_token()
        self.helper = Helper()
        self.stage = Stage(lab, self._theory)
        self.events = Audience()
        self.jobs = Jobs(lab.root, self.events)
        self.shelf = Shelf(lab.root, results, self.helper)
        self.study = Study(lab.root, self.helper)
        self._lab, self._results, self._variables = lab, results, variables

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(
            middlewares=[guard.middleware(self.token, self._variables), _mistakes], client_max_size=MOST_BODY
        )
        app.add_routes(
            [
                *self.shelf.routes(),
                *self.study.routes(),
                web.get("/", self._page),
                web.get("/lab.css", _file("lab.css", "text/css")),
                web.get("/lab.js", _file("lab.js", "text/javascript")),
                web.get("/learn.css", _file("learn.css", "text/css")),
                web.get("/learn.js", _file("learn.js", "text/javascript")),
                web.get("/api/state", self._state),
                web.get("/api/events", self._events),
                web.get("/api/live/events", self._live_events),
                web.get("/api/live/rows", self._live_rows),
                web.post("/api/live/{action}", self._live),
                web.get("/api/experiments", self._experiments),
                web.post("/api/plan", self._plan),
                web.post("/api/start", self._start),
                web.post("/api/stop", self._stop),
                web.post("/api/what-if", self._what_if),
            ]
        )
        app.on_response_prepare.append(guard.add_headers)
        app.on_shutdown.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        self.events.close()
        self.stage.audience.close()
        await asyncio.gather(self.stage.close(), self.jobs.close(), self.helper.close())

    async def _page(self, _: web.Request) -> web.Response:
        page = (PAGE / "lab.html").read_text(encoding="utf-8")
        return web.Response(text=page.replace("{{token}}", self.token), content_type="text/html")

    async def _state(self, _: web.Request) -> web.Response:
        holder = lock.holder()
        return web.json_response(
            {
                "version": iolab.__version__,
                "models": [{"letter": each.letter, "title": each.title} for each in self.stage.models],
                "job": self.jobs.state(),
                "lock": holder and {"what": holder.what, "since": holder.since_s, "expected_s": holder.expected_s},
                "traces": self.shelf.traces(),
                "results": self._shown_results(),
            }
        )

    def _shown_results(self) -> str:
        """Return the folder of the runs as a command in the lab's folder names it."""
        own = self._results.is_relative_to(self._lab.root)
        return str(self._results.relative_to(self._lab.root) if own else self._results)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await stream(request, self.events.messages(lambda: {"job": self.jobs.state()}))

    async def _live_events(self, request: web.Request) -> web.StreamResponse:
        return await stream(request, self.stage.audience.messages(self.stage.state))

    async def _live_rows(self, request: web.Request) -> web.Response:
        lane = self.stage.lanes.get(request.query.get("lane", ""))
        if lane is None:
            raise UsageError("lane: it is not shown")
        return web.json_response([row._asdict() for row in lane.rows])

    async def _live(self, request: web.Request) -> web.Response:
        if self.jobs.running:
            raise UsageError("an experiment runs, which this load would disturb: wait until it has ended, or stop it")
        await self.stage.act(request.match_info["action"], await guard.given(request))
        return web.json_response({})

    async def _theory(self, settings: Settings, lane: Lane) -> dict[str, float | None]:
        own = lane.model.backlog
        backlog = None if own is None else own if settings.backlog is None else settings.backlog
        found: dict[str, float | None] = await self.helper.ask(
            "theory",
            loop=settings.loop,
            users=settings.users,
            rate_rps=settings.rate_rps,
            wait_ms=settings.wait_ms,
            cpu_ms=settings.cpu_ms,
            workers=lane.figures()["workers"],
            backlog=backlog,
            queues=lane.seats.queues,
            interpreters=min(lane.model.interpreters, len(cores.available())),
        )
        return found

    async def _experiments(self, _: web.Request) -> web.Response:
        return web.json_response(await self.helper.ask("experiments"))

    async def _plan(self, request: web.Request) -> web.Response:
        try:
            found = await self._planned(await guard.given(request))
        except UsageError as mistake:  # of a value that is being typed
            return web.json_response({"error": str(mistake)})
        return web.json_response({"line": _job(found).line, **found})

    async def _planned(self, given: dict[str, Any]) -> dict[str, Any]:
        variables = given.get("variables")
        if not isinstance(variables, dict) or not all(isinstance(each, str) for each in variables.values()):
            raise UsageError("variables: must be texts")
        name = str(given.get("name"))
        if name not in {path.stem for path in (self._lab.root / "experiments").glob("*.toml")}:
            raise UsageError(f"{name[:60]}: there is no such experiment")
        found: dict[str, Any] = await self.helper.ask(
            "plan", name=name, variables=variables, quick=given.get("quick") is True
        )
        if self._results != self._lab.root / "results":
            found["variables"]["RESULTS"] = str(self._results)
        if self._variables.get("RUNTIME"):
            found["variables"]["RUNTIME"] = self._variables["RUNTIME"]
        return found

    async def _start(self, request: web.Request) -> web.Response:
        found = await self._planned(await guard.given(request))
        await self.stage.close()  # it holds the lock, and would disturb
        holder = lock.holder()
        if holder:
            raise UsageError(f"{holder.what or 'another benchmark'} runs: wait until it has ended, or stop it")
        self.jobs.start(_job(found))
        return web.json_response(self.jobs.state())

    async def _stop(self, _: web.Request) -> web.Response:
        await self.jobs.stop()
        return web.json_response({})

    async def _what_if(self, request: web.Request) -> web.Response:
        given = await guard.given(request)
        limits = {
            "users": (1, 1000),
            "workers": (1, 64),
            "wait_ms": (1, 3000),
            "cpu_ms": (0, 1000),
            "utilisation": (0.05, 0.98),
        }
        values = {}
        for name, (low, high) in limits.items():
            value = given.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise UsageError(f"{name}: must be a number from {low:g} to {high:g}")
            values[name] = int(value) if name in ("users", "workers") else float(value)
        found = await self.helper.ask("what_if", **values)
        found["points"] = await self.helper.ask("points", results=str(self._results))
        return web.json_response(found)


def _job(found: Mapping[str, Any]) -> Job:
    return Job(found["target"], found["variables"], frozenset(found["options"]))


@web.middleware
async def _mistakes(request: web.Request, handler: guard.Handler) -> web.StreamResponse:
    """A mistake is one line, as on the command line."""
    try:
        return await handler(request)
    except UsageError as mistake:
        return web.Response(text=f"{mistake}\n", status=400)
    except (FileNotFoundError, NotADirectoryError):
        return web.Response(text="it is not there any more\n", status=404)


def _file(name: str, content_type: str) -> guard.Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=(PAGE / name).read_text(encoding="utf-8"), content_type=content_type)

    return answer
