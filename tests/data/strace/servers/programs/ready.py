"""A server that waits in select() or in poll(): ready.py select|poll PORT."""

import select
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
EVERY_S = 0.5


def by_select(watched: dict[int, socket.socket]) -> list[int]:
    """Return the descriptors that are ready; [] after EVERY_S."""
    return select.select(list(watched), [], [], EVERY_S)[0]


def by_poll(watched: dict[int, socket.socket]) -> list[int]:
    """Return the descriptors that are ready; it waits for ever."""
    poll = select.poll()
    for fd in watched:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll()]


def serve(how: str, port: int) -> None:
    """Answer each request on its connection until the client closes it."""
    listener = socket.create_server(("127.0.0.1", port), backlog=16)
    watched = {listener.fileno(): listener}
    while True:
        for fd in by_select(watched) if how == "select" else by_poll(watched):
            if fd == listener.fileno():
                connection, _ = listener.accept()
                watched[connection.fileno()] = connection
            elif watched[fd].recv(4096):
                watched[fd].sendall(ANSWER)
            else:
                watched.pop(fd).close()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
