"""Guards the page: it answers this machine's browser, and no page of another site.

Any page that the user visits can send a request to this address (its Origin is then that of the other page), or have
its own name resolve to it (its Host is then that name). Commands also need a token, which only the page itself has.
The same rules as those of Locust's page, loadtest/page_guard.py, which runs in a container of its own.
"""

import hmac
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from iolab.errors import UsageError

FORWARDED = ".app.github.dev"
TOKEN_HEADER = "X-Lab-Token"  # noqa: S105 (its name)
OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# Files of runs may come from other users: their scripts, if any, run as a page without an origin, and load nothing.
FOREIGN = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline';"
    " style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def refusal(host: str, origin: str | None, variables: Mapping[str, str]) -> str:
    """Return why a request is refused, "" if it is not."""
    name = _name(f"//{host}")
    if not (name == "localhost" or _is_address(name) or _is_ours(name, variables)):
        return f"Host {host} is not a name of this page; to allow it: make lab ALLOWED_HOSTS={name}\n"
    if origin and origin.partition("//")[2] != host and not _is_ours(_name(origin), variables):
        return f"Origin {origin} is another web page\n"
    return ""


def middleware(token: str, variables: Mapping[str, str]) -> Middleware:
    """Return what refuses foreign requests with status 403, and adds the headers of every answer."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        why = refusal(request.headers.get("Host", ""), request.headers.get("Origin"), variables)
        if (
            not why
            and request.method not in ("GET", "HEAD")
            and not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode())
        ):
            why = "this needs the token of the page: load the page again\n"
        if why:
            return web.Response(text=why, status=403)
        return await handler(request)

    return guard


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add what keeps a browser from doing more with an answer than is meant."""
    response.headers.setdefault("Content-Security-Policy", OWN)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")


async def given(request: web.Request) -> dict[str, Any]:
    """Return the object that a request brings; raises UsageError."""
    try:
        found = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError("the request must be an object of JSON")
    return found


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_ours(name: str, variables: Mapping[str, str]) -> bool:
    others = variables.get("ALLOWED_HOSTS", "").replace(",", " ").lower().split()
    space = variables.get("CODESPACE_NAME", "").lower()
    return name in others or bool(space and name.startswith(f"{space}-") and name.endswith(FORWARDED))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
