"""The websocket of the traced app: a browser behind a forwarded port is let in, another web page is not."""

import base64
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.lab import Lab
from iolab.live import app
from tests.conftest import ROOT, port_variables

pytestmark = [pytest.mark.load, pytest.mark.needs("strace")]
SPACE, NAME = "fluffy-train-x5g7", "lab.example.com"


@pytest.fixture(scope="module", params=["uvicorn", "tornado"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the app, run as `make trace RUNTIME=local` runs it, in a codespace."""
    folder = tmp_path_factory.mktemp("origin")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **port_variables(),
            "CODESPACE_NAME": SPACE,
            "ALLOWED_HOSTS": f"other.example,{NAME}",
        }.items():
            patch.setenv(name, value)
        with (Path(tempfile.gettempdir()) / f"iolab-tests-streamlit-{os.getuid()}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            app.environment(ROOT, request.param, lambda _: None)
        with app.here(Lab.read(ROOT), request.param, folder / "log.txt", lambda _: None) as traced:
            yield traced.port


def answer(port: int, host: str, origin: str | None) -> int:
    """Ask for the websocket as a browser does, and return the status."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /_stcore/stream HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Protocol: streamlit"]
    lines += [f"Origin: {origin}"] if origin else []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(64).split()[1])


def test_the_app_serves_its_user_and_refuses_other_web_pages(port: int) -> None:
    here, forwarded = f"localhost:{port}", f"{SPACE}-{port}.app.github.dev"
    served = [
        (here, None),  # press.py, and every program that is no browser
        (here, f"http://{here}"),
        (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"),
        (here, f"https://{forwarded}"),  # the forwarding keeps the page's Origin and changes the Host
        (forwarded, f"https://{forwarded}"),
        (forwarded, None),
        (here, f"https://{NAME}"),  # ALLOWED_HOSTS
    ]
    refused = [
        (here, "https://evil.example"),
        (here, f"https://{forwarded}.evil.example"),
        (here, f"https://other-space-{port}.app.github.dev"),
        (here, "null"),
    ]
    assert {each: answer(port, *each) for each in served} == dict.fromkeys(served, 101)
    assert {each: answer(port, *each) for each in refused} == dict.fromkeys(refused, 403)


def test_the_app_listens_on_this_machine_only(port: int) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    addresses = {
        each[1].split(":")[0] for each in listening if each[3] == "0A" and int(each[1].split(":")[1], 16) == port
    }
    assert addresses == {"0100007F"}
