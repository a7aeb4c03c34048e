"""Answers every request at once, with the shortest valid response: the rate here is the load generator's own maximum.

It prints its port when it listens. PORT is the port, 0 for any.
"""

import asyncio
import os
import signal
from typing import cast

import open_files

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
END = b"\r\n\r\n"
BACKLOG = 4096  # a load generator that was interrupted for a moment opens many connections at once


class Null(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        requests = self.rest + data
        self.rest = requests[requests.rfind(END) + len(END) :] if END in requests else requests
        self.transport.write(ANSWER * requests.count(END))


async def main() -> None:
    loop = asyncio.get_running_loop()
    place = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "0"))
    server = await loop.create_server(Null, *place, backlog=BACKLOG)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


if __name__ == "__main__":
    open_files.raise_limit()
    asyncio.run(main())
