"""Addresses of servers that already run: their parts, and whether they are of this machine."""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from iolab.errors import UsageError

PERMISSION = "load on it needs the permission of its operator; with it, add ALLOW_REMOTE=1"
_PRINTABLE = re.compile(r"[!-~]+")


class Address(NamedTuple):
    """Where a server listens, and what is asked of it: the path has its query."""

    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """The host and the port, as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"http://{self.place}{self.path}"


def parsed(text: str) -> Address:
    """Return the parts of an http URL; raises ValueError, which says what is wrong with it."""
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("it must have no space, and only characters of ASCII; write others as %XX")
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port must be a number from 1 to 65535") from None
    if parts.scheme == "https":
        raise ValueError("https is not measured, because half of the time would be that of TLS: give its http address")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("it must begin with http:// and a host, such as http://127.0.0.1:9000")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must have no user and password: they would stand in the results")
    if parts.fragment or port == 0:
        raise ValueError("it must have no # and no port 0")
    path = parts.path or "/"
    return Address(parts.hostname, port or 80, f"{path}?{parts.query}" if parts.query else path)


def resolved(host: str) -> Sequence[str]:
    """Return the IP addresses of a host; raises OSError."""
    return sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


def check_allowed(url: str, *, remote: bool, resolve: Callable[[str], Sequence[str]] = resolved) -> bool:
    """Return whether all addresses of a URL's host are of this machine (loopback).

    Raises UsageError if one is not and `remote` ones are not allowed, or if the name is not known.
    """
    host = parsed(url).host
    try:
        found = resolve(host)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a host"
        raise UsageError(f"URL={url}: {host} has no address ({why}): give another host") from None
    elsewhere = [each for each in found if not ipaddress.ip_address(each.partition("%")[0]).is_loopback]
    if elsewhere and not remote:
        named = host if host == elsewhere[0] else f"{host} ({elsewhere[0]})"
        raise UsageError(f"URL={url}: {named} is not an address of this machine alone (127.0.0.1): {PERMISSION}")
    return not elsewhere
