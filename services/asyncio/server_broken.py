"""asyncio, broken on purpose: WORK_IN says where the work of a request is done; in the loop, it blocks all requests."""

import asyncio
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from aiohttp import web
from refusals import refusing
from watchdog import own_task, watch


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


PORT, POOL, WATCH_S = number("PORT", 8085, 1, 65535), number("POOL", 8, 1, 1000), number("WATCH_MS", 0.0) / 1000
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
PLACES = {"await": None, "loop": None, "thread": ThreadPoolExecutor, "process": ProcessPoolExecutor}
HOST, WORK_IN = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WORK_IN") or "loop"
if WORK_IN not in PLACES:
    refuse(f"WORK_IN={WORK_IN:.60}: must be {', '.join(PLACES)}")


def work() -> None:
    time.sleep(WAIT_S)  # stands for every call that waits without returning to the loop
    end = time.thread_time() + CPU_S
    while time.thread_time() < end:
        pass  # the computing


async def answer(request: web.Request) -> web.Response:
    if WORK_IN == "await":
        await asyncio.sleep(WAIT_S)
    elif WORK_IN == "loop":
        work()  # the mistake: without an await, the loop serves no request until this is done
    else:
        await asyncio.get_running_loop().run_in_executor(request.app["pool"], work)
    return web.Response(text="broken\n")


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="broken\n")


async def start(_: web.Application) -> None:
    watch(asyncio.get_running_loop(), WATCH_S)
    print(f"broken server, port {PORT}: wait {WAIT_S * 1000:g} ms, CPU {CPU_S * 1000:g} ms, {WORK_IN}", flush=True)


if __name__ == "__main__":  # the processes of a pool may import this file
    app = web.Application(middlewares=[refusing, own_task])
    app.add_routes([web.get("/", answer), web.get("/healthz", healthz)])
    app.on_startup.append(start)
    if pool := PLACES[WORK_IN]:
        app["pool"] = pool(POOL)
        list(app["pool"].map(time.sleep, [0.05] * POOL))  # all workers run before the first request
    try:
        web.run_app(app, host=HOST, port=PORT, print=None, access_log=None, shutdown_timeout=0.5)
    except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
        refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
