"""Sends requests to a server that is observed: GET / at once, each on a connection of its own."""

import asyncio
import os
import re
from contextlib import suppress

MOST_BYTES = 1 << 20  # of an answer: an endless one is not read to its end
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,15})\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_NO_BODY = re.compile(r"204|304")  # RFC 9110, 6.4.1


def at_once(address: tuple[str, int], count: int, limit_s: float) -> list[str]:
    """Send `count` requests at once; return the status of each answer, or the reason why there is none."""

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(_ask(address, limit_s) for _ in range(count)))

    return asyncio.run(all_of_them())


def is_status(answer: str) -> bool:
    """Say whether this is the status of an answer, and not the reason why there is none."""
    return answer.isdecimal()


async def _ask(address: tuple[str, int], limit_s: float) -> str:
    writer, status = None, ""
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(f"GET / HTTP/1.1\r\nHost: {_host(address)}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not (found := _STATUS.match(head)):
                return "the answer is not HTTP"
            status = found[1].decode()
            with suppress(OSError):  # the status is known, whatever happens to the rest
                await _read_body(reader, head, status)
            return status
    except TimeoutError:
        return status or f"no answer within {limit_s:g} s"
    except asyncio.LimitOverrunError:
        return "the answer is not HTTP"
    except asyncio.IncompleteReadError as error:
        return "the answer is not HTTP" if error.partial else "the connection was closed without an answer"
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else "the connection failed"
    finally:
        if writer:
            writer.close()


async def _read_body(reader: asyncio.StreamReader, head: bytes, status: str) -> None:
    """Read until the body ends: a server may keep the connection open, though it is asked to close it."""
    length, chunked = _LENGTH.search(head), _CHUNKED.search(head)
    wanted = MOST_BYTES
    if _NO_BODY.fullmatch(status):
        wanted = 0
    elif length and not chunked:
        wanted = min(int(length[1]), MOST_BYTES)
    body = b""
    while len(body) < wanted and not (chunked and body.endswith(b"0\r\n\r\n")):
        more = await reader.read(1 << 16)
        if not more:
            break
        body += more


def _host(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
