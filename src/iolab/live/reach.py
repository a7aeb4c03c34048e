"""Says which users can reach what the lab publishes: one sentence, if that is more than this machine."""

import ipaddress

from iolab.lab import Lab
from iolab.live import standing

NO_PASSWORD = "there is no password and no encryption"  # noqa: S105 (a sentence)


def of_up(lab: Lab, own_page: int) -> str:
    """Return which machines can reach what `up` starts, with the lab's page at its port; "" if only this one can."""
    address = bind(lab)
    if not address:
        return ""
    ports = {service.name: [port.host for port in service.ports] for service in standing.standing(lab)}
    servers = sorted(model.port.host for model in lab.models)
    page, master = ports["locust"][:2]
    return (
        f"BIND={address}: every machine that reaches {_named(address)} can use the servers ({_listed(servers)}),"
        f" Streamlit ({_listed(ports['streamlit'])}), Locust's page ({_listed([page])}) and the lab's page"
        f" ({_listed([own_page])}), which starts experiments, and join as a load worker (port {master}): {NO_PASSWORD}."
    )


def of_run(lab: Lab, host: str | None, port: int | None) -> str:
    """Return which machines can reach the servers of a run; `host` is the address that load workers of others join.

    Its servers are on 127.0.0.1 otherwise, also if BIND is set: then a sentence says so. "" if that is not in question.
    """
    if host:
        return (
            f"BIND={host}: every machine that reaches {_named(host)} can use the servers of this run,"
            f" and join as a load worker (port {port}): {NO_PASSWORD}."
        )
    address = bind(lab)
    if not address:
        return ""
    return f"BIND={address} is for make up: only this machine can reach the servers of this run (127.0.0.1)."


def of_page(lab: Lab, port: int) -> str:
    """Return which machines can use the lab's page; "" if only this one can."""
    address = bind(lab)
    if not address:
        return ""
    return (
        f"BIND={address}: every machine that reaches {_named(address)} can use the lab's page ({_listed([port])}), read"
        f" all results and start experiments: {NO_PASSWORD}."
    )


def bind(lab: Lab) -> str:
    """Return the address on which ports are published; "" if it is this machine's own (loopback)."""
    addresses = [port.address for service in lab.services for port in service.ports]
    return next((each for each in addresses if not _is_loopback(each)), "")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _named(address: str) -> str:
    try:
        unspecified = ipaddress.ip_address(address).is_unspecified
    except ValueError:
        unspecified = False
    return "any address of this machine" if unspecified else address


def _listed(numbers: list[int]) -> str:
    runs = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2
    if runs:
        return f"ports {numbers[0]} to {numbers[-1]}"
    return f"port{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
