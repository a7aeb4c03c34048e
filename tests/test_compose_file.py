"""What docker-compose.yml promises of every service: limits, no rights, no door to the network."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from iolab import env_file
from iolab.host.programs import PACKAGE
from iolab.lab import Lab
from tests.conftest import ROOT

DOCUMENT: Mapping[str, Any] = yaml.load((ROOT / "docker-compose.yml").read_text(), yaml.CSafeLoader)
SERVICES: Mapping[str, Mapping[str, Any]] = DOCUMENT["services"]
MEASURED = {name: block for name, block in SERVICES.items() if "iolab.model" in block.get("labels", {})}
every_service = pytest.mark.parametrize("name", list(SERVICES))


@every_service
def test_no_service_has_rights_that_it_does_not_need(name: str) -> None:
    block = SERVICES[name]
    assert block["cap_drop"] == ["ALL"]
    assert block.get("cap_add", []) == (["SYS_PTRACE"] if name == "streamlit" else [])
    assert block["security_opt"] == ["no-new-privileges:true"]
    assert block["read_only"] is True
    assert block["tmpfs"] == ["/tmp:size=64m"]
    assert block["user"] == "${LAB_UID:-1000}:${LAB_GID:-1000}"
    assert not block.get("privileged")


@every_service
def test_every_service_has_limits_and_an_init(name: str) -> None:
    block = SERVICES[name]
    assert block["init"] is True
    assert block["mem_limit"]
    assert block["pids_limit"] > 0


@pytest.mark.parametrize("name", [*MEASURED, "broken", "locust", "locust-worker", "loadgen"])
def test_the_lab_gives_servers_and_load_their_open_files_whatever_the_engine_does(name: str) -> None:
    assert SERVICES[name]["ulimits"] == {"nofile": "${OPEN_FILES:-4096}"}


@every_service
def test_ports_are_published_on_loopback_unless_the_user_says_otherwise(name: str) -> None:
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in SERVICES[name].get("ports", []))


def test_no_two_servers_have_the_same_port() -> None:
    """Each is the default of the server, too, so that all can be started by hand on one machine."""
    pairs = [(name, str(block.get("environment", {}).get("PORT", ""))) for name, block in SERVICES.items()]
    ports = [port for _, port in pairs if port]
    assert len(ports) >= 10
    assert len(set(ports)) == len(ports)


@every_service
def test_nothing_asks_a_registry_when_images_are_there(name: str) -> None:
    assert SERVICES[name].get("pull_policy") in (None, "never")
    assert SERVICES[name].get("build") or SERVICES[name].get("pull_policy") == "never"


@pytest.mark.parametrize("name", list(MEASURED))
def test_measured_services_take_the_cpu_limits(name: str) -> None:
    block = MEASURED[name]
    assert block["cpus"] == "${CPUS:-1}"
    assert block["cpuset"] == "${SERVER_CPUSET:-}"
    assert block["healthcheck"]["interval"]
    assert {"iolab.model", "iolab.title", "iolab.workers"} <= set(block["labels"])
    assert {"PORT", "WAIT_MS", "WAIT_DISTRIBUTION", "BACKLOG", "CPU_MS"} <= set(block["environment"])


@pytest.mark.parametrize(
    "dockerfile",
    [*ROOT.glob("services/*/Dockerfile"), ROOT / "loadtest" / "Dockerfile"],
    ids=lambda path: path.parent.name,
)
def test_dockerfiles_take_any_base_image_and_pinned_packages(dockerfile: Any) -> None:
    text = dockerfile.read_text()
    assert text.startswith("ARG BASE_IMAGE=python:3.13-slim\n")
    first, *stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", text, re.MULTILINE)
    assert first[0] == "${BASE_IMAGE}"
    assert {base for base, _ in stages} <= {"${BASE_IMAGE}", "${LOOP}", *(name for _, name in (first, *stages))}
    assert "syntax=" not in text
    assert "\nUSER 1000:1000\n" in text
    assert len(re.findall(r"pip .*install", text)) == text.count("--require-hashes")
    for requirements in dockerfile.parent.glob("requirements*.txt"):
        assert "--hash=sha256:" in requirements.read_text()


def test_streamlit_has_no_uvloop() -> None:
    """uvicorn would use it, and the log would show io_uring instead of epoll."""
    assert "uvloop" not in (ROOT / "services" / "streamlit" / "requirements-uvicorn.txt").read_text()


def test_local_servers_run_the_same_versions_as_images() -> None:
    mine = (ROOT / "requirements.txt").read_text()
    asked_for = [each.folder for each in Lab.read_defaults(ROOT).services if PACKAGE in each.labels]
    for wanted in [*ROOT.glob("services/*/requirements*.in"), ROOT / "loadtest" / "requirements.in"]:
        # Streamlit runs in its image alone; packages that must be asked for are installed from the image's own file.
        if wanted.parent.name != "streamlit" and wanted.parent not in asked_for:
            assert f"{wanted.read_text().strip()} " in mine.replace("\\", "")


def test_packages_of_a_relative_are_those_of_its_image_in_tests_and_are_not_installed_otherwise() -> None:
    folder = ROOT / "services" / "uvicorn"
    pinned = re.findall(r"^([\w-]+==\S+)", (folder / "requirements-uvicorn.in").read_text(), re.MULTILINE)
    assert len(pinned) == 4
    for each in (line.removesuffix(";") for line in pinned):
        for file in (folder / "requirements-uvicorn.txt", ROOT / "requirements-dev.txt"):
            assert f"\n{each} " in f"\n{file.read_text()}", file
    assert "\nuvicorn==" not in (ROOT / "requirements.txt").read_text()


def test_there_is_no_package_called_asyncio() -> None:
    assert not list(ROOT.glob("services/**/__init__.py"))


def test_every_requirements_file_is_pinned_by_make_lock() -> None:
    shown = subprocess.run(["sh", "-c", _loop()], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(shown) == sorted(str(path.relative_to(ROOT)) for path in _wanted())
    for wanted in _wanted():
        assert "--hash=sha256:" in wanted.with_suffix(".txt").read_text()


def _loop() -> str:
    """Return the loop of scripts/lock over its files, with nothing in it but their names."""
    (head,) = re.findall(r"^for file in .*; do$", (ROOT / "scripts" / "lock").read_text(), re.MULTILINE)
    return f"{head} echo $file; done"


def _wanted() -> list[Path]:
    return [*ROOT.glob("requirements*.in"), *ROOT.glob("services/*/requirements*.in"), *ROOT.glob("loadtest/*.in")]


@pytest.mark.needs("compose")
def test_the_digest_of_the_base_image_can_be_pinned_in_env(tmp_path: Path) -> None:
    """The line of .env.example, with a digest, reaches the build of every image, and the lab can read it, too."""
    (line,) = re.findall(r"^#(BASE_IMAGE=.*@sha256:)\.\.\.$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    pinned = f"{line}{'0a' * 32}"
    (tmp_path / ".env").write_text(f"{pinned}\n")
    assert env_file.read(tmp_path / ".env") == {"BASE_IMAGE": pinned.partition("=")[2]}
    command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "--env-file", str(tmp_path / ".env")]
    environment = {name: value for name, value in os.environ.items() if name != "BASE_IMAGE"}
    config = ["--profile", "*", "config", "--format", "json"]
    done = subprocess.run([*command, *config], env=environment, capture_output=True, text=True, check=True)
    built = {name: block["build"] for name, block in json.loads(done.stdout)["services"].items() if "build" in block}
    assert {build["args"]["BASE_IMAGE"] for build in built.values()} == {pinned.partition("=")[2]}
    assert set(built) == {name for name, block in SERVICES.items() if "build" in block}
