"""Kinds of system calls, and their arguments as strace writes them -> descriptors, timeouts, bytes, frames."""

import ipaddress
import re
from collections.abc import Mapping

from iolab.trace.events import Syscall

EPOLL_WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
CLONES = ("clone", "clone3", "fork", "vfork")
ACCEPTS = ("accept", "accept4")
READS = ("recvfrom", "read", "recvmsg", "recv", "readv")
WRITES = ("sendto", "write", "sendmsg", "send", "writev", "sendfile", "splice")
OPENS = ("openat", "open", "openat2")
SOCKET_READS = ("recvfrom", "recvmsg", "recv")  # of sockets only: their end is the other side's
HIGHEST_FD = 1 << 20  # Linux's fs.nr_open: a larger number in epoll's data is no descriptor

# Of epoll_ctl: the operation by its name or, as strace -X raw writes it, its number; the descriptor.
CONTROL = re.compile(r"\d{1,9}(?:<[^>]*>)?, (?:EPOLL_CTL_(ADD|MOD|DEL)|0x([123])(?: /\*[^*]*\*/)?), (\d{1,9})")
OPERATIONS = {"1": "ADD", "2": "DEL", "3": "MOD"}
DATA = re.compile(r'"((?:[^"\\]|\\.)*)')  # strace may have cut its end

EPOLL_DATA = re.compile(r"\{u32=(\d{1,10})(?:, u64=(\d{1,20}))?\}|data=0x([0-9a-f]{1,16})\}")
_COMMENT = re.compile(
    r'(?:0x[0-9a-f]{1,16}|\d{1,10}|"(?:\\x[0-9a-f]{2}){1,16}") '
    r"/\* ([A-Z][A-Z0-9_|]*|htons\(\d+\)|inet_\w+\([^*]{1,80}\)) \*/"
)
_ADDRESS = re.compile(
    r"sa_family=(?:AF_INET|0x2|0xa)(?:6)?, "
    r"(?P<rest>[^}]{0,200})"
)
_PORT = re.compile(r'sin6?_port=(?:htons\((\d{1,5})\)|"((?:\\x[0-9a-f]{2}){2}|[^"]{0,16})")')
_HOST = re.compile(r'(?:inet_addr\("|inet_pton\(AF_INET6, "|sin6?_addr=")([^"]*)"')


def bits(text: str, names: Mapping[str, int]) -> int:
    """Return the flags of a text such as O_RDONLY|0x80000, with the values that `names` gives."""
    value = 0
    for part in text.split("|"):
        if part in names:
            value |= names[part]
        elif part[:1].isdigit():
            try:
                value |= int(part, 16 if part.startswith("0x") else 8 if part[0] == "0" else 10)
            except ValueError:
                continue
    return value


def symbolic(text: str) -> str:
    """Return arguments with the names that strace -X verbose writes as comments in the place of the numbers."""
    return _COMMENT.sub(r"\1", text) if "/* " in text else text


def address(text: str) -> tuple[str, int] | None:
    """Return host and port of the Internet address in the arguments of a call; None without one."""
    text = readable(symbolic(text))
    found = _ADDRESS.search(text)
    port = _PORT.search(found["rest"]) if found else None
    if found is None or port is None:
        return None
    host = _HOST.search(found["rest"])
    number = int(port[1]) if port[1] else int.from_bytes(_raw(port[2])[:2], "big")
    return (_host(host[1]) if host else ""), number


def _raw(text: str) -> bytes:
    return text.encode("latin-1", errors="replace") if "\\x" not in text else unescape(text)


def _host(text: str) -> str:
    """Return an address: strace -X raw writes its four or sixteen bytes."""
    if "\\x" in text or (len(text) in (4, 16) and not set(text) <= set("0123456789abcdefABCDEF:.")):
        raw = _raw(text)
        if len(raw) in (4, 16):
            return str(ipaddress.ip_address(raw))
    return text


def first_string(text: str) -> str | None:
    """Return the first string of a text, without its quotes; None without one, or if it has no end.

    A search for a pattern with both quotes takes quadratic time where there is no end.
    """
    found = DATA.search(text)
    return found[1] if found and text.startswith('"', found.end()) else None


def ready(call: Syscall) -> list[tuple[int, int | None]]:
    """Return what an epoll_wait returned with: the word given to epoll_ctl, and the descriptor that it may mean.

    strace before 6.10 writes {u32=7, u64=...}, later ones data=0x7f8f00000007. A program may put anything there: Python
    and libuv put the descriptor into the lower half (the upper half of newer Pythons is garbage), others a pointer.
    """
    found: list[tuple[int, int | None]] = []
    for low, word, hexadecimal in EPOLL_DATA.findall(call.rest[: call.result_at] if call.result_at > 0 else call.rest):
        number = int(hexadecimal, 16) if hexadecimal else int(word or low)
        if low and number & 0xFFFFFFFF != int(low):
            number = int(low)
        fd = int(low) if low else number & 0xFFFFFFFF
        found.append((number, fd if fd < HIGHEST_FD else None))
    return found


def ready_fds(call: Syscall) -> list[int]:
    """Return the descriptors that an epoll_wait returned with, where its data is the descriptor."""
    return [fd for _, fd in ready(call) if fd is not None]


def hides_fds(call: Syscall) -> bool:
    """Say whether an epoll_wait returned more than strace wrote: -s also cuts lists short, -s 0 to `[...]`."""
    return "...]" in call.rest


def frame_kind(data: str) -> str:
    """Say which websocket frame (RFC 6455, 5.2) this data is: "binary" has precedence over pongs before it in one read.

    `data` is as strace writes it: octal or hexadecimal escapes. Data that is not a frame is "other".
    """
    kind = _OPCODES.get(first[0] & 0x0F, "other") if (first := unescape(data[:4])) and first[0] & 0x80 else "other"
    if kind in ("other", "binary"):  # else perhaps a short frame, behind which there may be others
        return kind
    raw = unescape(data)
    while raw and raw[0] & 0x80:
        kind = _OPCODES.get(raw[0] & 0x0F, "other")
        if len(raw) == 1:  # strace -s 1
            break
        length = raw[1] & 0x7F
        if kind in ("binary", "other") or length > 125:  # control frames are short (5.5)
            break
        raw = raw[2 + (4 if raw[1] & 0x80 else 0) + length :]
    return kind


_OPCODES = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\([0-7]{1,3})|\\(.)", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f"}


def readable(text: str) -> str:
    """Return arguments with letters for the escapes of strace -xx, which writes every string in hexadecimal."""
    return unescape(text).decode("latin-1") if '"\\x' in text else text


def unescape(data: str) -> bytes:
    """Return the bytes that strace wrote as `data`."""

    def byte(match: re.Match[str]) -> str:
        hexadecimal, octal, letter = match.groups()
        if hexadecimal:
            return chr(int(hexadecimal, 16))
        return chr(int(octal, 8) & 0xFF) if octal else _LETTERS.get(letter, letter)

    return _ESCAPE.sub(byte, data).encode("latin-1", errors="replace")
