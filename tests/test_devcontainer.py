"""The dev containers: what a codespace starts with. tests/docker/test_devcontainer.py builds and starts one."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iolab import reference
from iolab.lab import Lab
from iolab.live import app
from iolab.web.app import PORT
from tests.conftest import ROOT

FOLDER = ROOT / ".devcontainer"
LOCAL, DOCKER = FOLDER / "devcontainer.json", FOLDER / "docker" / "devcontainer.json"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
both = pytest.mark.parametrize("path", [LOCAL, DOCKER], ids=["local", "docker"])


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())  # plain JSON: a comment would end the test
    return found


@both
def test_processes_can_be_traced_and_the_server_has_a_core_of_its_own(path: Path) -> None:
    found = read(path)
    assert found["init"] is True
    assert found["capAdd"] == ["SYS_PTRACE"]
    assert found["securityOpt"] == ["seccomp=unconfined"]
    assert found["hostRequirements"] == {"cpus": 2}


@both
def test_both_are_built_from_the_one_dockerfile(path: Path) -> None:
    build = read(path)["build"]
    assert (path.parent / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert (path.parent / build.get("context", ".")).resolve() == FOLDER


@both
def test_commands_are_targets_of_make(path: Path) -> None:
    """A prebuild runs updateContentCommand: it installs; nothing that must run later is started by it."""
    found, targets = read(path), reference.targets((ROOT / "Makefile").read_text())
    assert found["updateContentCommand"] == "make --no-print-directory ready"
    assert found["postAttachCommand"] == "make --no-print-directory lab BACKGROUND=1"
    assert {"ready", "lab"} <= targets.keys()
    assert not {"onCreateCommand", "postCreateCommand", "postStartCommand"} & found.keys()


@both
def test_the_page_opens_once_and_no_server_s_port_is_forwarded(path: Path) -> None:
    found, lab = read(path), Lab.read_defaults(ROOT)
    ports = found["portsAttributes"]
    assert found["forwardPorts"] == [PORT]
    assert ports[str(PORT)] == {"label": "The lab", "onAutoForward": "openBrowserOnce"}
    pages = {service.name: service.ports[0].host for service in lab.services if service.name in ("streamlit", "locust")}
    assert ports[str(pages["streamlit"])]["label"] == "Streamlit under strace"
    assert ports[str(pages["locust"])]["label"] == "Locust"
    servers = set[int]()
    for name in (name for name in ports if "-" in name):
        first, last = map(int, name.split("-"))
        servers |= set(range(first, last + 1))
        assert ports[name]["onAutoForward"] == "ignore"
    assert {model.port.host for model in (*lab.measured, *lab.shown)} <= servers
    assert not servers & {PORT, *pages.values()}
    assert found["otherPortsAttributes"] == {"onAutoForward": "ignore"}


@both
def test_a_plain_streamlit_command_serves_the_labelled_port_and_asks_nothing(path: Path) -> None:
    variables = read(path)["containerEnv"]
    assert variables["STREAMLIT_SERVER_PORT"] == "8079"
    assert variables["STREAMLIT_SERVER_ADDRESS"] == "127.0.0.1"  # the forwarding is in the container, too
    assert variables["STREAMLIT_SERVER_HEADLESS"] == "true"
    assert not {name for name in variables if "CORS" in name or "XSRF" in name}  # these are for codespaces only


def test_they_differ_in_docker_alone() -> None:
    local, docker = read(LOCAL), read(DOCKER)
    assert docker.pop("features") == {"ghcr.io/devcontainers/features/docker-in-docker:2": {"moby": False}}
    assert local["containerEnv"].pop("RUNTIME") == "local"
    names = {each.pop("name") for each in (local, docker)}
    assert len(names) == 2
    for each in (local, docker):
        del each["build"]
    assert local == docker


def test_the_dockerfile_has_the_tools_and_the_user() -> None:
    assert {"git", "make", "hey", "strace", "curl", "procps", "sudo"} <= set(re.split(r"\s+", DOCKERFILE))
    assert f"/bin/bash {read(LOCAL)['remoteUser']} " in DOCKERFILE
    assert DOCKERFILE.startswith("ARG BASE_IMAGE=python:3.13-slim\n")  # no syntax line: it would need a registry


def shell(code: str, **variables: str) -> str:
    command = ["bash", "--norc", "-c", f". {FOLDER}/codespace.sh; {code}"]
    return subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"CODESPACES": "true"}, {"STREAMLIT_SERVER_ENABLE_CORS=false", "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false"}),
        ({"CODESPACES": "false"}, set()),
        ({"CODESPACES": ""}, set()),
        ({"CODESPACE_NAME": "x"}, set()),
        ({}, set()),
    ],
)  # fmt: skip
def test_streamlit_s_checks_are_off_in_codespaces_only(variables: dict[str, str], found: set[str]) -> None:
    assert {line for line in shell("env", **variables).splitlines() if line.startswith("STREAMLIT_")} == found


def test_the_environment_of_streamlit_is_where_the_handout_s_command_finds_it(tmp_path: Path) -> None:
    assert app.folder(tmp_path, "uvicorn") == tmp_path / ".venv-streamlit"
    assert app.folder(tmp_path, "tornado") == tmp_path / ".venv-streamlit-tornado"
