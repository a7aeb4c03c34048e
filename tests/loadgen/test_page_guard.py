"""Locust's page is only for its own user: foreign pages and foreign servers are refused."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from tests.conftest import ROOT

LAB = {"TARGETS": "ABlocking=http://blocking:8080 CAsyncio=http://asyncio:8082/"}


@pytest.fixture(scope="module")
def guard() -> ModuleType:
    sys.path.insert(0, str(ROOT / "loadtest"))
    try:
        return importlib.import_module("page_guard")
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize(
    ("host", "origin", "target", "more"),
    [
        ("localhost:8089", None, "", {}),
        ("localhost:8089", "http://localhost:8089", "http://asyncio:8082", {}),
        ("127.0.0.1:8089", "http://127.0.0.1:8089", "", {}),
        ("[::1]:8089", None, "", {}),
        ("192.0.2.7:8089", "http://192.0.2.7:8089", "", {}),
        ("lab.example:8089", "http://lab.example:8089", "", {"ALLOWED_HOSTS": "lab.example"}),
        ("localhost:8089", "https://x-8089.app.github.dev", "", {"CODESPACE_NAME": "x"}),
        ("x-8089.app.github.dev", "https://x-8089.app.github.dev", "", {"CODESPACE_NAME": "X"}),
        ("localhost:8089", None, "http://192.0.2.9", {"REMOTE_TARGETS": "1"}),
        ("localhost:8089", None, "http://192.0.2.9", {"TARGETS": ""}),
    ],
)
def test_the_own_page_is_answered(
    guard: ModuleType, host: str, origin: str | None, target: str, more: Mapping[str, str]
) -> None:
    assert guard.refusal(host, origin, target, {**LAB, **more}) == ""


@pytest.mark.parametrize(
    ("request_", "more", "said"),
    [
        (("localhost:8089", "http://evil.example", ""), {}, "Origin http://evil.example is another web page"),
        (("localhost:8089", "null", ""), {}, "Origin null"),
        (("localhost:8089", "http://localhost:8000", ""), {}, "Origin"),
        (("127.0.0.1:8089", "http://127.0.0.1.evil.example:8089", ""), {}, "Origin"),
        (("evil.example:8089", None, ""), {}, "Host evil.example:8089"),
        (("evil.example:8089", "http://evil.example:8089", ""), {}, "Host"),
        (("", None, ""), {}, "Host"),
        (("x-8089.app.github.dev", None, ""), {}, "Host"),
        (("x.app.github.dev.evil.example", None, ""), {"CODESPACE_NAME": "x"}, "Host"),
        (("localhost:8089", None, "http://192.0.2.9"), {}, "is no server of the lab"),
    ],
)
def test_a_foreign_page_name_or_server_is_refused(
    guard: ModuleType, request_: tuple[str, str | None, str], more: Mapping[str, str], said: str
) -> None:
    assert said in guard.refusal(*request_, {**LAB, **more})
