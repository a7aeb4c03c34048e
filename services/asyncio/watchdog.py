"""Names the line at which an event loop stands still: a thread looks when the loop has not come round for a while."""

import asyncio
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from aiohttp import web

ME = Path(__file__)


def watch(loop: asyncio.AbstractEventLoop, limit_s: float) -> None:
    """Print a line for every standstill of more than `limit_s` (0: never); to be called in the loop's own thread.

    The loop's debug mode warns of single callbacks of a quarter of that: it names the coroutine and where that begins.
    """
    if not limit_s:
        return
    loop.set_debug(True)
    loop.slow_callback_duration = limit_s / 4
    sys.setswitchinterval(0.0005)  # else this thread runs only where the loop's own gives the interpreter lock away
    thread, came_round_s = threading.get_ident(), time.monotonic()

    def come_round() -> None:
        nonlocal came_round_s
        came_round_s = time.monotonic()
        loop.call_later(limit_s / 4, come_round)

    def look() -> None:
        told_s = 0.0  # once a standstill
        while True:
            time.sleep(limit_s / 4)
            stands_s = time.monotonic() - came_round_s
            if stands_s > limit_s and told_s != came_round_s:
                told_s = came_round_s
                print(f"watchdog: no turn for {stands_s * 1000:.0f} ms, {stack(thread)}", file=sys.stderr, flush=True)

    come_round()
    threading.Thread(target=look, daemon=True).start()


def stack(thread: int) -> str:
    """Where a thread is in the other files of this folder, innermost first."""
    frames = traceback.extract_stack(sys._current_frames()[thread])
    folder = [frame for frame in reversed(frames) if Path(frame.filename).parent == ME.parent]
    own = [frame for frame in folder if frame.filename != str(ME) and frame.name != "<module>"]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {code(frame)} (in {frame.name})" for frame in own]
    return " < ".join(places) or "in a library"


def code(frame: traceback.FrameSummary) -> str:
    return (frame.line or "").partition("  #")[0]


@web.middleware
async def own_task(request: web.Request, handler: Any) -> Any:
    """Give each request a task of its own: a warning of the loop then names its handler, and not the library's."""
    return await asyncio.create_task(handler(request))
