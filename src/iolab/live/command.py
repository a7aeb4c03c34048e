"""Runs any server under strace, and sends it requests: `make trace CMD="gunicorn -w 2 app:app" PORT=8000`."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from iolab.errors import UsageError
from iolab.host import leftovers, ports, proc
from iolab.host.processes import GRACE_S, running
from iolab.live import asking
from iolab.live.app import Say
from iolab.live.process import ended, wait
from iolab.live.service import keep_older
from iolab.runtime.strace import CALLS, OPTIONS, check_strace

READY_LIMIT_S = 30.0
ANSWER_LIMIT_S = 30.0
IDLE_S = 1.0  # before the requests: to see what the server does without any
SETTLE_S = 0.5
INSTEAD = "Linux in a virtual machine"  # CMD has no image that Docker could run
# Of make: its variables are for the lab. gunicorn, for one, would bind all addresses of the machine for PORT.
OF_MAKE = frozenset({"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"})


@dataclass(frozen=True)
class Asked:
    """What was observed: the log, the time in which requests were sent, and how each was answered."""

    log: Path
    start_s: float
    end_s: float
    answers: Counter[str]
    ended: str | None  # if the server ended by itself: its exit status and last output

    @property
    def unanswered(self) -> int:
        """The number of requests without an answer in HTTP."""
        return sum(number for answer, number in self.answers.items() if not asking.is_status(answer))

    def sentence(self) -> str:
        """Return how the requests were answered."""
        total, statuses = self.answers.total(), {}
        reasons = dict(self.answers)
        for answer in self.answers:
            if asking.is_status(answer):
                statuses[answer] = reasons.pop(answer)
        parts = [f"{number} answered with status {status}" for status, number in sorted(statuses.items())]
        parts += [f"{number} not answered ({reason})" for reason, number in reasons.items()]
        said = f"{total} request{'' if total == 1 else 's'} at once: {', '.join(parts)}."
        return f"{said} The server ended by itself ({self.ended})." if self.ended else said


def words(command: str) -> list[str]:
    """Return a command's words, as a shell splits them; raises UsageError if there is no such program."""
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"CMD={command}: {error}") from None
    if not found:
        raise UsageError("CMD is empty: give the command that starts the server")
    found = [os.path.expanduser(word) if word.startswith("~") else word for word in found]  # noqa: PTH111 (words)
    if shutil.which(found[0]) is None:
        raise UsageError(f"CMD: {found[0]}: command not found: give its path, or install it")
    return found


def log_name(command: Sequence[str]) -> str:
    """Return the name of the log of a command."""
    return f"log_cmd-{_name(command)}.txt"


def page_name(command: Sequence[str]) -> str:
    """Return the name of the page of a command."""
    return f"trace-cmd-{_name(command)}.html"


def observe(command: Sequence[str], port: int, requests: int, log: Path, *, unwanted: set[str], say: Say) -> Asked:
    """Run a server under strace, send it requests at once, and stop it; raises UsageError.

    `unwanted` variables are not handed on to it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    keep_older(log)
    variables = {name: value for name, value in os.environ.items() if name not in unwanted | OF_MAKE}
    say(f"Starting {command[0]} under strace")
    with _listening(command, port, log, variables) as (strace, output):
        host = proc.reached_at(proc.tables(), port)
        if host is None:
            raise UsageError(
                f"{command[0]} listens on port {port}, but not at an address of this machine alone:"
                " let it listen on 127.0.0.1, because requests are sent there only"
            )
        say(f"{requests} requests at once to {host}:{port}")
        time.sleep(IDLE_S)
        start_s = time.time()
        answers = asking.at_once((host, port), requests, ANSWER_LIMIT_S)
        end_s = time.time()
        time.sleep(SETTLE_S)
        return Asked(log, start_s, end_s, Counter(answers), ended(strace, output, 1))


@contextmanager
def _listening(
    command: Sequence[str], port: int, log: Path, variables: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run a command under strace; yield strace and its output when the port is open, and stop all that was traced."""
    check_strace(INSTEAD)
    leftovers.end()
    name = f"CMD ({command[0]})"
    ports.check_free("127.0.0.1", port, name, "give another PORT to both")
    if proc.listens(proc.tables(), port):
        raise UsageError(f"port {port} for {name} is in use at another address: stop that program, or use another PORT")
    traced = ["strace", *OPTIONS, "-o", str(log.absolute()), "-e", f"trace={CALLS}", "--", *command]
    with (
        tempfile.TemporaryFile() as output,
        running(traced, env=variables, stdout=output, stderr=output) as strace,
    ):
        try:
            wait(
                name,
                lambda: proc.listens(proc.tables(), port),
                lambda: ended(strace, output, 1),
                READY_LIMIT_S,
                lambda: _instead(strace.pid, port),
            )
            yield strace, output
        finally:
            stop_traced(strace)


def stop_traced(strace: "subprocess.Popen[bytes]") -> None:
    """End all that strace traces, by process number: a server that runs in the background has left strace's group.

    The first processes are told to end, and end their workers; then all others are told; then they are killed, each
    after GRACE_S. strace ends after them, with a complete log.
    """
    for number, only_first in ((signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGKILL, False)):
        if strace.poll() is not None:
            return
        traced = _processes(strace.pid)
        known = {process.pid for process in traced}
        for process in traced:
            with suppress(psutil.Error):
                if not (only_first and process.ppid() in known):
                    process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            strace.wait(GRACE_S)


def _processes(tracer: int) -> list[psutil.Process]:
    found = []
    for pid in proc.traced_by(tracer):
        with suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def _instead(tracer: int, port: int) -> str:
    """Return which ports the traced processes opened, where it is not the one that was given."""
    others = set()
    for process in _processes(tracer):
        with suppress(psutil.Error):
            rows = process.net_connections("tcp")
            others |= {row.laddr.port for row in rows if row.status == psutil.CONN_LISTEN and row.laddr}
    if not others:
        return f" on port {port}"
    named = ", ".join(map(str, sorted(others)))
    return f" on port {port}, but on {named}: give PORT={min(others)}"


def _name(command: Sequence[str]) -> str:
    """Return the name of a program, as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(command[0]).name).strip("-.") or "server"
