"""Server C, asyncio: one thread, one event loop; while a request waits, the thread serves others."""

import asyncio
import os
import random
import sys
import time
from typing import Any

from aiohttp import web


def refuse(line: str) -> None:
    print(line, file=sys.stderr)
    sys.exit(2)


def number(name: str, default: float, low: float = 0, high: float = 60_000) -> Any:
    """Environment variable `name` (empty: `default`, whose type it takes)."""
    text = os.environ.get(name) or str(default)
    try:
        value = type(default)(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        refuse(f"{name}={text}: must be a{' whole' * isinstance(default, int)} number from {low} to {high}")
    return value


PORT, BACKLOG = number("PORT", 8082, 1, 65535), number("BACKLOG", 128, 1, 65535)  # 128: the library's own
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
DISTRIBUTION = os.environ.get("WAIT_DISTRIBUTION") or "constant"
if DISTRIBUTION not in WAITS:
    refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION}: must be constant or exponential")


async def wait(_: web.Request) -> web.Response:
    begin = time.perf_counter()
    await asyncio.sleep(WAITS[DISTRIBUTION]())  # the I/O: meanwhile the loop serves other requests
    end = time.thread_time() + CPU_S
    while time.thread_time() < end:  # the computing: nothing else happens in this process
        pass
    timing = f"service;dur={(time.perf_counter() - begin) * 1000:.3f}"  # ms
    return web.Response(text="asyncio\n", headers={"Server-Timing": timing})


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="asyncio\n")


async def announce(_: web.Application) -> None:
    print(f"asyncio server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)


app = web.Application()
app.add_routes([web.get("/", wait), web.get("/healthz", healthz)])
app.on_startup.append(announce)
try:
    # run_app ends on SIGTERM by itself, and gives the requests in progress 0.5 s
    web.run_app(
        app,
        host=os.environ.get("HOST") or "127.0.0.1",
        port=PORT,
        backlog=BACKLOG,
        print=None,
        access_log=None,
        shutdown_timeout=0.5,
    )
except OSError as error:
    refuse(f"PORT={PORT}: {error.strerror}")
