"""Servers that already run, of several kinds, for tests of what is measured without access to a server."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

WAIT_S = 0.02


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.0, which closes after each answer: waits and answers 200; some paths answer otherwise."""

    asked: list[str]
    wait_s: float

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
        else:
            threading.Event().wait(self.wait_s)  # the server's own wait
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name in http.server)
        pass


class Pool(HTTPServer):
    """As many requests are served at once as it has threads."""

    request_queue_size = 128

    def __init__(self, host: str, threads: int, wait_s: float) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pool = ThreadPoolExecutor(threads)
        self.asked: list[str] = []
        super().__init__((host, 0), type("Own", (Handler,), {"asked": self.asked, "wait_s": wait_s}))

    def process_request(self, request: Any, client_address: Any) -> None:
        self.pool.submit(self.work, request, client_address)

    def work(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)


@contextmanager
def pool(threads: int = 8, host: str = "127.0.0.1", wait_s: float = WAIT_S) -> Iterator[Pool]:
    """Run a server with so many threads, until the end of the block."""
    server = Pool(host, threads, wait_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.pool.shutdown()


@contextmanager
def raw(answer: bytes | None) -> Iterator[int]:
    """Listen, and send bytes to whoever asks, and close; None: never answer. Yields the port."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in held:
                each.close()
