"""Checks whether a port is free, and finds the program that uses it."""

import errno
import socket
from collections.abc import Iterable

import psutil

from iolab.errors import UsageError
from iolab.lab import Service


def shown(address: str) -> str:
    """Return an address as a browser of this machine opens it: localhost if it is this machine's own, or any."""
    return "localhost" if address in ("127.0.0.1", "0.0.0.0", "::", "::1") else address  # noqa: S104


def free() -> int:
    """Return a port of this machine (127.0.0.1) that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def check_free(address: str, port: int, wanted_for: str, otherwise: str = "choose another port in .env") -> None:
    """Raise UsageError if `port` is in use, with the name and pid of the program if the system reports them.

    `otherwise` says what the user can do if that program must stay.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: without it, lingering connections of an earlier server would look like a program on this port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(
                    f"{address}:{port} for {wanted_for}: {error.strerror}; choose another address with BIND"
                ) from error
    raise UsageError(
        f"port {port} for {wanted_for} is in use by {_holder(port)}:"
        f" stop it (`make down`, if it is the lab), or {otherwise}"
    )


def shared(services: Iterable[Service]) -> list[str]:
    """Return a line for each port that several services would publish."""
    of_port: dict[int, list[str]] = {}
    for service in services:
        for port in service.ports:
            of_port.setdefault(port.host, []).append(service.name)
    return [
        f"port {port} is for {' and '.join(names)}: choose another one for one of them in .env"
        for port, names in of_port.items()
        if len(names) > 1
    ]


def check_shared(services: Iterable[Service]) -> None:
    """Raise UsageError if several services would publish the same port."""
    for text in shared(services):
        raise UsageError(text)


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        connections = []
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                break
    return "another program"
