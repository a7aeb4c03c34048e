"""Serves the page until it is told to end, and starts that as a process of its own for `make up`."""

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from iolab import env_file
from iolab.errors import UsageError
from iolab.host import ports
from iolab.host.processes import last_lines
from iolab.host.signals import SIGNALS
from iolab.lab import Lab
from iolab.service import MOST_PORT
from iolab.web import record
from iolab.web.site import Site

PORT = 8078
# Variables of the commands that start the page as a process of its own; it does not take them.
OF_STARTER = frozenset({"CPUS", "WORKERS", "LOADS", "BACKGROUND", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"})
READY_S, POLL_S = 20.0, 0.1
CLOSE_S = 2.0  # event streams do not end by themselves


def variables_of(lab: Lab) -> dict[str, str]:
    """Return the variables of the environment, and of .env."""
    return {**env_file.read(lab.root / ".env"), **os.environ}


def port_of(variables: Mapping[str, str]) -> int:
    """Return the port of the page: LAB_PORT, or the usual one; raises UsageError."""
    text = variables.get("LAB_PORT", "")
    if text and not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= MOST_PORT):
        raise UsageError(f"LAB_PORT={text[:40]}: must be a number from 1 to {MOST_PORT}")
    return int(text or PORT)


def url(address: str, port: int) -> str:
    """Return the page's address, as a user opens it."""
    shown = ports.shown(address)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def serve(
    lab: Lab, results: Path, place: tuple[str, int], variables: Mapping[str, str], ready: Callable[[str], None]
) -> None:
    """Serve the page at an address and port until Ctrl-C; `ready` is told its URL. Raises UsageError if it cannot."""
    running = record.serving(lab.root)
    if running:
        raise UsageError(f"the page of this folder is served already: {running.url} (make down ends it)")
    if results.exists() and not results.is_dir():
        raise UsageError(f"RESULTS={results} is not a folder: choose another one")
    ports.check_free(*place, "the page (LAB_PORT)")
    asyncio.run(_serve(lab, Site(lab, results, variables), place, ready))


def _is_news(record_: logging.LogRecord) -> bool:
    """Say whether a line of aiohttp's log is about the page, and not about a client that does not speak HTTP."""
    error = record_.exc_info[1] if record_.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError)


async def _serve(lab: Lab, site: Site, place: tuple[str, int], ready: Callable[[str], None]) -> None:
    logging.getLogger("aiohttp.server").addFilter(_is_news)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            loop.add_signal_handler(each, end.set)
    runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *place).start()
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                raise UsageError(f"{place[0]}:{place[1]}: {error.strerror}: choose another port (LAB_PORT)") from error
            raise
        record.write(lab.root, url(*place))
        ready(url(*place))
        await end.wait()
    finally:
        record.remove(lab.root)
        await runner.cleanup()


def start(lab: Lab, variables: Mapping[str, str] | None = None) -> str:
    """Start the page as a process that outlives this one and its terminal, and return its address; raises UsageError.

    `variables` are added to its environment.
    """
    running = record.serving(lab.root)
    if running:
        return running.url
    folder = lab.root / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".page.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "iolab", "lab"],
            cwd=lab.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in OF_STARTER} | dict(variables or {}),
        )  # fmt: skip
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        running = record.serving(lab.root)
        if running and running.pid == process.pid:
            return running.url
        if process.poll() is not None:
            break
        time.sleep(POLL_S)
    process.kill()
    process.wait()
    raise UsageError(f"the page did not start: {last_lines((folder / '.page.log').read_text(errors='replace'))}")
