"""Logs for tests: the recorded ones with their truth, and lines to build others from."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

from iolab.trace.lines import Lines
from iolab.trace.story import Story, tell

FOLDER = Path(__file__).parents[1] / "data" / "strace"
TRUTHS = sorted(FOLDER.glob("*.json"))
# What a truth file says of how its log came about; no log can show that.
OF_THE_EXPERIMENT = {
    "log",
    "sha256",
    "filter",
    "note",
    "command",
    "python",
    "strace",
    "clicked",
    "clicks_made",
}


def recorded(name: str) -> bytes:
    """Return a recorded log."""
    return gzip.decompress((FOLDER / f"{name}.txt.gz").read_bytes())


def server_log(name: str) -> bytes:
    """Return a recorded log of another server than Streamlit's."""
    return gzip.decompress((FOLDER / "servers" / f"{name}.txt.gz").read_bytes())


def case(name: str) -> str:
    """Return a small log that shows one thing."""
    return (FOLDER.parent / "strace_cases" / f"{name}.txt").read_text(encoding="latin-1")


def truth(name: str) -> dict[str, Any]:
    """Return what is true of a recorded log."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def story_of(log: bytes | str, port: int = 8079) -> Story:
    """Return the story of a log."""
    raw = log.encode("latin-1") if isinstance(log, str) else log
    return tell(Lines(io.BytesIO(raw)), "a log", port)


SERVER = """\
10 1700000000.000000 epoll_create1(EPOLL_CLOEXEC) = 3<anon_inode:[eventpoll]> <0.000010>
10 1700000000.000100 epoll_ctl(3, EPOLL_CTL_ADD, 4, {events=EPOLLIN, data={u32=4, u64=4}}) = 0 <0.000010>
10 1700000000.000200 bind(5, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0 <0.000010>
10 1700000000.000300 bind(6, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}, 16) = 0 <0.000010>
10 1700000000.000400 bind(7, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.000010>
10 1700000000.000500 listen(7, 2048) = 0 <0.000010>
10 1700000000.000600 epoll_ctl(3, EPOLL_CTL_ADD, 7, {events=EPOLLIN, data={u32=7, u64=7}}) = 0 <0.000010>
10 1700000001.000000 epoll_wait(3, [{events=EPOLLIN, data={u32=7, u64=7}}], 2, -1) = 1 <0.500000>
10 1700000001.500100 accept4(7, {sa_family=AF_INET, sin_port=htons(5), sin_addr=inet_addr("9.9.9.9")}, [16], 0) = 8 <0.000010>
10 1700000001.500200 epoll_ctl(3, EPOLL_CTL_ADD, 8, {events=EPOLLIN, data={u32=8, u64=139637976727560}}) = 0 <0.000010>
10 1700000001.500300 recvfrom(8, "GET /_stcore/stream HTTP/1.1\\r\\nUpgrade: websocket", 65536, 0, NULL, NULL) = 200 <0.000010>
10 1700000001.500400 sendto(8, "HTTP/1.1 101 Switching Protocols\\r\\n", 200, 0, NULL, 0) = 200 <0.000010>
"""
CLICK = """\
10 1700000002.000000 epoll_wait(3, [{events=EPOLLIN, data={u32=8, u64=139637976727560}}], 3, -1) = 1 <0.250000>
10 1700000002.251000 recvfrom(8, "\\202\\376\\0\\210\\332", 65536, 0, NULL, NULL) = 144 <0.000010>
10 1700000002.253000 clone3({flags=CLONE_VM, exit_signal=0} => {parent_tid=[20]}, 88) = 20 <0.000100>
20 1700000002.256000 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY|O_CLOEXEC) = 9 <0.000010>
10 1700000002.258000 sendto(8, "\\202\\4J\\2\\20\\1", 6, 0, NULL, 0) = 6 <0.000010>
20 1700000002.259000 +++ exited with 0 +++
"""
