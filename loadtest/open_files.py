"""The limit on open files of a load driver: a connection of each user is an open file."""

import resource
from contextlib import suppress


def raise_limit() -> None:
    """Raise it as far as allowed: current engines give a container 1,024 at first."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS reports "unlimited", but refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
