"""Checks whether a port is free, and finds the program that uses it."""

import errno
import socket

import psutil

from iolab.errors import UsageError


def check_free(address: str, port: int, wanted_for: str) -> None:
    """Raise UsageError if `port` is in use, with the name and pid of the program if the system reports them."""
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
        " stop it (`make down`, if it is the lab), or choose another port in .env"
    )


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
