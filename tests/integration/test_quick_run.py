"""A whole quick run."""

import json
from pathlib import Path

from tests.conftest import Run


def test_a_quick_run(inside: Run, tmp_path: Path) -> None:
    done = inside("freeze", "--quick", "--runtime", "local")
    assert done.returncode == 0, done.stderr
    assert "2 trials: about 12 s of load, and the time to start servers." in done.stdout
    folder = tmp_path / "results" / "latest"
    run = json.loads((folder / "run.json").read_text())
    assert (run["quick"], run["file"], run["experiment"]["freeze"]["run_s"]) == (True, "experiments/freeze.toml", 6.0)
    assert json.loads((folder / "summary.json").read_text())["quick"] is True
    text = (folder / "report.html").read_text()
    assert "Quick run: fewer requests, wider intervals." in text
    assert "make freeze QUICK=1 RUNTIME=local" in text
