"""Server F, gevent: A's handler, unchanged. time.sleep and sockets are gevent's, so waiting lets other requests run."""

from gevent import monkey

monkey.patch_all()  # before any other import: from here on, time.sleep and socket are gevent's

import os  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402

from gevent.server import StreamServer  # noqa: E402

sys.path.append(str(Path(__file__).resolve().parents[1] / "blocking"))
from server import BACKLOG, DISTRIBUTION, HOST, PORT, WAIT_S, Handler, refuse  # noqa: E402


def serve(connection: socket.socket, address: tuple[str, int]) -> None:
    """Serve one connection, in a greenlet of its own: gevent changes to another one when this one waits."""
    with suppress(OSError):
        Handler(connection, address, None)
        connection.shutdown(socket.SHUT_WR)


# A's own HTTPServer would accept the next connection after the answer to this one: patching alone changes nothing.
try:
    listener = socket.create_server((HOST, PORT), backlog=BACKLOG)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
server = StreamServer(listener, serve)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print(f"gevent server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)
server.serve_forever()
