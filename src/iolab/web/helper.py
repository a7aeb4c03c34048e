"""A process beside the page for what imports numpy and draws: the page itself stays small, and never stands still.

It reads a line of JSON and writes one; it ends when its input does.
"""

import asyncio
import json
import subprocess
import sys
from typing import Any

from iolab.errors import UsageError
from iolab.host import processes

IDLE_S = 60.0  # then the process ends, and with it its memory
LIMIT_S = 60.0
MOST_BYTES = 64 << 20


class Helper:
    """The other end of the pipes; the process is started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def ask(self, what: str, **given: Any) -> Any:
        """Return the answer of `iolab.web.answers.<what>`; raises UsageError with what it says."""
        async with self._turn:
            if self._end:
                self._end.cancel()
            try:
                found = await asyncio.wait_for(asyncio.to_thread(self._exchange, self._started(), what, given), LIMIT_S)
            except (TimeoutError, OSError, ValueError) as error:
                await self.close()
                raise UsageError("the computation failed: try again") from error
            self._end = asyncio.get_running_loop().call_later(IDLE_S, self._let_go)
        if "error" in found:
            raise UsageError(str(found["error"]))
        return found["answer"]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = processes.start(
                [sys.executable, "-m", "iolab.web.answers"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self._process

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], what: str, given: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin and process.stdout  # noqa: S101,PT018 (pipes)
        process.stdin.write(json.dumps([what, given]).encode() + b"\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline(MOST_BYTES))
        return found

    def _let_go(self) -> None:
        asyncio.ensure_future(self.close())  # noqa: RUF006 (it has nothing to tell)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if self._end:
            self._end.cancel()
        if process:
            await asyncio.to_thread(processes.stop, process)
