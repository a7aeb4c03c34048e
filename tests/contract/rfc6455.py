"""A model of a server that echoes short texts, written from RFC 6455 and RFC 3629, not from any of the lab's servers."""

import itertools
import re
from io import BytesIO

Answer = tuple[int, bytes]  # the opcode of a frame, and its payload
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LIMIT = 1024
HANDSHAKE = {  # 1.3, with the key of its example
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
# RFC 3629, section 4: the octets of each character.
CHARACTERS = (
    rb"[\x00-\x7f]",
    rb"[\xc2-\xdf][\x80-\xbf]",
    rb"\xe0[\xa0-\xbf][\x80-\xbf]",
    rb"[\xe1-\xec\xee\xef][\x80-\xbf]{2}",
    rb"\xed[\x80-\x9f][\x80-\xbf]",
    rb"\xf0[\x90-\xbf][\x80-\xbf]{2}",
    rb"[\xf1-\xf3][\x80-\xbf]{3}",
    rb"\xf4[\x80-\x8f][\x80-\xbf]{2}",
)
UTF8 = re.compile(rb"(?:" + rb"|".join(CHARACTERS) + rb")*")
# Of each range above, one octet: what can complete a character.
TAILS = [bytes(tail) for size in range(4) for tail in itertools.product((0x80, 0x90, 0xA0), repeat=size)]


def frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, masked: bool = True, form: int = 0
) -> bytes:
    """Return a frame of a client (5.2); its length in the shortest form, or in one of at least `form` octets."""
    size = len(payload)
    octets = max(form, 0 if size < 126 else 2 if size < 1 << 16 else 8)
    length = {0: size, 2: 126, 8: 127}[octets]
    head = bytes([final << 7 | reserved << 4 | opcode, masked << 7 | length])
    head += size.to_bytes(octets, "big") if octets else b""
    key = b"\x37\xfa\x21\x3d" if masked else b""
    return head + key + (bytes(octet ^ key[at % 4] for at, octet in enumerate(payload)) if masked else payload)


def answers(stream: bytes) -> list[Answer]:
    """Return the frames with which a server answers what a client has sent, up to the first close."""
    source, given, message = BytesIO(stream), [], None
    while (each := read(source, message)) is not None:
        opcode, final, payload, code = each
        if not code and opcode == CLOSE:
            code = closes(payload)
        elif not code and opcode == PING:
            given.append((PONG, payload))  # 5.5.3: the same application data
        elif not code and opcode != PONG:
            message = (message or b"") + payload
            if not (UTF8.fullmatch(message) if final else may_become_utf8(message)):
                code = 1007  # 8.1
            elif final:
                given.append((TEXT, message))
                message = None
        if code:
            return [*given, (CLOSE, code.to_bytes(2, "big"))]
    return given


def read(source: BytesIO, message: bytes | None) -> tuple[int, bool, bytes, int] | None:
    """Return the next frame: opcode, final or not, payload, and the code for what is wrong with it; None: not complete.

    `message` is what there is of a message in fragments. A frame whose head is not allowed has no payload.
    """
    head = source.read(2)
    if len(head) < 2:
        return None
    opcode, final, code = head[0] & 15, head[0] > 127, refusal(head, message is not None)
    length = 0 if code else payload_length(head, source)
    if length is None:
        return None
    if length < 0:
        code = 1002
    elif opcode < CLOSE and len(message or b"") + length >= LIMIT:
        code = code or 1009  # 7.4.1: too big
    if code:
        return opcode, final, b"", code
    key, masked = source.read(4), source.read(length)
    if len(key) + len(masked) < 4 + length:
        return None
    return opcode, final, bytes(octet ^ key[at % 4] for at, octet in enumerate(masked)), 0


def refusal(head: bytes, in_a_message: bool) -> int:
    """Return the code for what the first two octets of a frame say that is not allowed; 0 if all of it is."""
    bits = f"{head[0]:08b}{head[1]:08b}"
    final, reserved, opcode, masked, length = bits[0], bits[1:4], int(bits[4:8], 2), bits[8], int(bits[9:], 2)
    control = bits[4] == "1"
    rules = (
        (reserved != "000", 1002),  # 5.2: without an extension they must be 0
        (masked == "0", 1002),  # 5.1
        (opcode in {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}, 1002),  # 5.2: reserved opcodes
        (control and length > 125, 1002),  # 5.5
        (control and final == "0", 1002),  # 5.5: control frames are not fragmented
        (opcode == CONTINUATION and not in_a_message, 1002),  # 5.4
        (opcode in {TEXT, BINARY} and in_a_message, 1002),  # 5.4: fragments are not interleaved
        (opcode == BINARY, 1003),  # 7.4.1: a type of data that it does not accept
    )
    return next((code for broken, code in rules if broken), 0)


def payload_length(head: bytes, source: BytesIO) -> int | None:
    """Return the length of a payload; -1 if it is written as 5.2 does not allow, None if octets of it are missing."""
    length = head[1] & 127
    if length < 126:
        return length
    size, longest = (2, 125) if length == 126 else (8, 65_535)
    octets = source.read(size)
    if len(octets) < size:
        return None
    length = int.from_bytes(octets, "big")
    return length if longest < length < 2**63 else -1  # minimal; the most significant bit is 0


def closes(payload: bytes) -> int:
    """Return the code that answers a close frame (5.5.1, 7.4): its own, or the one for what is wrong with it."""
    if payload == b"":
        return 1000
    if len(payload) == 1:
        return 1002  # 5.5.1: a body has a code of two octets
    code = int.from_bytes(payload[:2], "big")
    if code not in {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}:
        return 1002  # 7.4.2: not used, reserved (1004), never sent (1005, 1006, 1015), or not registered
    return code if UTF8.fullmatch(payload[2:]) else 1007


def may_become_utf8(data: bytes) -> bool:
    """Return whether data are UTF-8 up to their last character, which may be incomplete."""
    return any(UTF8.fullmatch(data + tail) for tail in TAILS)
