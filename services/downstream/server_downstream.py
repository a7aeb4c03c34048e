"""The downstream service, in the place of a database: it holds each request for the time that the request asks for.

A request is a line with a number of milliseconds, such as 20; the answer, once they are over, is the line "done".
Requests of one connection are held one after the other, those of several connections at the same time, any number of
them: what bounds them is the pool of connections in the server that asks.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

MOST_MS = 3_600_000  # exponential waits have no highest value


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: float, low: float = 0, high: float = 60_000) -> Any:
    text = os.environ.get(name) or str(default)  # empty: the default, whose type the value has
    try:
        value = type(default)(text.encode())  # digits of ASCII only
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        refuse(f"{name}={text:.60}: must be a{' whole' * isinstance(default, int)} number from {low} to {high}")
    return value


PORT, HOST = number("PORT", 8094, 0, 65535), os.environ.get("HOST") or "127.0.0.1"  # 0: any free port


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection; a line that is no time closes it."""
    with suppress(OSError, ValueError):  # ValueError: also for a line that is longer than the reader's limit
        while line := await reader.readline():
            wait_ms = float(line)
            if not 0 <= wait_ms <= MOST_MS:
                break
            await asyncio.sleep(wait_ms / 1000)
            writer.write(b"done\n")
            await writer.drain()
    writer.close()


async def main() -> None:
    try:
        server = await asyncio.start_server(hold, HOST, PORT, backlog=1024)
    except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
        refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
    print(f"downstream service, port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # without waiting for the requests that it holds
asyncio.run(main())
