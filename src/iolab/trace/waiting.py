"""Every system call that waits for descriptors: where its timeout stands, and in which unit.

Source: the synopses of man 2 epoll_wait, poll, select and io_uring_enter, and strace's way to print their arguments.
"""

import re
from dataclasses import dataclass

from iolab.trace.decode import bits
from iolab.trace.events import Syscall

LONGEST_TAIL = 1500  # characters at the end of the arguments in which a timeout is looked for
FOR_EVER = -1.0

# A signal mask: NULL, an address, [INT TERM], ~[KILL STOP], or in braces with its size (pselect6).
_MASK = r"(?:NULL|0x[0-9a-f]{1,16}|~?\[[^\]]{0,600}\]|\{[^}]{0,700}\})"
_MS = r", (-?(?:0x)?[0-9a-f]{1,16})"
_TIME = r", (NULL|0x[0-9a-f]{1,16}|\{[^}]{0,120}\})"
_PAIR = re.compile(r"\{(?:tv_sec=)?(-?\d{1,19}), (?:tv_u?n?sec=)?(-?\d{1,10})")
_ENTER = re.compile(r"\d{1,9}(?:<.{0,80}?>)?, \d{1,9}, (\d{1,9}), ([\w|]{1,200})")


@dataclass(frozen=True)
class WaitCall:
    """How strace ends the arguments of a call that waits; `per_s` is how many units of its timeout make a second."""

    end: re.Pattern[str]
    per_s: float


def _call(end: str, per_s: float) -> WaitCall:
    return WaitCall(re.compile(end + "$"), per_s)


# One entry a call: the argument that is the timeout, what follows it, and its unit (the second number of a pair).
WAIT_CALLS = {
    "epoll_wait": _call(_MS, 1e3),
    "epoll_pwait": _call(_MS + ", " + _MASK + r", \d{1,4}", 1e3),
    "epoll_pwait2": _call(_TIME + ", " + _MASK + r", \d{1,4}", 1e9),
    "poll": _call(_MS, 1e3),
    "ppoll": _call(_TIME + ", " + _MASK + r"(?:, \d{1,4})?", 1e9),
    "ppoll_time64": _call(_TIME + ", " + _MASK + r"(?:, \d{1,4})?", 1e9),
    "select": _call(_TIME, 1e6),
    "_newselect": _call(_TIME, 1e6),
    "pselect6": _call(_TIME + ", " + _MASK, 1e9),
    "pselect6_time64": _call(_TIME + ", " + _MASK, 1e9),
    "io_uring_enter": _call("", 1e9),
}
# Most waits of an idle loop: nothing was ready. Groups: the timeout in milliseconds, the duration.
IDLE = re.compile(r"\d{1,9}(?:<[^>]{0,60}>)?, \[\], \d{1,9}, (\d{1,9})(?:, NULL, \d)?\) += 0 <(\d{1,9}\.\d{1,9})>$")


def timeout_s(call: Syscall) -> float | None:
    """Return the timeout of a waiting call in seconds: 0 for a check, FOR_EVER without one; None if it is not shown."""
    name, rest = call.name, call.rest
    if name == "epoll_wait" and call.result_at > 0:
        return _milliseconds(rest[rest.rfind(", ", 0, call.result_at) + 2 : call.result_at].rstrip(" )"))
    if name == "io_uring_enter":
        return _of_enter(rest)
    how = WAIT_CALLS[name]
    match = how.end.search(call.arguments[-LONGEST_TAIL:])
    if match is None:
        return None
    text = match[1]
    if text[0] != "{":
        if text == "NULL":
            return FOR_EVER
        return _milliseconds(text) if how.per_s == 1e3 else None  # the address of a structure that is not shown
    pair = _PAIR.match(text)
    return max(0.0, int(pair[1]) + int(pair[2]) / how.per_s) if pair else None


def waits(call: Syscall) -> bool:
    """Say whether this call waits: io_uring_enter does only if it asks for completions."""
    if call.name != "io_uring_enter":
        return True
    match = _ENTER.match(call.rest)
    return bool(match and int(match[1]) and bits(match[2], _ENTER_FLAGS) & 1)


_ENTER_FLAGS = {"IORING_ENTER_GETEVENTS": 1, "IORING_ENTER_SQ_WAKEUP": 2, "IORING_ENTER_EXT_ARG": 8}


def _of_enter(rest: str) -> float | None:
    match = _ENTER.match(rest)
    if match is None:
        return None
    if not bits(match[2], _ENTER_FLAGS) & 8:
        return FOR_EVER
    pair = _PAIR.search(rest, rest.find("ts=")) if "ts={" in rest else None
    return int(pair[1]) + int(pair[2]) / 1e9 if pair else None


def _milliseconds(text: str) -> float | None:
    try:
        value = int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        return None
    # Strace before 4.15 writes an int as if it had no sign: 4294967295 for -1.
    if value >= 1 << 31:
        value -= 1 << 32
    return FOR_EVER if value < 0 else value / 1e3
