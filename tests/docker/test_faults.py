"""A container that is killed with a crowd on it, and everything else that goes wrong."""

import json
from pathlib import Path

import pytest

from iolab.runtime.compose import Engine
from tests.conftest import Run
from tests.integration.test_faults import USERS, records, short
from tests.shortened import NEWCOMERS, STUCK

pytestmark = pytest.mark.docker
__all__ = ["short"]


@pytest.mark.bounds
def test_every_fault_on_a_container(engine: Engine, iolab: Run, tmp_path: Path, short: Path) -> None:
    done = iolab("faults", "--runtime", "docker", "--users", str(USERS), "--experiment", str(short))
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "results").glob("*-faults")
    run = json.loads((folder / "run.json").read_text())
    found = records(folder)
    of = {record["fault"]: record["figures"] for record in found}
    assert (run["runtime"], run["status"], len(of)) == ("docker", "complete", 7)
    assert all((each["clicks"]["lost"], each["clicks"]["unrecorded"]) == (0, 0) for each in found)
    assert of["broadcast"]["reached"] == USERS
    assert of["half_open"]["served"] == NEWCOMERS
    assert of["killed"]["detected"] == of["herd"]["served"] == USERS
    if of["vanished"]["left"] is not None:  # else the engine is in a virtual machine
        assert of["slow"]["cut"] == STUCK
        assert of["vanished"]["left"] == 0
        assert of["vanished"]["noticed_s"] <= of["vanished"]["stated_s"]
