"""`iolab bench MODELS=C,yours`: an optional model that is named, with the solution in the place of the skeleton."""

from pathlib import Path

import pytest

from tests.conftest import Run, copied_lab
from tests.contract import yours
from tests.integration.test_local import latest

pytestmark = [pytest.mark.load, pytest.mark.measures]
LOAD = ("--runtime", "local", "--concurrency", "16", "--repeats", "3", "--requests", "480")


def test_the_solution_is_as_fast_as_asyncio(inside: Run, tmp_path: Path) -> None:
    copy = copied_lab(tmp_path / "lab")
    (copy / "services" / "yours" / "server_yours.py").write_text(yours.SOLUTION)
    done = inside("bench", *LOAD, "--models", "C,yours", cwd=copy)
    assert done.returncode == 0, done.stderr
    rates = {cell["model"]: cell["throughput_rps"] for cell in latest(tmp_path / "results", "summary.json")["cells"]}
    assert list(rates) == ["C", "Y"]
    assert rates["Y"] > 0.9 * rates["C"]
