import os
import socket

import pytest

from iolab.errors import UsageError
from iolab.host import ports
from tests.own import free_ports


def test_a_free_port_is_free() -> None:
    ports.check_free("127.0.0.1", free_ports(1)[0], "a server")


def test_the_holder_of_a_taken_port_is_named() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            ports.check_free("127.0.0.1", port, "server A (blocking)")
    assert str(caught.value).startswith(f"port {port} for server A (blocking) is in use by ")
    assert f"(pid {os.getpid()})" in str(caught.value)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1:8080 for a server: .*BIND"):
        ports.check_free("192.0.2.1", 8080, "a server")
