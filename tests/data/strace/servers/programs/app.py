"""One application for gunicorn (`app:app`) and for uvicorn (`app:asgi`)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

BODY = b"hello\n"


def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer after 20 ms, in a thread that can do nothing else meanwhile."""
    time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))])
    return [BODY]


async def asgi(scope: dict[str, Any], _: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Answer after 20 ms, in which the loop serves others."""
    if scope["type"] != "http":
        return
    await asyncio.sleep(0.02)
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
