"""The settings of servers, as every report shows them."""

import math
from collections.abc import Sequence
from typing import Any

from iolab.experiment import ServerSettings, Variant
from iolab.report.numbers import counted


def servers(server: ServerSettings, vary: Sequence[Variant] = ()) -> list[str]:
    """Return the servers' settings as phrases; for a varied setting, all its values."""

    def values(name: str, unit: str = "") -> str:
        each = [getattr(variant, name, None) for variant in vary] or [None]
        own: Any = getattr(server, name)
        known = dict.fromkeys(own if value is None else value for value in each)
        texts = [f"{value:g}{unit}" if isinstance(value, float) else str(value) for value in known if value is not None]
        if not texts:
            return "of each server"
        listed = [*texts, *(["each server's own"] if None in known else [])]
        return " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)

    return [
        f"wait {values('wait_ms', ' ms')} {values('wait_distribution')}",
        f"computing {values('cpu_ms', ' ms')}",
        f"listen backlog {values('backlog')}",
        f"{server.threads} threads in the pool",
        *_of_relatives(server, vary),
    ]


def bound(workers: float, connections: float) -> str:
    """Return why a server's connections to the downstream service are its limit; "" if its workers are."""
    if connections >= workers:
        return ""
    own = "server, which can wait with any number of requests" if math.isinf(workers) else f"{workers:g} workers"
    return (
        f"{counted(int(connections), 'connection')} to the downstream service {'is' if connections == 1 else 'are'} the"
        f" limit, not the {own}: other requests wait inside the server for a connection"
    )


def _of_relatives(server: ServerSettings, vary: Sequence[Variant]) -> list[str]:
    """Return the settings of servers E and G, and of those that wait in the downstream service, if not the usual."""
    usual, found = ServerSettings(), []
    if server.processes != usual.processes:
        found.append(f"{server.processes} processes of server E")
    if any(variant.reuseport for variant in vary):
        found.append("an accept queue for each process in some variants")
    elif server.reuseport:
        found.append("an accept queue for each process of server E")
    if server.pure_python or any(variant.pure_python for variant in vary):
        found.append("server G on asyncio and h11" + (" in some variants" if vary else ""))
    connections = dict.fromkeys(server.downstream if each.downstream is None else each.downstream for each in vary)
    if any(wanted := [*connections] or [server.downstream]):
        listed = " or ".join(str(each) if each else "no" for each in wanted)
        found.append(f"{listed} connection{'s' * (wanted != [1])} to the downstream service")
    return found
