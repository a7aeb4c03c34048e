"""Load generators beside each other."""

import itertools
import json
import os
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from iolab import generator_ceilings
from iolab.host import cores
from iolab.kinds.closed import crosscheck
from iolab.kinds.closed.crosscheck import Told, verdict
from iolab.lab import Lab
from iolab.results.records import MachineUsage
from tests.conftest import Run, Start
from tests.fakes import FakeRuntime
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"hey": Told(21.0, 0.1), "locust": Told(21.3, 0.9)}, "agree within 2% (1.4%)"),
        (
            {"hey": Told(21.0, 0.1), "locust": Told(22.0, 0.9)},
            "locust measures 1.00 ms (4.8%) more than hey. It uses 0.90 ms of CPU time a request, hey 0.10 ms: that"
            " explains 0.80 ms at most, and the reason for the other 0.20 ms is not known",
        ),
        (
            {"wrk": Told(20.52, 0.03), "locust": Told(21.57, 0.31)},
            "explains 0.28 ms at most, and the reason for the other 0.77 ms is not known",
        ),
        ({"hey": Told(21.0, 0.1), "locust": Told(22.0, 1.2)}, "1.10 ms more, enough to explain it"),
        ({"hey": Told(21.0, 0.1), "locust": Told(22.0, 1.051)}, "0.95 ms more, enough to explain it"),
        ({"hey": Told(22.0, 0.1), "locust": Told(21.0, 0.9)}, "though it does not use more CPU time (0.10 ms"),
        ({"hey": Told(22.0, 0.9), "locust": Told(21.0, 0.9)}, "why is not known"),
        ({"hey": Told(21.0, None), "locust": Told(22.0, 0.9)}, "their own CPU time is not known"),
        ({"hey": Told(21.0, 0.1)}, "nothing to compare with"),
    ],
)
def test_where_they_differ_the_reason_is_looked_for(told: dict[str, Told], words: str) -> None:
    assert words in verdict(told)


@pytest.mark.parametrize("number", [2, 4, 8, 64])
@pytest.mark.parametrize(("cpu_s", "expected"), [(9.4, True), (4.0, False)])
def test_wrk_has_one_thread_and_is_judged_by_the_time_of_one_core(
    number: int, cpu_s: float, expected: bool, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watch:
        def usage(self) -> MachineUsage:
            return MachineUsage(span_s=10.0)

    monkeypatch.setattr(shutil, "which", lambda _: "wrk")
    monkeypatch.setattr(crosscheck, "affinity", lambda _: nullcontext())
    monkeypatch.setattr(crosscheck, "watching", lambda: nullcontext(Watch()))
    monkeypatch.setattr(crosscheck, "time", SimpleNamespace(monotonic=itertools.count(0, 10).__next__))
    monkeypatch.setattr(crosscheck, "wrk", lambda *_: (Told(20.5, 0.03), cpu_s))
    plan, models = cores.plan(1.0, range(number)), lab.select(["C"])
    told = crosscheck.by_wrk(FakeRuntime(("127.0.0.1", 1)), models, [16], plan, 1)["C", 16]
    found = {finding.id: finding for finding in told.findings}
    assert ("loadgen_bottleneck" in found) is expected
    if expected:
        assert found["loadgen_bottleneck"].value == pytest.approx(0.94)


@pytest.mark.load
@pytest.mark.bounds
def test_all_that_are_here_measure_the_same_cells(inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the generators reach against a server that does nothing is not asked here, and so is measured shortly."""
    monkeypatch.setattr(generator_ceilings, "LEAST_REQUESTS", 200)
    monkeypatch.setattr(generator_ceilings, "A_USER", 10)
    monkeypatch.setattr(crosscheck, "WRK_S", 1)
    done = inside("crosscheck", "--runtime", "local", "--requests", "48", "--repeats", "1")
    assert done.returncode == 0, done.stderr
    (kept,) = {path.resolve() for path in (tmp_path / "results").glob("*/crosscheck.json")}
    written = json.loads(kept.read_text())
    found = written["cells"]
    assert written["environment"]["python of the lab"]
    assert (written["seed"], written["lacks"]) == (1991, "")
    assert f"Trust: {written['trust']['level']}." in done.stdout
    generators = {one["generator"] for one in found}
    assert generators == {"locust"} | {name for name in ("hey", "wrk") if shutil.which(name)}
    assert len(found) == 4 * len(generators)
    for one in found:
        assert 19 < one["median_ms"] < 100
    assert "C with 16 users" in done.stdout


@pytest.mark.load
def test_ctrl_c_ends_it(start: Start, tmp_path: Path) -> None:
    process = start("crosscheck", "--runtime", "local", "--requests", "400", "--repeats", "3")
    wait_until(lambda: list((tmp_path / "results").glob("*/trials.jsonl")) or process.poll() is not None, limit_s=60)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Median of each load generator" not in stdout
    assert len(list((tmp_path / "results").glob("*-crosscheck"))) == 1
