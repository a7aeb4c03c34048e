"""Starts a model's server as a local process, with its own command and on a free port, for one promise."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from iolab.contract.broken import Broken, DoesNotStart
from iolab.contract.talk import Answer, Talk, ask
from iolab.host import processes
from iolab.host.programs import own_command
from iolab.lab import Model

START_LIMIT_S, POLL_S = 10.0, 0.02
FAILING_S = 0.1  # a server that fails closes its connections a moment before it has ended
DEFAULTS = {"WAIT_MS": "20", "WAIT_DISTRIBUTION": "constant", "CPU_MS": "0", "BACKLOG": "128", "DOWNSTREAM": "0"}
PLACE = re.compile(r'File "(?:[^"]*/)?([^"/]+)", line (\d+)')


class Served(Protocol):
    """A server that runs, as its clients see it."""

    @property
    def model(self) -> Model:
        """Its model."""

    def connect(self) -> Talk:
        """Return a new connection; raises Broken if the server does not accept it."""

    def ask(self, path: str = "/", *head: str, wait_s: float = 0.0) -> Answer:
        """Send a GET on a connection of its own; it may wait for `wait_s`."""

    def ended(self) -> str:
        """Return how the server has ended; "" while it runs, or where that is not known."""

    def seen(self, what: str) -> str:
        """Return what a client has seen, and how the server has ended, if it has."""


class Starts(Protocol):
    """Gives a promise a server: a new one with these variables, or one that runs and does not change."""

    @property
    def model(self) -> Model:
        """The model of the server."""

    def start(self, **variables: str) -> AbstractContextManager[Served]:
        """Return a server for one promise."""


@dataclass(frozen=True)
class Server:
    """A server that runs, and its outputs."""

    model: Model
    port: int
    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def connect(self) -> Talk:
        """Return a new connection; raises Broken if the server does not accept it."""
        try:
            return Talk(self.port)
        except OSError as error:
            seen = self.seen(error.strerror or "no answer")
            raise Broken("a connection", "a server that accepts it", seen) from None

    def ask(self, path: str = "/", *head: str, wait_s: float = 0.0) -> Answer:
        """Send a GET on a connection of its own; it may wait for `wait_s`."""
        return ask(self.port, path, *head, wait_s=wait_s)

    def descriptors(self) -> int:
        """Return the most descriptors that one of its processes has open; raises Broken if it has ended."""
        try:
            return max(one.num_fds() for one in self._family())
        except psutil.Error:
            raise Broken("connections", "a server that runs", self.seen("the server is gone")) from None

    def runs(self) -> bool:
        """Return whether it has work for a CPU at this moment; it sleeps while all its threads wait."""
        try:
            return any(one.status() == psutil.STATUS_RUNNING for one in self._family())
        except psutil.Error:
            return False

    def _family(self) -> list[psutil.Process]:
        """Return the process and those that it has started."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def ended(self) -> str:
        """Return how the server has ended, with its last error; "" while it runs."""
        status = self.process.poll()
        if status is None:
            return ""
        said = last_error(self.stderr.read_text(errors="replace"))
        return f"the server ended with status {status}{': ' if said else ''}{said}"

    def seen(self, what: str) -> str:
        """Return what a client has seen, and how the server has ended, if it has."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(FAILING_S)
        return f"{what}; {ended}" if (ended := self.ended()) else what


@dataclass(frozen=True)
class Launcher:
    """Starts the server of a model; its outputs are files in `folder`, its ports those that `free_port` returns."""

    model: Model
    folder: Path
    free_port: Callable[[], int]

    @contextmanager
    def start(self, **variables: str) -> Iterator[Server]:
        """Run the server until the end of the block; raises DoesNotStart if it does not accept connections."""
        port = self.free_port()
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        with (
            stdout.open("wb") as out,
            stderr.open("wb") as err,
            processes.running(
                own_command(self.model.service),
                cwd=self.model.service.folder,
                env=self._environment(port, variables),
                stdout=out,
                stderr=err,
            ) as process,
        ):
            server = Server(self.model, port, process, stdout, stderr)
            try:
                _wait_until_it_listens(server)
                yield server
            finally:
                processes.kill(process)  # at once: how it ends on SIGTERM is a promise of its own

    def run_to_end(self, limit_s: float, **variables: str) -> processes.Finished | None:
        """Run the server until it ends; None if it still runs after `limit_s`."""
        try:
            return processes.run(
                own_command(self.model.service),
                cwd=self.model.service.folder,
                env=self._environment(self.free_port(), variables),
                timeout_s=limit_s,
            )
        except subprocess.TimeoutExpired:
            return None

    def _environment(self, port: int, variables: dict[str, str]) -> dict[str, str]:
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        own = {"HOST": "127.0.0.1", "PORT": str(port)}
        return {**theirs, **self.model.service.environment, **DEFAULTS, **own, **variables}


def _wait_until_it_listens(server: Server) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if ended := server.ended():
            raise DoesNotStart(ended)
        try:
            with Talk(server.port):
                return
        except OSError:
            time.sleep(POLL_S)
    raise DoesNotStart(f"nothing listens on its port after {START_LIMIT_S:g} s")


def last_error(text: str) -> str:
    """Return the last line of a program's errors; after a traceback, with the file and line in which it ends."""
    said = processes.last_lines(text)
    places = PLACE.findall(text) if "Traceback" in text else []
    return f"{said} ({places[-1][0]}, line {places[-1][1]})" if places else said
