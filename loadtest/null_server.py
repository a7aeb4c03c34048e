"""Answers every request at once, with the shortest valid response: the rate here is the load generator's own maximum.

It prints its port when it listens. PORT is the port, 0 for any. One thread, without a framework: a server that computes
more than the load generator would be the limit itself.
"""

import os
import selectors
import signal
import socket
import sys
from contextlib import suppress

import open_files

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
END = b"\r\n\r\n"
BACKLOG = 4096  # a load generator that was interrupted for a moment opens many connections at once
AT_ONCE = 64  # connections that are accepted before requests are answered


class NullServer:
    """All connections, in one thread; `_rest` has what was read of requests that are not complete."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._rest: dict[socket.socket, bytes] = {}

    def serve(self) -> None:
        """Serve without end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj)

    def _accept(self) -> None:
        with suppress(OSError):  # there are no more, or the limit of open files is met
            for _ in range(AT_ONCE):
                self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
            if data:
                requests = self._rest.pop(connection, b"") + data
                if not requests.endswith(END):
                    self._rest[connection] = requests[requests.rfind(END) + len(END) :] if END in requests else requests
                connection.sendall(ANSWER * requests.count(END))
        except OSError:
            data = b""
        if not data:
            self._rest.pop(connection, None)
            self._selector.unregister(connection)
            connection.close()


def main() -> None:
    open_files.raise_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = NullServer(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "0")))
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
