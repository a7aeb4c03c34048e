"""Heads of HTTP requests: a small, strict part of RFC 9112, and the handshake of RFC 6455; one request a connection."""

import os
import re
from base64 import b64decode, b64encode
from hashlib import sha1
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote_plus

MOST = 16_384  # bytes of a head
END = b"\r\n\r\n"
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()  # of other web pages that may send requests
# No two parts of these can match the same characters: a long line cannot make them search for long.
LINE = re.compile(r"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.([01])")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0-\x08\x0a-\x1f\x7f]*)")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Refused(Exception):
    """A request that is not allowed: the status of the answer, and its text."""

    def __init__(self, status: int, text: str = "") -> None:
        self.status, self.text = status, text


class Request(NamedTuple):
    """A request without a body; `fields` by their names in lower case."""

    method: str
    path: str
    query: str
    fields: dict[str, str]


def request(head: bytes) -> Request:
    """Return the request of a head, without the empty line at its end; raises Refused."""
    line, *others = head.decode("latin-1").split("\r\n")
    asked, fields = LINE.fullmatch(line), {}
    if not asked:
        raise Refused(400, "the first line is not METHOD /path HTTP/1.1\n")
    for other in others:
        if not (field := FIELD.fullmatch(other)):
            raise Refused(400, "a line of the head is not name: value\n")
        name, value = field[1].lower(), field[2].strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value  # a list: RFC 9110, 5.3
    # Two hosts have become a list, in which there is a blank.
    if re.search(r"\s", fields.get("host", "" if asked[3] == "0" else " ")):
        raise Refused(400, "there is no Host, or more than one\n")
    check(fields)
    path, _, query = asked[2].partition("?")
    return Request(asked[1], path, unquote_plus(query), fields)


def check(fields: dict[str, str]) -> None:
    """Raise Refused for a request of another web page, which any page can send, and for one with a body."""
    origin, size = fields.get("origin"), fields.get("content-length", "0")
    if origin and not {origin, origin.partition("://")[2]} & {fields.get("host"), *ORIGINS}:
        raise Refused(403, "another web page: see ALLOWED_ORIGINS\n")
    if not (size.isascii() and size.isdecimal()):
        raise Refused(400, "Content-Length is not a number\n")
    if "transfer-encoding" in fields or size.strip("0"):
        raise Refused(413, "no body is allowed\n")


def accepted(fields: dict[str, str]) -> bytes:
    """Return the answer to a handshake (RFC 6455, 4.2); raises Refused. Extensions are not agreed on."""
    words = {
        name: [word.strip().lower() for word in fields.get(name, "").split(",")] for name in ("upgrade", "connection")
    }
    if "websocket" not in words["upgrade"] or "upgrade" not in words["connection"]:
        raise Refused(400, "only WebSockets are served here\n")
    if fields.get("sec-websocket-version") != "13":
        raise Refused(426, "only version 13 is served here\n")
    key = fields.get("sec-websocket-key", "").encode("latin-1")
    try:
        right = len(b64decode(key, validate=True)) == 16
    except ValueError:
        right = False
    if not right:
        raise Refused(400, "the key is not 16 bytes in base64\n")
    token = b64encode(sha1(key + GUID).digest())  # noqa: S324 (the protocol has it; it protects nothing)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s%s"
        % (token, END)
    )


def response(status: int, text: str = "", kind: str = "text/plain") -> bytes:
    """Return an answer, after which the connection ends."""
    body = text.encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Connection: close"]
    lines += [f"Content-Type: {kind}; charset=utf-8", f"Content-Length: {len(body)}"] if status != 204 else []
    lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13"] if status == 426 else []
    return "\r\n".join((*lines, "", "")).encode() + body
