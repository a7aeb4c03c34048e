"""Who may talk to the page: names of this machine, its own origin, and only with its token for what changes anything."""

import importlib.util
from collections.abc import Mapping

import pytest

from iolab.web import guard
from tests.conftest import ROOT

SPACE = {"CODESPACE_NAME": "fuzzy-lamp-42"}
FORWARDED = "fuzzy-lamp-42-8078.app.github.dev"


@pytest.mark.parametrize(
    ("host", "origin", "variables"),
    [
        ("localhost:8078", None, {}),
        ("127.0.0.1:8078", "http://127.0.0.1:8078", {}),
        ("[::1]:8078", None, {}),
        ("192.168.1.5:8078", None, {}),
        (FORWARDED, f"https://{FORWARDED}", SPACE),
        ("localhost:8078", f"https://{FORWARDED}", SPACE),
        ("lab.example.org", "https://lab.example.org", {"ALLOWED_HOSTS": "lab.example.org"}),
    ],
)
def test_this_machine_is_answered(host: str, origin: str | None, variables: Mapping[str, str]) -> None:
    assert guard.refusal(host, origin, variables) == ""


@pytest.mark.parametrize(
    ("host", "origin", "variables"),
    [
        ("evil.example", None, {}),
        ("localhost.evil.example", None, {}),
        ("", None, {}),
        ("[", None, {}),
        ("localhost:8078", "http://evil.example", {}),
        ("localhost:8078", "null", {}),
        ("localhost:8078", "http://localhost:3000", {}),
        (FORWARDED, None, {}),
        ("fuzzy-lamp-42-8078.evil.example", None, SPACE),
        ("other-8078.app.github.dev", None, SPACE),
        ("evil.app.github.dev", None, {"CODESPACE_NAME": ""}),
    ],
)
def test_others_are_refused_in_a_line(host: str, origin: str | None, variables: Mapping[str, str]) -> None:
    why = guard.refusal(host, origin, variables)
    assert why.count("\n") == 1


@pytest.mark.parametrize("host", ["localhost:8089", "evil.example", FORWARDED, "10.0.0.1", "x.evil.app.github.dev", ""])
@pytest.mark.parametrize(
    "origin", [None, "null", "http://localhost:8089", "http://evil.example", f"https://{FORWARDED}"]
)
def test_the_page_of_locust_has_the_same_rules(host: str, origin: str | None) -> None:
    spec = importlib.util.spec_from_file_location("page_guard", ROOT / "loadtest" / "page_guard.py")
    assert spec
    assert spec.loader
    page_guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page_guard)
    for variables in ({}, SPACE, {"ALLOWED_HOSTS": "evil.example"}):
        theirs = page_guard.refusal(host, origin, "", variables)
        assert bool(guard.refusal(host, origin, variables)) == bool(theirs), (host, origin, variables)
