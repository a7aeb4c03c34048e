"""A blocked loop, for real, as local processes: its users, its bystander, and its culprit."""

import json
from pathlib import Path

import pytest

from iolab.host import cores as cpus
from iolab.kinds.breaking import run as breaking
from tests.conftest import Run, copied_lab
from tests.shortened import BREAK, shortened


@pytest.mark.load
@pytest.mark.measures
def test_what_blocks_the_loop_blocks_everyone(inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = str(min(2, len(cpus.available())))
    copy = copied_lab(tmp_path / "lab")
    shortened("break", copy / "experiments", BREAK)
    monkeypatch.setattr(breaking, "SIGHTS", 4)
    done = inside("break", "--runtime", "local", "--cpus", limit, cwd=copy)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-break")
    found = json.loads((folder / "summary.json").read_text())["cells"]
    strategies = {(each["service"], each["work"], each["place"]): each for each in found}
    healthy, blocked = strategies["broken", "wait", "await"], strategies["broken", "wait", "loop"]
    threads = strategies["broken", "wait", "thread"]
    assert healthy["throughput_rps"] > 3 * blocked["throughput_rps"]
    assert threads["throughput_rps"] > 3 * blocked["throughput_rps"]
    assert blocked["median_ms"] > 10 * blocked["service_ms"]
    assert blocked["bystander_median_ms"] > 10 * healthy["bystander_median_ms"]
    computing, processes = strategies["broken", "compute", "loop"], strategies["broken", "compute", "process"]
    assert computing["bystander_median_ms"] > 3 * processes["bystander_median_ms"]
    culprits = [each["culprit"] for each in found if each["culprit"]]
    assert len(culprits) == 2
    assert {(each["coroutine"]["what"], each["coroutine"]["where"]) for each in culprits} == {
        ("answer()", culprits[0]["coroutine"]["where"])
    }
    assert culprits[0]["line"]["what"] == "time.sleep(WAIT_S)"
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert len(trials) == len(found) + len(culprits)
    for each in trials:
        assert set(each["rows"]) == (set() if each["seeks"] else {"requests", "bystander"})
        assert all((folder / path).is_file() for path in each["rows"].values())
    for page in ("report.html", "report.md"):
        assert "What blocks the loop blocks every connection" in (folder / page).read_text()
    assert (tmp_path / "results" / "latest").resolve() == folder  # `make report` makes its report
    again = {name: (folder / name).read_bytes() for name in ("summary.json", "report.md", "report.html")}
    assert inside("report", cwd=copy).returncode == 0
    assert {name: (folder / name).read_bytes() for name in again} == again


def test_more_cpus_than_there_are_is_one_line(inside: Run) -> None:
    done = inside("break", "--runtime", "local", "--cpus", "4096")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "CPUS=4096" in done.stderr
