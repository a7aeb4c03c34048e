"""The websocket of the traced app: a browser behind a forwarded port is let in, another web page is not."""

import base64
import fcntl
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from iolab.lab import Lab
from iolab.live import app
from tests.conftest import ROOT, port_variables
from tests.own import free_ports
from tests.waiting import wait_until

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
        installed(request.param)
        with app.here(Lab.read(ROOT), request.param, folder / "log.txt", lambda _: None) as traced:
            yield traced.port


def installed(loop: app.Loop) -> Path:
    """Return the Python of Streamlit's own environment; of the test processes, one at a time may make it."""
    with (Path(tempfile.gettempdir()) / f"iolab-tests-streamlit-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return app.environment(ROOT, loop, lambda _: None)


@contextmanager
def typed(folder: Path, variables: Mapping[str, str]) -> Iterator[int]:
    """Run the app by a plain command, in a terminal of the dev container that has `variables`; yield its port."""
    streamlit = installed("uvicorn").with_name("streamlit")
    port = free_ports(1)[0]
    written = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["containerEnv"]
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMLIT_", "CODESPACE"))}
    command = (
        f". {ROOT}/.devcontainer/codespace.sh; exec strace -f -o {folder}/log.txt -e trace=bind,listen {streamlit} run"
    )
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"{command} {ROOT}/services/streamlit/streamlit_fun.py"],
            env={**theirs, **written, **variables, "STREAMLIT_SERVER_PORT": str(port), "HOME": str(folder)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or listens(port), limit_s=60)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


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
        (forwarded, f"http://{here}"),  # or it keeps the Host and changes the Origin
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


@pytest.mark.parametrize(
    ("variables", "status"),
    [({"CODESPACES": "true", "CODESPACE_NAME": SPACE}, 101), ({}, 403)],
    ids=["codespace", "elsewhere"],
)
def test_a_plain_command_serves_the_forwarded_page_in_a_codespace_only(
    tmp_path: Path, variables: dict[str, str], status: int
) -> None:
    with typed(tmp_path, variables) as port:
        forwarded = f"{SPACE}-{port}.app.github.dev"
        assert answer(port, f"localhost:{port}", f"https://{forwarded}") == status
        assert answer(port, f"localhost:{port}", f"http://localhost:{port}") == 101
        assert answer(port, f"localhost:{port}", None) == 101
