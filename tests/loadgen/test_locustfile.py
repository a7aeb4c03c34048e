"""Locust's start page: which classes it shows and ticks, asked of a real Locust."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.fakes import answering
from tests.own import free_ports
from tests.waiting import wait_until

LOADTEST = ROOT / "loadtest"
CLOSED = ["ABlocking", "CAsyncio"]
ALL = sorted(name + kind for name in CLOSED for kind in ("", "Chat", "Open"))
TARGETS = "ABlocking=http://127.0.0.1:1 CAsyncio=http://127.0.0.1:2/"


@contextmanager
def start_page(**variables: str) -> Iterator[dict[str, Any]]:
    """Start Locust as `make up` does, without workers; yield what its page is made of."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "locust", "-f", "locustfile.py", "--class-picker", "--web-port", str(port)]
    kept = {name: value for name, value in os.environ.items() if name not in {"LOADS", "TARGETS"}}
    with subprocess.Popen(
        [*command, "--web-host", "127.0.0.1"], cwd=LOADTEST, env={**kept, **variables}, stderr=subprocess.DEVNULL
    ) as locust:
        try:
            yield asked(f"http://127.0.0.1:{port}/", locust)
        finally:
            locust.terminate()


def asked(address: str, locust: subprocess.Popen[bytes]) -> dict[str, Any]:
    text = ""

    def answers() -> bool:
        nonlocal text
        assert locust.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return False
        return True

    wait_until(answers, limit_s=60)
    (arguments,) = re.findall(r"window\.templateArgs = (.*)\n", text)
    found: dict[str, Any] = json.loads(arguments)
    return found


@pytest.mark.parametrize(
    ("variables", "shown", "ticked"),
    [
        ({"TARGETS": TARGETS}, CLOSED, ["CAsyncio"]),
        ({"TARGETS": TARGETS, "LOADS": "closed"}, CLOSED, ["CAsyncio"]),
        ({"TARGETS": TARGETS, "LOADS": "all"}, ALL, ["CAsyncio"]),
        ({"TARGETS": "BThreadpool=http://127.0.0.1:1"}, ["BThreadpool"], ["BThreadpool"]),
        ({}, ["AnyServer"], ["AnyServer"]),
    ],
)
def test_the_page_shows_closed_loops_unless_asked_for_all_and_ticks_one(
    variables: dict[str, str], shown: list[str], ticked: list[str]
) -> None:
    with start_page(**variables) as page:
        assert sorted(page["users"]) == shown
        assert page["available_user_classes"] == ticked


def test_the_open_loop_of_the_page_is_sent_by_the_client_for_planned_arrivals() -> None:
    arguments = ("--headless", "--users", "2", "--spawn-rate", "2", "--run-time", "3s", "--rate", "20", "--json")
    with answering() as (host, port):
        targets = f"ABlocking=http://{host}:{port} CAsyncio=http://127.0.0.1:9"
        found = {}
        for name in ("ABlockingOpen", "CAsyncioOpen"):
            done = subprocess.run(
                [sys.executable, "-m", "locust", "-f", "locustfile.py", *arguments, "--exit-code-on-error", "0", name],
                cwd=LOADTEST, env={**os.environ, "TARGETS": targets}, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert "Traceback" not in done.stderr
            (found[name],) = json.loads(done.stdout)
    answered, refused = found["ABlockingOpen"], found["CAsyncioOpen"]
    assert answered["num_requests"] > 20
    assert answered["num_failures"] == 0
    assert refused["num_requests"] == refused["num_failures"] > 20


def test_a_worker_has_all_classes_whatever_the_page_shows() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "locustfile.py", "--list"],
        cwd=LOADTEST, env={**os.environ, "TARGETS": TARGETS, "LOADS": "closed"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert sorted(done.stdout.split("Available Users:")[1].split()) == ALL
