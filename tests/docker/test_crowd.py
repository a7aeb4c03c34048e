"""Crowds in containers: what they may have is raised as far as it takes, and everything is read from outside."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.docker.conftest import leftovers
from tests.integration.test_crowd import short

pytestmark = pytest.mark.docker
__all__ = ["short"]


@pytest.mark.bounds
def test_a_thread_each_and_an_event_loop_hold_more_than_a_container_is_given_otherwise(
    iolab: Run, short: str, project: str, tmp_path: Path
) -> None:
    """docker-compose.yml gives a container 2,048 tasks: 2,500 users with a thread each need more."""
    options = ("--users", "2500", "--transport", "poll", "--models", "C,D", "--experiment", short)
    done = iolab("crowd", "--runtime", "docker", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "results" / "latest" / "trials.jsonl").read_text().splitlines()
    loop, threads = (json.loads(line) for line in lines)
    for record in (loop, threads):
        assert record["held"] == record["users"] == 2500
        for name in ("cpu_s", "rss_bytes", "threads", "context_switches", "slab_bytes", "stacks_bytes"):
            assert record["quiet"][name] is not None
    assert threads["quiet"]["threads"] - threads["empty"]["threads"] == 2500
    assert loop["quiet"]["threads"] == loop["empty"]["threads"]
    stacks = [record["quiet"]["stacks_bytes"] - record["empty"]["stacks_bytes"] for record in (loop, threads)]
    assert stacks[1] > 2500 * 8192 > stacks[0]
    assert leftovers(f"{project}-bench") == []


@pytest.mark.measures
def test_one_process_holds_as_many_as_the_machine_allows(iolab: Run, short: str, project: str, tmp_path: Path) -> None:
    """The way is the same for 100,000 in one process; here a limit may end it before, which is known beforehand."""
    text = Path(short).read_text().replace("click_every_s = 1.0", "click_every_s = 100.0")
    Path(short).write_text(
        text.replace("patience_s = 4.0", "patience_s = 10.0").replace("connect_rps = 1000.0", "connect_rps = 3000.0")
    )
    options = ("--users", "100000", "--transport", "websocket", "--models", "C", "--experiment", short)
    done = iolab("crowd", "--runtime", "docker", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (tmp_path / "results" / "latest" / "trials.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["asked"] == 100_000
    assert record["users"] == 100_000 or "of 100,000 users can connect: " in record["capped"]
    assert record["users"] > 15_000
    assert record["held"] + record["late"] == record["users"]
    assert record["lost"] == record["refused"] == record["waiting"] == 0
    assert record["quiet"]["threads"] == 1
    assert record["obstacle"] in (None, "slow")
    assert leftovers(f"{project}-bench") == []
