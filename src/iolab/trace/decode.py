"""Kinds of system calls, and their arguments as strace writes them -> descriptors, timeouts, bytes, frames."""

import re

from iolab.trace.events import Syscall

EPOLL_WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
WAITS = (*EPOLL_WAITS, "poll", "ppoll", "select", "pselect6")
CLONES = ("clone", "clone3", "fork", "vfork")
ACCEPTS = ("accept", "accept4")
READS = ("recvfrom", "read", "recvmsg", "recv", "readv")
WRITES = ("sendto", "write", "sendmsg", "send", "writev")
OPENS = ("openat", "open", "openat2")

CONTROL = re.compile(r"\d+(?:<[^>]*>)?, EPOLL_CTL_(ADD|MOD|DEL), (\d{1,9})")  # the arguments of epoll_ctl
DATA = re.compile(r'"((?:[^"\\]|\\.)*)')  # strace may have cut its end

_READY = re.compile(r"\{u32=(\d{1,9})[,}]|data=0x([0-9a-f]{1,16})\}")


def first_string(text: str) -> str | None:
    """Return the first string of a text, without its quotes; None without one, or if it has no end.

    A search for a pattern with both quotes takes quadratic time where there is no end.
    """
    found = DATA.search(text)
    return found[1] if found and text.startswith('"', found.end()) else None


def ready_fds(call: Syscall) -> list[int]:
    """Return the descriptors that an epoll_wait returned with.

    strace before 6.10 writes {u32=7, u64=...}, later ones data=0x7f8f00000007. Python and libuv put the descriptor
    into the lower half; the upper half of newer Pythons is garbage.
    """
    return [
        int(decimal) if decimal else int(hexadecimal, 16) & 0xFFFFFFFF
        for decimal, hexadecimal in _READY.findall(call.arguments)
    ]


def hides_fds(call: Syscall) -> bool:
    """Say whether an epoll_wait returned more than strace wrote: -s also cuts lists short, -s 0 to `[...]`."""
    return "...]" in call.rest


def timeout_ms(call: Syscall) -> int | None:
    """Return the timeout of an epoll_wait or poll in milliseconds; -1 for none; None where it cannot be read."""
    last = call.arguments.removesuffix(", NULL, 8").rpartition(", ")[2]  # epoll_pwait's signal mask comes after it
    if last == "NULL":
        return -1
    return int(last) if len(last) < 10 and last.removeprefix("-").isdecimal() else None


def frame_kind(data: str) -> str:
    """Say which websocket frame (RFC 6455, 5.2) this data is: "binary" has precedence over pongs before it in one read.

    `data` is as strace writes it: octal or hexadecimal escapes. Data that is not a frame is "other".
    """
    raw, kind = unescape(data), "other"
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
