"""The part of `iolab trace` that runs a given server: `make trace CMD="gunicorn -w 2 app:app" PORT=8000`."""

import json
import os
import shlex
from pathlib import Path

from iolab.cli import addresses, output, trace, variables
from iolab.cli.console import Console
from iolab.errors import UsageError
from iolab.host import limits
from iolab.live import command as live
from iolab.report import brief, terminal, trace_terminal
from iolab.trace.truth import as_json

MARGIN_S = 0.02  # before the first request and after the last answer, in the part of the page that is shown first


def run(
    console: Console, command: str, port: int | None, requests: int, *, runtime: str, folder: Path, as_object: bool
) -> int:
    """Run a server under strace, send it requests, stop it, tell its story; return 1 if a request was not answered."""
    if port is None:
        raise UsageError("PORT is missing: CMD needs the port on which its server listens, such as PORT=8000")
    if runtime == "docker":
        raise UsageError("CMD runs a program of this machine: leave out RUNTIME=docker")
    words = live.words(command)
    limits.raise_soft_limits()
    with terminal.busy(Console(stderr=as_object)) as say:
        unwanted = set(variables.typed(os.environ.get("MAKEFLAGS", "")))
        asked = live.observe(words, port, requests, folder / live.log_name(words), unwanted=unwanted, say=say)
    story = trace.read(asked.log, port)
    focus_s = (asked.start_s - MARGIN_S, asked.end_s + MARGIN_S)
    title = f"{requests} request{'' if requests == 1 else 's'} at once to {shlex.join(words)}"
    page = trace.write_page(story, folder / live.page_name(words), title, focus_s)
    if as_object:
        output.line(json.dumps({"command": words, "answers": asked.answers, **as_json(story)}, indent=1))
    else:
        console.print(asked.sentence(), highlight=False, markup=False, soft_wrap=True)
        trace_terminal.show(console, story)
        console.print()
        brief.show_address(console, "Page", addresses.of_trace(page))
        console.print(f"Log: {os.path.relpath(asked.log)}", highlight=False, markup=False, soft_wrap=True)
    return 1 if asked.unanswered else 0
