"""Two settings in turn on Docker: cells that differ in their CPU limit are compared, and each round has new servers."""

from pathlib import Path

import pytest

from iolab.results.folder import RunFolder
from tests.conftest import Run

pytestmark = pytest.mark.docker
SMALL = ("--models", "C", "--concurrency", "4", "--requests", "40", "--repeats", "1", "--rounds", "2")


def test_a_fraction_of_a_cpu_is_compared_with_a_whole_one(iolab: Run, tmp_path: Path) -> None:
    done = iolab("ab", "--runtime", "docker", *SMALL, "--a", "CPUS=0.25", "--b", "CPUS=1")
    assert done.returncode == 0, done.stderr
    found = list(reversed(RunFolder.newest_first(tmp_path / "results")))
    assert [folder.read_run().experiment["cpus"] for folder in found] == [[0.25], [1.0], [1.0], [0.25]]
    assert {folder.read_run().runtime for folder in found} == {"docker"}
    assert "Cells are paired without that setting: CPUs 0.25 against 1." in done.stdout
    assert "C4 " in done.stdout
