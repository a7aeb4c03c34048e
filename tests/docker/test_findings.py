"""Findings that need a quota, provoked for real."""

import json
from pathlib import Path

import pytest

from iolab.runtime.compose import Engine
from tests.conftest import Run

pytestmark = pytest.mark.docker


@pytest.mark.measures
def test_a_quota_that_binds_is_said_and_so_is_a_trial_too_short_for_it(
    iolab: Run, engine: Engine, tmp_path: Path
) -> None:
    done = iolab(
        "bench", "--runtime", "docker", "--models", "C", "--concurrency", "4", "--requests", "16", "--repeats", "1",
        "--cpus", "0.25", "--cpu-ms", "10",  # a quarter: less than its share of a core on which something else runs
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "results" / "latest" / "summary.json").read_text())
    found = {one["id"]: one["message"] for one in summary["cells"][0]["findings"]}
    assert "the quota of 0.25 CPU throttled the server's core for" in found["throttled"]
    assert "25 ms in each period of 100 ms" in found["short_for_quota"]
