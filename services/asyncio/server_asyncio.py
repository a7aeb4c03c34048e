"""Server C, asyncio: one thread, one event loop; while a request waits, the thread serves others."""

import asyncio
import os
import random
import sys
import time
from typing import Any

import downstream
from aiohttp import web


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: float, low: float = 0, high: float = 60_000) -> Any:
    text = os.environ.get(name) or str(default)  # empty: the default, whose type the value has
    try:
        value = type(default)(text.encode())  # digits of ASCII only
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        refuse(f"{name}={text:.60}: must be a{' whole' * isinstance(default, int)} number from {low} to {high}")
    return value


PORT, BACKLOG = number("PORT", 8082, 1, 65535), number("BACKLOG", 128, 1, 65535)  # 128: the library's own
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
io = downstream.pool(number) or asyncio.sleep  # DOWNSTREAM=n: on one of n connections to another service
HOST, DISTRIBUTION = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WAIT_DISTRIBUTION") or "constant"
if DISTRIBUTION not in WAITS:
    refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION:.60}: must be constant or exponential")


async def wait(request: web.Request) -> web.Response:
    if request.body_exists:
        return web.Response(status=413)  # what still arrives of the body is discarded, for 10 s at most
    begin = time.perf_counter()
    try:
        begin += await io(WAITS[DISTRIBUTION]()) or 0  # the I/O: meanwhile the loop serves other requests
    except OSError as error:
        return web.Response(status=502, text=f"{error}\n")
    end = time.thread_time() + CPU_S
    while time.thread_time() < end:  # the computing: nothing else happens in this process
        pass
    timing = f"service;dur={(time.perf_counter() - begin) * 1000:.3f}"  # ms
    return web.Response(text="asyncio\n", headers={"Server-Timing": timing})


async def healthz(request: web.Request) -> web.Response:
    return web.Response(text="asyncio\n", status=413 if request.body_exists else 200)


async def announce(_: web.Application) -> None:
    print(f"asyncio server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)


app = web.Application()
app.add_routes([web.get("/", wait), web.get("/healthz", healthz)])
app.on_startup.append(announce)
try:
    # run_app ends on SIGTERM by itself, and gives the requests in progress 0.5 s
    web.run_app(app, host=HOST, port=PORT, backlog=BACKLOG, print=None, access_log=None, shutdown_timeout=0.5)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
