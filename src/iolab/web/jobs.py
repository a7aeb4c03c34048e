"""Runs the lab's own commands for the page, one at a time; what it runs can be typed in a terminal."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.host import processes
from iolab.web.events import Audience

# Of make, and options that every experiment has: what runs is what the page shows.
COMMON = frozenset(
    {"EXPERIMENT", "RESUME", "WAIT", "QUICK", "RUNTIME", "RESULTS", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"}
)
LINES = 60  # of its output, the last ones, are shown
POLL_S = 0.5
PATIENCE_S = 15.0  # of the end of an experiment, which writes its report


@dataclass(frozen=True)
class Job:
    """A command as make has it: a target and variables. Of its `options` none comes from the page's environment."""

    target: str
    variables: Mapping[str, str]
    options: frozenset[str] = frozenset()

    @property
    def line(self) -> str:
        """The command line that does the same."""
        return " ".join(
            ["make", self.target, *(f"{name}={shlex.quote(value)}" for name, value in self.variables.items())]
        )


class Jobs:
    """The job that runs, or the last one."""

    def __init__(self, root: Path, audience: Audience) -> None:
        self._root, self._audience = root, audience
        self._process: subprocess.Popen[bytes] | None = None
        self._job: Job | None = None
        self._log: Path | None = None
        self._begun_s = 0.0
        self._stack = ExitStack()
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether a job runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, job: Job) -> None:
        """Start a job; raises UsageError if one runs."""
        if self.running:
            raise UsageError("an experiment of this page runs: wait until it has ended, or stop it")
        self._stack.close()
        self._job, self._begun_s = job, time.time()
        self._log = self._stack.enter_context(processes.temporary_folder()) / "output.txt"
        own = COMMON | job.options
        theirs = {name: value for name, value in os.environ.items() if name not in own}
        environment = theirs | dict(job.variables) | {"COLUMNS": "100", "NO_COLOR": "1"}
        with self._log.open("wb") as output:
            self._process = processes.start(
                [sys.executable, "-m", "iolab", job.target],
                cwd=self._root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._watch = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        told = None
        while True:
            state = self.state()
            if state != told:
                told = state
                self._audience.send("job", state)
            if not self.running:
                return
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """Interrupt the job as Ctrl-C does: what was measured is kept."""
        if self._process and self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    async def close(self) -> None:
        """End the job: interrupted, and killed if that does not end it."""
        await self.stop()
        process = self._process
        if process:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, PATIENCE_S)
            await asyncio.to_thread(processes.stop, process)
        if self._watch:
            self._watch.cancel()
        self._stack.close()

    def state(self) -> dict[str, Any] | None:
        """Return what the page shows; None if nothing was started."""
        if not self._job or not self._process or not self._log:
            return None
        try:
            said = self._log.read_bytes()[-20_000:].decode(errors="replace")
        except OSError:
            said = ""
        return {
            "line": self._job.line,
            "running": self.running,
            "status": self._process.returncode,
            "begun": self._begun_s,
            "output": "\n".join(said.splitlines()[-LINES:]),
        }
