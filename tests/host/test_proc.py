"""The kernel's files and tables, in made folders, in texts as containers print them, and as they are here."""

import os
import socket
import sys
from pathlib import Path

import pytest

from iolab.host import proc
from iolab.runtime import ListenCounters
from tests.conftest import ROOT

PAGE = os.sysconf("SC_PAGE_SIZE")
NETSTAT = """TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPReqQFullDoCookies
TcpExt: 5 31 32 2
IpExt: InNoRoutes ListenDrops
IpExt: 5 6
"""
STATUS = (
    "Name:\tpython: 3\nPid:\t{}\nVmSize:\t  8192 kB\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t2\n"
)
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max processes             unlimited            unlimited            processes
Max open files            1024                 20000                files
"""
TABLES = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 020012AC:1F92 0300012A:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 62 1
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1F8F 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_counters_are_found_by_name() -> None:
    assert ListenCounters.parse(NETSTAT) == ListenCounters(overflows=31, drops=32, cookies=5, full_queue_cookies=2)
    assert proc.counters(NETSTAT, "IpExt") == {"InNoRoutes": 5, "ListenDrops": 6}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TcpExt: A\n",
        "TcpExt: A B\nTcpExt: 1 2\n",
        "TcpExt: ListenOverflows ListenDrops\nTcpExt: x y\n",
        NETSTAT * 2,
    ],
)
def test_counters_that_are_not_there_are_none(text: str) -> None:
    assert ListenCounters.parse(text) == ListenCounters(None, None, None, None)


def test_a_difference_is_known_where_both_readings_are() -> None:
    before, after = ListenCounters(1, None, 3, 7), ListenCounters(5, 6, None, 9)
    assert after.since(before) == ListenCounters(4, None, None, 2)


LINES = "{0}/sys/net/ipv4/tcp_syn_linear_timeouts:4\n{0}/sys/net/ipv4/tcp_abort_on_overflow:0\n{0}/sys/net/core/somaxconn:512\n"


def test_network_settings_are_of_this_namespace_or_of_another_s_lines(tmp_path: Path) -> None:
    names = {"sys__net__ipv4__tcp_abort_on_overflow": "1\n", "sys__net__core__somaxconn": "4096\n"}
    here = write(tmp_path, **names)
    older = {"net.ipv4.tcp_syn_linear_timeouts": 0, "net.ipv4.tcp_abort_on_overflow": 1, "net.core.somaxconn": 4096}
    assert proc.network_settings(proc=here) == older  # Linux before 6.5 has no linear timeouts
    there = {"net.ipv4.tcp_syn_linear_timeouts": 4, "net.ipv4.tcp_abort_on_overflow": 0, "net.core.somaxconn": 512}
    assert proc.network_settings(LINES.format(proc.PROC)) == there
    assert proc.network_settings("") == proc.network_settings(proc=tmp_path / "nowhere") == {}


def test_fields_and_sizes() -> None:
    status = STATUS.format(7, 10)
    assert proc.fields(status)["Name"] == "python: 3"
    assert proc.sizes(status)["VmSize"] == 8192 * 1024
    assert "Name" not in proc.sizes(status)
    assert proc.switches(status) == (10, 2)
    assert proc.switches("") == (0, 0)
    assert proc.pairs("nr_throttled 7\nmax max\n\n1 2 3\n") == {"nr_throttled": 7}


def test_statuses_of_several_threads_in_one_text_are_told_apart() -> None:
    one, other = STATUS.format(7, 10), STATUS.format(8, 100)
    assert proc.split_statuses(one + other) == [one, other]
    assert proc.split_statuses("") == []


def test_a_process_in_a_made_folder(tmp_path: Path) -> None:
    write(
        tmp_path, **{"7__status": STATUS.format(7, 1), "7__limits": LIMITS, "7__task__7__status": "a", "7__fd__0": ""}
    )
    write(tmp_path, **{"7__cgroup": "8:cpu,cpuacct:/a\n0::/b:c\n", "loadavg": "0.1 0.2 0.3 1/268 9\n"})
    assert proc.total([7, 8], "VmSize", tmp_path) == 8192 * 1024
    assert proc.total([7, 8], "VmSwap", tmp_path) is None
    assert (proc.limit(7, "Max open files", tmp_path), proc.limit(7, "Max processes", tmp_path)) == (1024, None)
    assert proc.limit(7, "Max open files", tmp_path, hard=True) == 20_000
    assert list(proc.thread_statuses(7, tmp_path)) == ["a"]
    assert proc.open_files(7, tmp_path) == 1
    assert proc.groups(7, tmp_path) == {"cpu": "/a", "cpuacct": "/a", "": "/b:c"}
    assert proc.tasks(tmp_path) == 268


def test_of_a_process_that_has_ended_nothing_is_known(tmp_path: Path) -> None:
    assert (proc.total([7], "Threads", tmp_path), proc.limit(7, "Max open files", tmp_path)) == (None, None)
    assert (proc.open_files(7, tmp_path), list(proc.thread_statuses(7, tmp_path))) == (None, [])
    assert (proc.groups(7, tmp_path), proc.tasks(tmp_path), proc.sockets_bytes(tmp_path)) == ({}, None, None)
    assert proc.cpu_times(tmp_path) == (None, None)


def test_busy_time_is_neither_idle_nor_waiting_nor_stolen(tmp_path: Path) -> None:
    write(tmp_path, stat="cpu  100 20 30 9000 500 6 7 80 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    tick = os.sysconf("SC_CLK_TCK")
    assert proc.cpu_times(tmp_path) == ((100 + 20 + 30 + 6 + 7) / tick, 80 / tick)


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("", None),
        ("TCP: inuse 1 orphan 0\n", None),
        ("UDP: mem 7\n", None),
        ("TCP: inuse 1 mem 188\nUDP: mem 7\n", 188),
    ],
)
def test_buffers_are_counted_in_pages(tmp_path: Path, text: str, pages: int | None) -> None:
    write(tmp_path, net__sockstat=text)
    assert proc.sockets_bytes(tmp_path) == (pages and pages * PAGE)


def test_a_port_listens_on_either_version_of_ip() -> None:
    assert proc.listens(TABLES, 0x1F8F)
    assert not proc.listens(TABLES, 0x1F92)  # connected, and no more
    assert [row.port for row in proc.connections(TABLES)] == [0x1F92, 0x1F8F]


@pytest.mark.needs("linux")
def test_a_port_of_this_machine_listens_without_a_connection_to_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert proc.listens(proc.tables(), port)
    assert not proc.listens(proc.tables(), port)


def test_no_other_module_names_these_files() -> None:
    """The path of a file of the kernel is a string of host/proc.py alone."""
    named = [
        path
        for path in (ROOT / "src" / "iolab").rglob("*.py")
        for start in ("/proc", "/sys/")
        if f'"{start}' in path.read_text()
    ]
    assert {path.name for path in named} == {"proc.py"}


def listening(*hosts: str, port: str = "1F40", state: str = "0A") -> str:
    """Rows of net/tcp and net/tcp6: sockets that listen on port 8000."""
    return "".join(f" 0: {host}:{port} {'0' * len(host)}:0000 {state} 0:0 0:0 0 0 0 1\n" for host in hosts)


@pytest.mark.parametrize(
    ("hosts", "address"),
    [
        (["0100007F"], "127.0.0.1"),
        (["00000000"], "127.0.0.1"),
        (["0" * 32], "::1"),
        (["0" * 24 + "01000000"], "::1"),
        (["0" * 32, "00000000"], "127.0.0.1"),
        (["0200007F"], "127.0.0.2"),
        (["0" * 16 + "FFFF0000" + "0100007F"], "127.0.0.1"),  # ::ffff:127.0.0.1
        (["0101A8C0"], None),  # 192.168.1.1
        (["B80D0120" + "0" * 16 + "01000000"], None),  # 2001:db8::1
        (["0101A8C0", "0100007F"], "127.0.0.1"),
        ([], None),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the rows are those of a little-endian machine")
def test_a_port_is_reached_at_an_address_of_this_machine_alone(hosts: list[str], address: str | None) -> None:
    assert proc.reached_at(listening(*hosts), 8000) == address


def test_a_connection_or_another_port_is_not_reached() -> None:
    assert proc.reached_at(listening("0100007F", state="01"), 8000) is None
    assert proc.reached_at(listening("0100007F", port="1F41"), 8000) is None


@pytest.mark.needs("linux")
def test_a_socket_of_this_machine_is_reached_where_it_listens() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listener = socket.create_server((address, 0), family=family)
        except OSError:  # a kernel without IPv6
            continue
        with listener:
            assert proc.reached_at(proc.tables(), listener.getsockname()[1]) == address


def test_the_processes_that_one_traces_are_found(tmp_path: Path) -> None:
    texts = {f"{pid}__status": f"Name:\tx\nTracerPid:\t{tracer}\n" for pid, tracer in ((7, 5), (12, 5), (9, 0), (5, 0))}
    assert proc.traced_by(5, write(tmp_path, **texts, self__status="TracerPid:\t5\n")) == [7, 12]
    assert proc.traced_by(6, tmp_path) == []
