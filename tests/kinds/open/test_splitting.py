"""One queue for eight workers or one for each: theory, the same trace, the ratio of waiting times, and the shares."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from iolab import experiment_file
from iolab.kinds.arrival_records import Calibration, OpenRecord
from iolab.kinds.open import analysis as openanalysis
from iolab.kinds.open import document, figure, splitting
from iolab.kinds.open.analysis import OpenAnalysis
from iolab.kinds.open.settings import OpenExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import Finding
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from iolab.results.samples import OpenSample
from iolab.theory import queueing
from tests.conftest import ROOT
from tests.rendered import terminal

WORKERS, RHO, COUNT = 8, 0.8, 24_000
PLAN_S = 75.0  # for so many arrivals
KNOWN = Calibration(service_s=0.02, overhead_s=0.0, transit_s=0.0004)


def samples(*, split: bool, told: bool = True) -> list[OpenSample]:
    """Return what ideal workers make of Poisson arrivals; of several queues, each arrival is sent to a random one."""
    dice = np.random.default_rng(7)
    arrivals = np.cumsum(dice.exponential(KNOWN.service_s / WORKERS / RHO, COUNT))
    services = dice.exponential(KNOWN.service_s, COUNT)
    process = dice.integers(0, WORKERS, COUNT)
    responses = queueing.many_servers(arrivals, services, WORKERS)
    if split:
        for each in range(WORKERS):
            mine = process == each
            responses[mine] = queueing.one_server(arrivals[mine], services[mine])
    done = arrivals + responses + KNOWN.transit_s
    return [
        OpenSample(
            float(at), float(at), float(end), 200, float(service), served_by=int(number) if told else None
        )
        for at, end, service, number in zip(arrivals, done, services, process, strict=True)
    ]  # fmt: skip


def made(tmp_path: Path, *variants: str, told: bool = True) -> OpenAnalysis:
    folder = RunFolder.create(tmp_path, "prefork")
    wanted = experiment_file.parsed(ROOT / "experiments" / "prefork.toml", {}, OpenExperiment)
    folder.write_run(
        RunInfo(
            kind="open", experiment=wanted.model_dump(mode="json", by_alias=True), runtime="local", runtime_reason="a test",
            models=(ModelInfo(letter="E", title="Prefork", service="prefork", workers=WORKERS, can_split=True),),
            cpu_plans=(CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True),),
            generator="iolab", environment={}, trials_planned=len(variants), started=datetime.now(UTC), status="complete",
        )
    )  # fmt: skip
    for index, variant in enumerate(variants):
        split = variant == "a queue each"
        rows = folder.write_rows(index, requests=samples(split=split, told=told))
        record = OpenRecord(
            index=index, model="E", service="prefork", cpus=1.0, variant=variant, requested=COUNT, sent=COUNT, ok=COUNT,
            errors=0, started=datetime.now(UTC), duration_s=PLAN_S, valid=True, reason=None, rows=rows, process="poisson",
            rate_rps=RHO * WORKERS / KNOWN.service_s, plan_s=PLAN_S, seed=1, utilisation=RHO, calibration=KNOWN,
            queues=WORKERS if split else 1,
        )  # fmt: skip
        folder.append(record)
    return openanalysis.analyse(folder)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> OpenAnalysis:
    return made(tmp_path_factory.mktemp("both"), "one queue", "a queue each")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenAnalysis]:
    return {each: made(tmp_path_factory.mktemp("alone"), each) for each in ("one queue", "a queue each")}


def test_several_queues_have_the_theory_and_the_trace_of_one_worker_each(both: OpenAnalysis) -> None:
    one, many = both.cells
    assert one.exponential
    assert many.exponential
    wait_s = KNOWN.service_s * RHO / (1 - RHO)  # M/M/1
    assert many.exponential.mean_s == pytest.approx(KNOWN.service_s + wait_s + KNOWN.transit_s)
    assert one.exponential.mean_s < many.exponential.mean_s / 2
    for cell in (one, many):
        assert cell.measured
        assert cell.exponential
        assert cell.off == pytest.approx(0.0, abs=1e-6)
        assert cell.measured.mean_s == pytest.approx(cell.exponential.mean_s, rel=0.15)
    assert (splitting.theory(one, "M/M"), splitting.theory(many, "M/M")) == ("M/M/8", "8 x M/M/1")


def height_of(drawn: str, name: str) -> float:
    """Return where a text of a drawing is, in points from the top."""
    found = re.search(rf"translate\([\d.]+ ([\d.]+)\)\">{re.escape(name)}<", drawn)
    assert found, name
    return float(found[1])


def test_the_ratio_of_waiting_times_stands_beside_theory(both: OpenAnalysis, alone: dict[str, OpenAnalysis]) -> None:
    (text,) = splitting.ratios(both)
    one, many = both.cells
    assert one.wait_s
    assert many.wait_s
    assert one.measured
    assert many.measured
    constant_s = KNOWN.service_s + KNOWN.transit_s
    one_s, many_s = one.measured.mean_s - constant_s, many.measured.mean_s - constant_s
    ratio = f"{many_s / one_s:.1f} times"
    same = f"{ratio} in ideal queues with the same arrivals"  # which these workers are
    assert f", {ratio} (8 x M/M/1 against M/M/8, 14.0 times in theory, {same})." in text
    assert "disturbed" not in text
    shown = " ".join(terminal(document.report(both)).split())
    assert "mean waiting time" in shown
    drawn = figure.response_times(both, narrow=False)
    assert "8 x M/M/1" in drawn
    assert "M/M/8" in drawn
    heights = [height_of(drawn, name) for name in ("8 x M/M/1", "8 x M/D/1", "M/M/8", "M/D/8")]
    assert all(below - above > 25 for above, below in pairwise(heights)), "no name of two lines hides another"
    assert "8 x" not in figure.response_times(alone["one queue"], narrow=False)


def test_a_disturbed_plan_says_so_before_its_ratio(both: OpenAnalysis) -> None:
    one, many = both.cells
    late = Finding(id="late_sends", severity="warning", message="late", remedy="a quieter machine")
    (text,) = splitting.ratios(replace(both, cells=(replace(one, findings=(late,)), many)))
    assert text.startswith("E at 80% utilisation: disturbed, see the findings: mean waiting time")


def test_without_the_other_queueing_there_is_no_ratio(alone: dict[str, OpenAnalysis]) -> None:
    assert [list(splitting.ratios(each)) for each in alone.values()] == [[], []]


def test_the_shares_of_the_processes_are_told_if_the_server_says_them(
    alone: dict[str, OpenAnalysis], tmp_path: Path
) -> None:
    told = alone["a queue each"]
    (text,) = splitting.shares(told)
    low, high = min(told.cells[0].shares), max(told.cells[0].shares)
    assert low < 1 / WORKERS < high
    assert sum(told.cells[0].shares) == pytest.approx(1.0)
    assert text == f"E a queue each at 80%: its processes served {low:.0%} to {high:.0%} of the requests."
    untold = made(tmp_path / "other", "a queue each", told=False)
    assert list(splitting.shares(untold)) == []
    assert untold.cells[0].same is None  # it is not known which arrivals each queue had
