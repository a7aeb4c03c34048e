"""A server of the live view: a process of its own at a free port, started while the page goes on."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from iolab.errors import ServerFailed, UsageError
from iolab.host import processes
from iolab.host.programs import lacking, own_command
from iolab.lab import Model

HOST = "127.0.0.1"
READY_S, POLL_S = 20.0, 0.03
FAMILY_S = 5.0  # between two looks for processes that a server has started: each reads all of /proc


class Server:
    """A running server, its address, and what the machine says of its processes."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self.address = (HOST, port)
        self._process, self._output = process, output
        self._first = psutil.Process(process.pid)
        self._family: list[psutil.Process] = []
        self._look_again_s = 0.0
        self._read = (time.monotonic(), 0.0)

    @classmethod
    async def start(cls, model: Model, variables: Mapping[str, str], output: Path) -> "Server":
        """Start a model's own command with these environment variables; raises ServerFailed."""
        if lacks := lacking(model.service):
            raise ServerFailed(f"it {lacks}")
        port = _free_port()
        service = model.service
        try:
            command = await asyncio.to_thread(own_command, service)
        except UsageError as error:
            raise ServerFailed(str(error)) from error
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        own = {**service.environment_with(variables), "HOST": HOST, "PORT": str(port)}
        with output.open("wb") as log:
            process = processes.start(
                command,
                cwd=service.folder, env=theirs | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        server = cls(process, port, output)
        try:
            await server._ready()
        except BaseException:
            await server.stop()
            raise
        return server

    async def _ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection(*self.address)
                    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                    answer = await reader.read(64)
                    writer.close()
                if b" 200 " in answer:
                    return
            if not self.alive:
                said = processes.last_lines(self._output.read_text(errors="replace"), otherwise="nothing")
                raise ServerFailed(f"the server ended with status {self._process.returncode}: {said}")
            await asyncio.sleep(POLL_S)
        raise ServerFailed(f"the server was not ready after {READY_S:g} s")

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def usage(self) -> tuple[float | None, int | None]:
        """Return the share of a core that its processes used since the last call, and their threads.

        None if it has ended, and once if a process of it has.
        """
        now_s = time.monotonic()
        try:
            if now_s >= self._look_again_s:
                self._family = [self._first, *self._first.children(recursive=True)]
                self._look_again_s = now_s + FAMILY_S
            cpu_s = sum(times.user + times.system for times in (each.cpu_times() for each in self._family))
            threads = sum(each.num_threads() for each in self._family)
        except psutil.Error:
            self._look_again_s = 0.0
            return None, None
        (before_s, before_cpu_s), self._read = self._read, (now_s, cpu_s)
        return max(0.0, (cpu_s - before_cpu_s) / max(1e-3, now_s - before_s)), threads

    async def stop(self) -> None:
        """End the process, and wait until it has ended."""
        await asyncio.shield(asyncio.to_thread(processes.stop, self._process))

    async def kill(self) -> None:
        """Kill the process, as `kill -9` does."""
        await asyncio.to_thread(processes.kill, self._process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
