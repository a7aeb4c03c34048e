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
    "Makefile", "docker-compose.yml", "docs/make-help.txt", "experiments", "loadtest", "pyproject.toml", "requirements.txt",
    "requirements-installer.txt", "scripts", "services", "src",
)  # fmt: skip
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# What this machine needs to reach packages, which is nothing on most.
OURS = {name: os.environ[name] for name in ("PIP_INDEX_URL", *PROXIES) if name in os.environ}
TRUSTED = (
    "cat /etc/ssl/certs/ca-certificates.crt /ca.pem >/tmp/ca.pem; export PIP_CERT=/tmp/ca.pem SSL_CERT_FILE=/tmp/ca.pem"
)


class Container:
    """A started dev container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, command: str, *, check: bool = True, **variables: str) -> str:
        """Run a command as a terminal of VS Code does: an interactive shell of its user that is no login shell."""
        shell = ["docker", "exec", "-u", DEFINITION["remoteUser"], "-w", "/home/vscode"]
        given = [f"--env={name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            [*shell, *given, self.name, "bash", "-ic", command], capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
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


def test_after_make_ready_there_is_nothing_left_to_install() -> None:
    with started(variables=OURS) as container:
        container.receive(WHAT_IT_NEEDS)
        trusted = TRUSTED if os.environ.get("CA_FILE") else ":"
        said = container(f"{trusted}; cd {PLACE} && {DEFINITION['updateContentCommand']}")
        assert "Ready: .venv (the lab) and .venv-streamlit (the Streamlit app).\n" in said
        subprocess.run(["docker", "network", "disconnect", "bridge", container.name], check=True)
        again = container(f"cd {PLACE} && make ready")
        assert "nstalling" not in again
        assert "✓ strace " in container(f"cd {PLACE} && make doctor")
        assert "streamlit, version" in container(f"{PLACE}/.venv-streamlit/bin/streamlit version").lower()
        measured = container(f"cd {PLACE} && make bench QUICK=1 MODELS=A,C CONCURRENCY=4 REQUESTS=16")
        assert "hey" in measured or " C  asyncio" in measured
