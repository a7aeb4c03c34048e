"""What the chat servers of C refuse: requests of other web pages, bodies, and WebSocket frames without a mask."""

import os
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web, web_ws

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()  # of other web pages that may send requests


def checked(request: web.Request) -> web.Request:
    """Return the request, unless it is refused: one of another web page, or with a body.

    Any page that a user visits can send a request to this server; the browser then says in Origin whose page it is.
    """
    origin = request.headers.get("Origin")
    if origin and not {origin, origin.partition("://")[2]} & {request.headers.get("Host"), *ORIGINS}:
        raise web.HTTPForbidden(text="another web page: see ALLOWED_ORIGINS\n")
    if request.body_exists:  # what still arrives of it is discarded, for 10 s at most
        raise web.HTTPRequestEntityTooLarge(max_size=0, actual_size=request.content_length or 1)
    return request


@web.middleware
async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let requests through that are not refused."""
    return await handler(checked(request))


def guarded(handler: Handler) -> Handler:
    """Return a handler that gets only requests that are not refused."""
    return partial(refusing, handler=handler)


class MaskedFrames(web_ws.WebSocketReader):
    """Reads the frames of users, which must be masked (RFC 6455, 5.1): aiohttp reads others, too."""

    held, left = b"", 0  # the bytes of a head that is not complete; those that the last frame still has

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Hand over the frames up to the first one without a mask; one with a reserved bit set, an error, replaces it.

        A reserved bit closes the connection with code 1002, protocol error, as a missing mask has to.
        """
        data, at = self.held + data, self.left
        while at + 2 <= len(data):
            if data[at + 1] < 128:
                data, at = data[:at] + b"\xf0\x80", at + 2
                break
            size = data[at + 1] - 128
            head = 2 + {126: 2, 127: 8}.get(size, 0)
            if at + head > len(data):
                break
            at += head + 4 + (size if head == 2 else int.from_bytes(data[at + 2 : at + head], "big"))
        passed = min(at, len(data))
        self.held, self.left = data[passed:], at - passed
        return super().feed_data(data[:passed])


web_ws.WebSocketReader = MaskedFrames  # aiohttp has no setting for it
