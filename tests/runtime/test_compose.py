"""What Docker says, and the one line that the user reads."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from iolab.errors import EngineMissing
from iolab.host.processes import Finished, last_lines
from iolab.runtime import compose
from iolab.runtime.compose import Compose, explain, explain_build, find_engine

LOG = Path("build.log")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "Error response from daemon: driver failed programming external connectivity on endpoint x (f00): Bind for 127.0.0.1:8082 failed: port is already allocated",
            "port 8082 is in use by another program",
        ),
        (
            "Error response from daemon: driver failed programming external connectivity: Error starting userland proxy: listen tcp4 127.0.0.1:8082: bind: address already in use",
            "port 8082 is in use by another program",
        ),
        (
            "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            "CPUS: Docker's engine has 2.00 CPUs",
        ),
        ("Error: Requested CPUs are not available - requested 7, available: 0-1", "Docker's engine may not use core 7"),
        (
            "one\n\x1b[2Kno configuration file provided\n\n",
            "Docker says: no configuration file provided; `iolab doctor`",
        ),
        ("", "Docker says: nothing"),
    ],
)
def test_composes_words_become_one_line(said: str, line: str) -> None:
    assert explain(said).startswith(line)
    assert "\n" not in explain(said)


@pytest.mark.parametrize(
    "said",
    [
        "#5 ERROR: failed to do request: Head: no such host\n------\n > [blocking internal] load metadata for docker.io/library/no-such-image:1:\n------\n",
        "failed to solve: no-such-image:1: failed to resolve source metadata for docker.io/library/no-such-image:1: dial tcp",
        "failed to solve: no-such-image:1: pull access denied, repository does not exist",
        "failed to solve: no-such-image:1: not found",
        "failed to solve: python:3.13-slim@sha256:0a1b: failed to resolve source metadata for docker.io/library/python:3.13-slim@sha256:0a1b: not found",
    ],
)
def test_a_base_image_that_cannot_be_pulled_is_named(said: str) -> None:
    why, remedy = explain_build(said, LOG)
    name = "python:3.13-slim@sha256:0a1b" if "sha256" in said else "no-such-image:1"
    assert why == f"the image {name} cannot be pulled"
    assert "BASE_IMAGE" in remedy


def test_another_build_failure_shows_its_last_error() -> None:
    why, remedy = explain_build("#9 1.2 Collecting x\n#9 4.1 ERROR: No matching distribution found for x\n", LOG)
    assert why == "the images cannot be built (ERROR: No matching distribution found for x)"
    assert "build.log" in remedy


def test_last_lines() -> None:
    assert last_lines("a\n\x1b[31mb\x1b[0m\n \n") == "b"
    assert last_lines("a\nb\n \n", 2) == "a / b"
    assert last_lines(" \n", otherwise="nothing") == "nothing"


def fake_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if scripts else str(folder))


INFO = '{"ServerVersion": "24.0.7", "NCPU": 4, "CgroupVersion": "2", "SecurityOptions": []}'
NO_QUOTA = INFO.replace("4,", '4, "CpuCfsQuota": false,')


@pytest.mark.parametrize(
    ("scripts", "line"),
    [
        ({}, "Docker is not installed: install"),
        (
            {"docker": "echo 'Cannot connect to the Docker daemon at unix:///x' >&2; exit 1"},
            "Docker's engine is not running: start it",
        ),
        (
            {"docker": "echo 'permission denied while trying to connect' >&2; exit 1"},
            "Docker's engine refuses this user: add yourself",
        ),
        (
            {"docker": f"case $1 in info) echo '{INFO}';; *) exit 1;; esac"},
            "Docker Compose is not installed: install Compose v2",
        ),
        (
            {"docker": f"case $1 in info) echo '{INFO}';; *) exit 1;; esac", "docker_compose": "echo 1.29.2"},
            "Compose v1 (1.29.2) is installed: install Compose v2",
        ),
        (
            {"docker": f"case $1 in info) echo '{INFO}';; context) echo ssh://far;; *) echo v2.26.1;; esac"},
            "Docker's engine is on another machine (ssh://far): choose one",
        ),
        (
            {"docker": f"case $1 in info) echo '{NO_QUOTA}';; context) echo unix:///s;; *) echo v2.26.1;; esac"},
            "Docker's engine cannot limit CPUs: give it the cgroup controller cpu",
        ),
        (
            {"docker": f"case $1 in info) echo '{INFO}';; *) echo v2.20.3;; esac"},
            "Docker Compose 2.20.3 is too old: install 2.26",
        ),
        (
            {"docker": f"case $1 in info) echo '{INFO.replace('24.0.7', '19.03.1')}';; *) echo 2.30.0;; esac"},
            "Docker Engine 19.03.1 is too old",
        ),
    ],
    ids=[
        "no docker",
        "no engine",
        "no right",
        "no compose",
        "compose v1",
        "far engine",
        "no quota",
        "old compose",
        "old engine",
    ],
)
def test_every_way_to_have_no_docker_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: dict[str, str], line: str
) -> None:
    fake_docker(tmp_path, monkeypatch, **scripts)
    with pytest.raises(EngineMissing) as caught:
        find_engine()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_an_engine_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(
        tmp_path,
        monkeypatch,
        docker=f"case $1 in info) echo '{INFO}';; compose) echo v2.31.0-desktop.2;; *) echo unix:///s;; esac",
    )
    engine = find_engine()
    assert (engine.version, engine.compose, engine.cores, engine.cgroup, engine.endpoint) == (
        "24.0.7",
        "2.31.0-desktop.2",
        4,
        "v2",
        "unix:///s",
    )


def test_two_builds_at_once_have_a_log_each_which_stays_only_where_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = {1: 1, 2: 0}

    def run(command: Sequence[str], *, log: BinaryIO | None = None, **_: object) -> Finished:
        if not log:
            return Finished(0, "", "")  # the names of the images: none is there
        if os.getpid() == 1:
            monkeypatch.setattr(os, "getpid", lambda: 2)
            assert Compose(tmp_path, "lab", {}).build(["asyncio"]) is None  # another one meanwhile
            monkeypatch.setattr(os, "getpid", lambda: 1)
        log.write(f"ERROR: of process {os.getpid()}\n".encode())
        log.flush()
        return Finished(statuses[os.getpid()], "", "")

    monkeypatch.setattr(compose, "run", run)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(EngineMissing, match=r"ERROR: of process 1.*results/docker-build-1\.log"):
        Compose(tmp_path, "lab", {}).build(["asyncio"])
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["docker-build-1.log"]
