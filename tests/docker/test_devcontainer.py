"""The dev container: it builds, starts with the options of its definition, can trace, and has all after `make ready`."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab.host import cores
from tests import own
from tests.conftest import ROOT

pytestmark = pytest.mark.docker
FOLDER = ROOT / ".devcontainer"
DEFINITION: dict[str, Any] = json.loads((FOLDER / "devcontainer.json").read_text())
IMAGE = "iolab-devcontainer"  # .ci/run builds it, too
PLACE = "/home/vscode/lab"
WHAT_IT_NEEDS = (
    "Makefile", "docker-compose.yml", "docs/make-help.txt", "LICENSE", "README.md", "experiments", "loadtest", "pyproject.toml", "requirements.txt",
    "requirements-installer.txt", "scripts", "services", "src",
)  # fmt: skip
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# What this machine needs to reach packages, which is nothing on most.
OURS = {name: os.environ[name] for name in ("PIP_INDEX_URL", *PROXIES) if name in os.environ}
TRUSTED = (  # a machine's own authority, in the image or mounted: uv and pip look at neither by themselves
    "cat /etc/ssl/certs/ca-certificates.crt /ca.pem >/tmp/ca.pem 2>/dev/null;"
    " export PIP_CERT=/tmp/ca.pem SSL_CERT_FILE=/tmp/ca.pem"
)

# What a student types, from another terminal a page at the forwarded name, and a click.
A_PLAIN_COMMAND = """
strace -f -ttt -T -yy -s 256 -o /tmp/log.txt \\
  -e 'trace=epoll_create1,epoll_ctl,?epoll_wait,epoll_pwait,bind,listen,accept4,recvfrom,sendto,clone,clone3,openat' \\
  .venv-streamlit/bin/streamlit run services/streamlit/streamlit_fun.py </dev/null >/tmp/app.txt 2>&1 &
until grep -qs ':1F8F .* 0A ' /proc/net/tcp; do sleep 0.2; done
curl -s -i -m 1 -H 'Origin: https://x-8079.app.github.dev' -H 'Upgrade: websocket' -H 'Connection: Upgrade' \\
  -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' http://127.0.0.1:8079/_stcore/stream
.venv-streamlit/bin/python services/streamlit/press.py
pkill -INT -x streamlit
wait
"""


class Container:
    """A started dev container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, command: str, **variables: str) -> str:
        """Run a command as a terminal of VS Code does: an interactive shell of its user that is no login shell."""
        shell = ["docker", "exec", "-u", DEFINITION["remoteUser"], "-w", "/home/vscode"]
        given = [f"--env={name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            [*shell, *given, self.name, "bash", "-ic", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def receive(self, names: tuple[str, ...]) -> None:
        """Copy files of the lab into it, as its user's."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in names:
                archive.add(ROOT / name, name, filter=_source)
        unpack = f"mkdir -p {PLACE} && tar -x --no-same-owner -C {PLACE}"
        command = ["docker", "exec", "-i", "-u", DEFINITION["remoteUser"], self.name, "sh", "-c", unpack]
        subprocess.run(command, input=packed.getvalue(), check=True)


def _source(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name or ".egg-info" in member.name else member


def built() -> None:
    """Build the image with this machine's settings, as Compose builds the lab's images."""
    arguments = [f"--build-arg={name}" for name in ("BASE_IMAGE", *PROXIES) if name in os.environ]
    secret = f"--secret=id=ca,src={os.environ.get('CA_FILE') or os.devnull}"
    command = ["docker", "buildx", "build", "--quiet", "--load", f"--tag={IMAGE}", secret, *arguments, str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def started(*options: str, variables: Mapping[str, str] | None = None) -> Iterator[Container]:
    """Start it with the options of the definition, on as many CPUs as it requires; remove it at the end."""
    built()
    name = f"{own.mine().name}-devcontainer"
    count = min(DEFINITION["hostRequirements"]["cpus"], len(cores.available()))
    asked = ["--init", f"--cpus={count}", *(f"--cap-add={each}" for each in DEFINITION["capAdd"])]
    asked += [f"--security-opt={each}" for each in DEFINITION["securityOpt"]]
    asked += [f"--env={key}={value}" for key, value in {**DEFINITION["containerEnv"], **(variables or {})}.items()]
    authority = os.environ.get("CA_FILE")
    asked += [f"--volume={Path(authority).resolve()}:/ca.pem:ro"] if authority else []
    command = ["docker", "run", "--detach", "--rm", f"--name={name}", *asked, *options, IMAGE, "sleep", "infinity"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    try:
        yield Container(name)
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=True)


def test_it_starts_with_its_options_and_its_user_can_trace() -> None:
    with started() as container:
        assert container("id -un; sudo id -un").split() == ["vscode", "root"]
        assert container("strace -f -o /dev/null true && echo traced") == "traced\n"
        assert "hey" in container("command -v hey git make curl ps ss")
        assert container("ps -o comm= -p 1").strip() in ("docker-init", "tini", "init")
        everywhere = container("env")
        space = container("env", CODESPACES="true")
    assert "RUNTIME=local\n" in everywhere
    assert "STREAMLIT_SERVER_PORT=8079\n" in everywhere
    assert "STREAMLIT_SERVER_ENABLE_CORS" not in everywhere
    assert "STREAMLIT_SERVER_ENABLE_CORS=false\n" in space
    assert "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false\n" in space


def test_after_make_ready_a_student_can_do_all_without_a_network() -> None:
    """One test: the installation takes most of its time."""
    with started(variables=OURS) as container:
        container.receive(WHAT_IT_NEEDS)
        said = container(f"{TRUSTED}; cd {PLACE}; {DEFINITION['updateContentCommand']}")
        assert "Ready: .venv (the lab) and .venv-streamlit (the Streamlit app).\n" in said
        subprocess.run(["docker", "network", "disconnect", "bridge", container.name], check=True)
        assert "nstalling" not in container(f"cd {PLACE}; make ready")
        doctor = container(f"cd {PLACE}; make doctor")
        assert {"✓ strace", "✓ hey"} <= {" ".join(line.split()[:2]) for line in doctor.splitlines()}
        _first_part(container)
        measured = container(f"cd {PLACE}; make bench MODELS=C CONCURRENCY=4 REQUESTS=16 REPEATS=1")
        assert "requested by RUNTIME=local" in measured
        assert " C  asyncio " in measured
        _page(container)


def _first_part(container: Container) -> None:
    shown = container(f"cd {PLACE}; {A_PLAIN_COMMAND}", CODESPACES="true")
    assert "HTTP/1.1 101 " in shown  # to a page at the forwarded name
    assert '"clicks": 1' in shown
    assert "Click 1" in container(f"cd {PLACE}; make trace LOG=/tmp/log.txt")


def _page(container: Container) -> None:
    """It outlives the shell that started it, and answers at the forwarded name of its own codespace only."""
    given = {"CODESPACES": "true", "CODESPACE_NAME": "x"}
    assert "http://localhost:8078 " in container(f"cd {PLACE}; {DEFINITION['postAttachCommand']}", **given)
    asked = "curl -s -o /dev/null -w '%{http_code}' -H 'Host: y-8078.app.github.dev' http://localhost:8078/"
    assert (container(asked.replace("y-", "x-")), container(asked)) == ("200", "403")
    assert "The page is closed." in container(f"cd {PLACE}; make down")
