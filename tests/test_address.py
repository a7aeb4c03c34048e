"""Addresses of servers that already run: their parts, and which may be loaded."""

import pytest

from iolab import address
from iolab.address import Address
from iolab.errors import UsageError


def test_a_url_has_a_host_a_port_and_a_path_with_its_query() -> None:
    assert address.parsed("http://127.0.0.1:9000/slow?x=1") == Address("127.0.0.1", 9000, "/slow?x=1")
    assert address.parsed("http://localhost") == Address("localhost", 80, "/")
    assert address.parsed("http://[::1]:9000").url == "http://[::1]:9000/"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://127.0.0.1", "https is not measured"),
        ("127.0.0.1:9000", "must begin with http://"),
        ("http://", "must begin with http://"),
        ("http://127.0.0.1:99999", "port must be a number"),
        ("http://127.0.0.1:0", "no port 0"),
        ("http://me:secret@127.0.0.1", "no user and password"),
        ("http://127.0.0.1/#a", "no #"),
        ("http://127.0.0.1/a b", "no space"),
    ],
)
def test_other_addresses_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        address.parsed(text)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["127.1.2.3"], ["::1"], ["127.0.0.1", "::1"]])
def test_loopback_may_be_loaded(found: list[str]) -> None:
    assert address.check_allowed("http://name:1", remote=False, resolve=lambda _: found)


@pytest.mark.parametrize("found", [["10.0.0.1"], ["0.0.0.0"], ["fe80::1%eth0"], ["127.0.0.1", "93.184.216.34"]])
def test_another_address_needs_permission_also_if_a_name_has_it_among_others(found: list[str]) -> None:
    with pytest.raises(UsageError, match=r"permission of its operator.*ALLOW_REMOTE=1"):
        address.check_allowed("http://name:1", remote=False, resolve=lambda _: found)
    assert not address.check_allowed("http://name:1", remote=True, resolve=lambda _: found)


def test_a_name_without_an_address_is_one_line() -> None:
    def unknown(_: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(UsageError, match="name has no address"):
        address.check_allowed("http://name:1", remote=False, resolve=unknown)
