"""What a container is really given, beside what was foreseen."""

import os
import subprocess

import pytest

from iolab.host import limits

pytestmark = pytest.mark.docker
IMAGE = os.environ.get("BASE_IMAGE") or "python:3.13-slim"


def test_a_container_may_have_as_many_files_as_its_engine_and_no_more() -> None:
    most = limits.read().engine_files
    if most is None:
        pytest.skip("the engine is not a process of this host")
    assert opened(most).stdout.split() == [str(most)]
    assert opened(most + 1).returncode != 0


def opened(files: int) -> "subprocess.CompletedProcess[str]":
    limit = ("--ulimit", f"nofile={files}:{files}")
    command = ["docker", "run", "--rm", "--network", "none", *limit, IMAGE, "sh", "-c", "ulimit -Hn"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
