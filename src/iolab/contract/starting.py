"""Promises about the process: how the server starts, ends, and what it uses."""

import signal
import subprocess
import time
from contextlib import ExitStack, suppress

from iolab.contract.broken import Broken
from iolab.contract.server import Launcher
from iolab.contract.talk import LIMIT_S, request

END_LIMIT_S = 2.5
CONNECTIONS, SPARE = 200, 10  # connections that end, and descriptors that a library may keep
LOOKS, LOOK_EVERY_S = 30, 0.02
BUSY_SHARE = 0.5  # of the looks
BUFFERED = "print() keeps its output in a buffer when it does not write to a terminal: use print(..., flush=True)."


def prints_one_line(launcher: Launcher) -> None:
    """One line at the start, with the port; nothing about requests."""
    with launcher.start() as server:
        deadline = time.monotonic() + LIMIT_S
        while b"\n" not in server.stdout.read_bytes() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        for path in ("/healthz", "/nowhere"):
            server.ask(path)
        if not server.stdout.read_bytes():
            raise Broken("the start of the server", "one line on standard output", "no line", BUFFERED)
        server.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(END_LIMIT_S)  # it writes what it has in its buffers
        lines, errors = (
            server.stdout.read_text(errors="replace").splitlines(),
            server.stderr.read_text(errors="replace"),
        )
        if len(lines) > 1 or errors:
            what = errors.splitlines() or lines[1:]
            raise Broken("the start of the server and two requests", "one line in all", f"another line: {what[0]:.80}")
        if str(server.port) not in lines[0]:
            raise Broken("the start of the server", f"a line with its port, {server.port}", lines[0][:80])


def refuses_bad_values(launcher: Launcher) -> None:
    """Status 2 and one line that names the variable."""
    for name, value in (("WAIT_MS", "soon"), ("BACKLOG", "0")):
        sent, expected = f"a start with {name}={value}", f"status 2 and one line that begins with {name}={value}"
        done = launcher.run_to_end(LIMIT_S, **{name: value})
        if done is None:
            raise Broken(sent, expected, f"it still runs after {LIMIT_S:g} s")
        lines = done.stderr.splitlines()
        if done.status != 2:
            raise Broken(sent, expected, f"status {done.status}")
        if done.stdout or len(lines) != 1 or not lines[0].startswith(f"{name}={value}"):
            raise Broken(sent, expected, f"status 2, and {len(lines)} lines: {done.stderr.strip()[:80]!r}")


def ends_on_sigterm(launcher: Launcher) -> None:
    """Status 0, soon, whatever is in progress."""
    sent = "SIGTERM, while one connection is idle and one request waits"
    expected = f"an end with status 0 within {END_LIMIT_S:g} s"
    with launcher.start(WAIT_MS="20000") as server, server.connect(), server.connect() as waiting:
        waiting.send(request())
        time.sleep(LOOK_EVERY_S)  # the request is in progress
        server.process.send_signal(signal.SIGTERM)
        try:
            status = server.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Broken(sent, expected, f"it still runs after {END_LIMIT_S:g} s") from None
        if status != 0:
            seen = f"it was ended by signal {-status}" if status < 0 else server.ended()
            raise Broken(sent, expected, seen)


def closes_descriptors(launcher: Launcher) -> None:
    """A connection that has ended has no descriptor any more, however it has ended."""
    with launcher.start(WAIT_MS="5") as server:
        server.ask("/healthz")
        before = server.descriptors()
        for number in range(CONNECTIONS):
            if number % 2:
                server.ask("/", "Connection: close")
            else:
                with server.connect() as leaving:
                    leaving.send(request() if number % 4 else b"")
        deadline = time.monotonic() + LIMIT_S
        while (after := server.descriptors()) > before + SPARE and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        if after > before + SPARE:
            raise Broken(
                f"{CONNECTIONS} connections, all of which the client has closed",
                f"about {before} open descriptors, as before",
                f"{after} open descriptors",
            )


def sleeps_while_idle(launcher: Launcher) -> None:
    """While nothing happens, the process sleeps; state "running" shows a busy loop even on a machine that is busy."""
    with ExitStack() as stack:
        server = stack.enter_context(launcher.start(WAIT_MS="5000"))
        with server.connect() as leaving:
            leaving.send(request())
            time.sleep(LOOK_EVERY_S)
        for sent in (b"", request())[: 1 if server.model.workers == 1 else 2]:
            stack.enter_context(server.connect()).send(sent)
        time.sleep(10 * LOOK_EVERY_S)
        if ended := server.ended():
            raise Broken("a request whose client has gone", "a server that runs", ended)
        running = 0
        for _ in range(LOOKS):
            running += server.runs()
            time.sleep(LOOK_EVERY_S)
        if running > BUSY_SHARE * LOOKS:
            raise Broken(
                "nothing, while one connection is idle, one request waits and one client has gone",
                "a process that sleeps",
                f"it was running in {running} of {LOOKS} looks",
            )
