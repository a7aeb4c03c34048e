"""Names the line that blocks an event loop: a thread reads the loop's stack when the loop had no turn for a while."""

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
    """Print a line when the loop has had no turn for `limit_s` (0: never); to be called in the loop's own thread.

    The loop's debug mode warns of single callbacks of a quarter of that: it names the coroutine and where it begins.
    """
    if not limit_s:
        return
    loop.set_debug(True)
    loop.slow_callback_duration = limit_s / 4
    sys.setswitchinterval(0.0005)  # otherwise it runs only when the loop's thread releases the interpreter lock
    thread, last_turn_s = threading.get_ident(), time.monotonic()

    def take_turn() -> None:
        nonlocal last_turn_s
        last_turn_s = time.monotonic()
        loop.call_later(limit_s / 4, take_turn)

    def look() -> None:
        reported_s = 0.0  # one line for each blockage
        while True:
            time.sleep(limit_s / 4)
            blocked_s = time.monotonic() - last_turn_s
            if blocked_s > limit_s and reported_s != last_turn_s:
                reported_s = last_turn_s
                print(f"watchdog: no turn for {blocked_s * 1000:.0f} ms, {stack(thread)}", file=sys.stderr, flush=True)

    take_turn()
    threading.Thread(target=look, daemon=True).start()


def stack(thread: int) -> str:
    """Return where a thread is in the other files of this folder, innermost first."""
    frames = traceback.extract_stack(sys._current_frames()[thread])
    folder = [frame for frame in reversed(frames) if Path(frame.filename).parent == ME.parent]
    own = [frame for frame in folder if frame.filename != str(ME) and frame.name != "<module>"]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {code(frame)} (in {frame.name})" for frame in own]
    return " < ".join(places) or "in a library"


def code(frame: traceback.FrameSummary) -> str:
    return (frame.line or "").partition("  #")[0]


@web.middleware
async def own_task(request: web.Request, handler: Any) -> Any:
    """Give each request its own task: a warning of the loop then names its handler, not the library's."""
    return await asyncio.create_task(handler(request))
