"""The kernel's table of connections, as /proc/net/tcp has it, and as it really is."""

import socket
from pathlib import Path

from iolab.kinds.faults import connections
from tests.runtime.scripts import serving

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 61 1
   1: 020012AC:1F92 0300012A:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 62 1
   2: 020012AC:1F92 0200007F:9C41 03 00000000:00000000 00:00000000 00000000     0        0 0 1
   3: 020012AC:1F92 0200007F:9C42 06 00000000:00000000 00:00000000 00000000     0        0 0 1
   4: 020012AC:1F91 0200007F:9C43 01 00000000:00000000 00:00000000 00000000     0        0 0 1
   5: 0200007F:9C43 020012AC:1F92 01 00000000:00000000 00:00000000 00000000     0        0 0 1
"""


def test_only_the_other_ends_of_this_port_are_counted() -> None:
    found = connections.Connections.parse(TABLE, 8082)
    assert found.established == {("42.1.0.3", 40000)}
    assert found.half_open == 1
    assert found.left([("42.1.0.3", 40000), ("127.0.0.2", 40001)]) == 1


def test_a_real_server_has_who_is_connected(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with socket.create_connection(server.address) as one:
            own = one.getsockname()
            one.sendall(b"hello")
            one.recv(100)
            now = connections.read(server)
            assert now is not None
            assert now.left([own]) == 1
        assert server.listen_counters().cookies is not None
        server.kill()
        assert connections.read(server) is None
        assert "killed" not in server.log()
