"""The frames of a WebSocket (RFC 6455, section 5): what a user sent, and how the server answers it."""

from codecs import utf_8_decode
from collections.abc import Iterator

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LIMIT = 1024  # bytes, which a message must stay below
NORMAL, GOING, PROTOCOL, NOT_TEXT, NOT_UTF8, TOO_LONG = 1000, 1001, 1002, 1003, 1007, 1009  # codes: RFC 6455, 7.4.1
FINAL, RESERVED, KIND, CONTROL, MASKED, SIZE = 0x80, 0x70, 0x0F, 0x08, 0x80, 0x7F  # bits of the first two bytes
Answer = tuple[int, bytes]  # the kind of a frame, and its payload


def frame(kind: int, payload: bytes) -> bytes:
    """Return a frame of the server, which has no mask (5.1); a payload has less than 64 KiB."""
    size = len(payload)
    head = bytes((FINAL | kind, size)) if size < 126 else bytes((FINAL | kind, 126, size >> 8, size & 255))
    return head + payload


def closing(code: int) -> Answer:
    """Return the answer that ends a conversation."""
    return CLOSE, code.to_bytes(2, "big")


class Frames:
    """What one user sends. Between two messages it keeps two references to objects that all users share."""

    __slots__ = ("begun", "rest")  # the message whose last fragment has not come; the bytes of an incomplete frame

    def __init__(self) -> None:
        self.begun: bytes | None = None
        self.rest = b""

    def answers(self, data: bytes) -> Iterator[Answer]:
        """Take bytes as they come, in any pieces, and yield the answers to all frames that are complete.

        A text is answered with itself, a ping with a pong. After a CLOSE there is nothing more: it answers a close, or
        refuses a frame, as soon as its head says that it is not allowed; its payload is not waited for.
        """
        data, at = self.rest + data, 0
        while len(data) >= at + 2:
            first, second = data[at], data[at + 1]
            code, size, begin = self._refused(first, second), second & SIZE, at + 2
            if not code and size >= 126:
                begin += 2 if size == 126 else 8
                if len(data) < begin:
                    break
                least, size = 126 if size == 126 else 1 << 16, int.from_bytes(data[at + 2 : begin], "big")
                code = 0 if least <= size < 1 << 63 else PROTOCOL  # 5.2: the shortest form, the highest bit 0
            if not code and not first & CONTROL and len(self.begun or b"") + size >= LIMIT:
                code = TOO_LONG
            if code:
                yield closing(code)
                return
            if len(data) < begin + 4 + size:
                break
            at = begin + 4 + size
            answer = self._answer(first, unmasked(data[begin : begin + 4], data[begin + 4 : at]))
            if answer:
                yield answer
                if answer[0] == CLOSE:
                    return
        self.rest = data[at:]

    def _refused(self, first: int, second: int) -> int:
        """Return the code for a frame that the first two bytes of its head do not allow; 0 if they do."""
        kind, size = first & KIND, second & SIZE
        if first & RESERVED or not second & MASKED:  # no extension was agreed on (5.2); users must mask (5.1)
            return PROTOCOL
        if kind & CONTROL:  # short, and in one piece (5.5)
            return 0 if kind <= PONG and first & FINAL and size < 126 else PROTOCOL
        if kind > BINARY or (kind == CONTINUED) != (self.begun is not None):  # fragments come one after the other (5.4)
            return PROTOCOL
        return NOT_TEXT if kind == BINARY else 0

    def _answer(self, first: int, payload: bytes) -> Answer | None:
        """Return the answer to a frame that is allowed; None if it needs none."""
        kind = first & KIND
        if kind == PING:
            return PONG, payload
        if kind == PONG:
            return None
        if kind == CLOSE:
            return closing(close_code(payload))
        text, final = (self.begun or b"") + payload, bool(first & FINAL)
        if not utf8(text, final):
            return closing(NOT_UTF8)
        self.begun = None if final else text
        return (TEXT, text) if final else None


def unmasked(mask: bytes, payload: bytes) -> bytes:
    """Return the payload without its mask (5.3); as one large number, because a loop over bytes is slow."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def utf8(text: bytes, final: bool = True) -> bool:
    """Return whether bytes are UTF-8 (8.1); if they are not `final`, whether they can become it."""
    try:
        _, used = utf_8_decode(text, "strict", final)
    except UnicodeDecodeError:
        return False
    return not b"\xed\xa0" <= text[used : used + 2] < b"\xee"  # half a surrogate, which Python still waits for


def close_code(payload: bytes) -> int:
    """Return the code with which to answer a close: its own (5.5.1), or the one for what is wrong with it."""
    if not payload:
        return NORMAL
    code = int.from_bytes(payload[:2], "big")
    # 7.4: those that can be sent, then those that are registered (1012 to 1014 by IANA), or free to use
    known = 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
    if len(payload) == 1 or not known:
        return PROTOCOL
    return code if utf8(payload[2:]) else NOT_UTF8
