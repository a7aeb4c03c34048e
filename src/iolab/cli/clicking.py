"""Runs the Streamlit app under strace, where it does not run already, and presses its button: for `iolab trace`."""

import sys
import time
from pathlib import Path

from iolab.cli import output
from iolab.errors import UsageError
from iolab.host import limits
from iolab.lab import Lab, find_root
from iolab.live import app
from iolab.live.app import Loop, Say, log_name


def make_log(loop: Loop | None, clicks: int, runtime: str, folder: Path, say: Say) -> app.Traced:
    """Let the app be clicked, in a container or here, and say where its log is."""
    the_lab = Lab.read(find_root(Path.cwd()))
    limits.raise_soft_limits()
    limits.check_open_files()
    engine, reason = app.engine_or_reason(runtime)
    if engine and not loop and (standing := app.press_standing(the_lab, clicks, say)):
        return standing
    if engine:
        with app.in_docker(the_lab, engine, loop, say) as traced:
            _use(traced, clicks or 1, say)
        return traced
    if not (clicks or loop or sys.stdin.isatty()):
        raise UsageError("without a terminal no user can click: add CLICK=1")
    say(f"Streamlit runs as a local process: {reason}")
    with app.here(the_lab, loop or "uvicorn", folder / log_name(loop), say) as traced:
        if clicks or loop:
            _use(traced, clicks or 1, say)
        else:
            _let_click(traced)
    return traced


def _use(traced: app.Traced, clicks: int, say: Say) -> None:
    say(f"Watching the idle app for {app.IDLE_S:g} s")
    time.sleep(app.IDLE_S)
    say("Pressing the button")
    traced.press(clicks)
    time.sleep(app.SETTLE_S)


def _let_click(traced: app.Traced) -> None:
    output.line(f"Open http://localhost:{traced.port}, press the button, then press Enter here.", err=True)
    sys.stdin.readline()
