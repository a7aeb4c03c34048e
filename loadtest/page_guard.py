"""Guards Locust's web page: other web pages must not start loads, and loads must not leave the lab.

Any page that the user visits can send a form to this address (its Origin is then that of the other page), or have its
own name resolve to it (its Host is then that name). An address in numbers cannot be such a name.

Variables: ALLOWED_HOSTS has further names of this machine; CODESPACE_NAME is set in a codespace, whose forwarded ports
have names that begin with it. REMOTE_TARGETS=1 allows loads on other addresses than those in TARGETS.
"""

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Flask, Response, request

FORWARDED = ".app.github.dev"


def refusal(host: str, origin: str | None, target: str, variables: Mapping[str, str]) -> str:
    """Return why a request is refused, "" if it is not; `target` is the address that a load is to be sent to."""
    name = named(f"//{host}")
    if not (name == "localhost" or _is_address(name) or _is_ours(name, variables)):
        return f"Host {host} is not a name of this page; to allow it: make up ALLOWED_HOSTS={name}\n"
    if origin and origin.partition("//")[2] != host and not _is_ours(named(origin), variables):
        return f"Origin {origin} is another web page\n"
    targets = {each.partition("=")[2].rstrip("/") for each in variables.get("TARGETS", "").split()}
    if target and targets and target.rstrip("/") not in targets and variables.get("REMOTE_TARGETS") != "1":
        return f"{target} is no server of the lab; to allow it: make up REMOTE_TARGETS=1\n"
    return ""


def named(url: str) -> str:
    """Return the name or number of a URL's host, in lower case; "" if there is none."""
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


def guard(page: Flask) -> None:
    """Refuse such requests with status 403 before Locust sees them."""

    def refuse() -> Response | None:
        given = request.get_json(force=True, silent=True)
        inner = given.get("host") if isinstance(given, dict) else None
        for target in (request.form.get("host"), request.args.get("host"), inner):
            why = refusal(request.host, request.headers.get("Origin"), str(target or ""), os.environ)
            if why:
                return Response(why, 403, mimetype="text/plain")
        return None

    page.before_request(refuse)
