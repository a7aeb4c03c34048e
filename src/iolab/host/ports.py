"""Is a port free, and if not, who has it?"""

import errno
import socket

import psutil

from iolab.errors import UsageError


def check_free(address: str, port: int, wanted_for: str) -> None:
    """Raise UsageError, with the holder's name and pid where the system tells, if `port` is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: without it, connections of an earlier server that linger would look like a holder.
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
        f"port {port} for {wanted_for} is taken by {_holder(port)}:"
        " stop that (`make down`, if it is the lab), or choose another in .env"
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
