"""A load generator at its limit is found on any number of cores, and so are late reads and missing connections."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iolab.findings import generator
from iolab.kinds import registry
from iolab.loadgen.openloop import OpenLoad
from iolab.results.records import ClientUsage, Finding, TrialRecord
from iolab.results.run_info import CpuPlanInfo, RunInfo
from tests.kinds.recordings import KINDS, recording


def run(loadgen: tuple[int, ...]) -> RunInfo:
    plan = CpuPlanInfo(cpus=1.0, server=(0,), loadgen=loadgen, shared=False, pinned=True)
    return RunInfo(
        kind="open", experiment={"kind": "open"}, models=(), runtime="local", runtime_reason="a test",
        generator="iolab", cpu_plans=(plan,), environment={}, trials_planned=1, started=datetime.now(UTC),
    )  # fmt: skip


def found(*clients: ClientUsage, cores: int = 1) -> dict[str, Finding]:
    trials = [
        TrialRecord(index=number, started=datetime.now(UTC), duration_s=10.0, valid=True, reason=None, client=client)
        for number, client in enumerate(clients)
    ]
    yielded = list(generator.during(run(tuple(range(1, 1 + cores))), trials, 1.0))
    assert all(finding.remedy for finding in yielded)
    assert len({finding.id for finding in yielded}) == len(yielded)
    return {finding.id: finding for finding in yielded}


@pytest.mark.parametrize("cores", [1, 3, 7, 63])
def test_one_process_at_its_limit_is_found_on_any_number_of_cores(cores: int) -> None:
    busy, idle = ClientUsage(cpu_s=9.4, busiest_share=0.94), ClientUsage(cpu_s=4.0, busiest_share=0.4)
    assert found(idle, cores=cores) == {}
    finding = found(idle, busy, idle, cores=cores)["loadgen_bottleneck"]
    assert f"used 94% of the time of {'its core' if cores == 1 else 'a core in one process'}" in finding.message
    assert finding.value == pytest.approx(0.94)


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_at_its_limit_is_found_alike_in_every_kind_and_on_any_number_of_cores(
    kind: str, tmp_path: Path
) -> None:
    """Whether each kind also records that share, the tests of its runs ask."""
    folder = recording(kind, tmp_path)
    info, trials = folder.path / "run.json", folder.path / "trials.jsonl"
    lines = [json.loads(line) for line in trials.read_text().splitlines()]
    for share, expected in ((0.94, True), (0.4, False)):
        client = {"cpu_s": 0.02, "busiest_share": share}
        crowd = {"client_share": share} if kind == "crowd" else {}
        trials.write_text("".join(f"{json.dumps({**line, 'client': client, **crowd})}\n" for line in lines))
        for cores in (2, 4, 8, 64):
            facts = json.loads(info.read_text())
            plans = [{**plan, "loadgen": list(range(1, cores))} for plan in facts["cpu_plans"]]
            info.write_text(json.dumps({**facts, "cpu_plans": plans}))
            for cell in registry.kind(kind).run_cells(folder):
                ids = {finding.id for finding in cell.findings}
                assert (len(ids & {"loadgen_bottleneck", "client_was_the_limit"}) == 1) is expected, (cores, ids)


def test_the_share_of_a_core_is_known_only_where_time_and_span_are() -> None:
    assert generator.share_of_a_core(9.4, 10.0) == pytest.approx(0.94)
    assert generator.share_of_a_core(0.0, 10.0) == 0
    assert [generator.share_of_a_core(*each) for each in ((None, 10.0), (9.4, None), (9.4, 0.0))] == [None] * 3


def test_processes_that_share_a_core_are_at_their_limit_together() -> None:
    three = ClientUsage(cpu_s=9.6, busiest_share=0.33)
    assert "used 96% of the time of its core" in found(three)["loadgen_bottleneck"].message
    assert found(three, cores=2) == {}
    assert "of its 2 cores" in found(ClientUsage(cpu_s=19.0, busiest_share=0.5), cores=2)["loadgen_bottleneck"].message


def test_a_generator_whose_threads_use_all_cores_is_judged_by_all_of_them() -> None:
    hey = ClientUsage(cpu_s=9.5)
    assert "loadgen_bottleneck" in found(hey)
    assert found(hey, cores=4) == {}
    assert found(ClientUsage()) == {}


def test_late_reads_are_judged_like_late_sends() -> None:
    assert found(ClientUsage(loop_late_p99_ms=1.9)) == {}
    finding = found(ClientUsage(loop_late_p99_ms=2.1), ClientUsage(loop_late_p99_ms=7.25))["late_reads"]
    assert (finding.severity, finding.value) == ("warning", 7.25)
    assert "can have waited 7.2 ms or more in the load generator" in finding.message


def test_arrivals_that_waited_for_a_connection_are_counted() -> None:
    assert found(ClientUsage(waited=0, most_open=20_000)) == {}
    message = found(ClientUsage(waited=1234, most_open=960))["no_connection_left"].message
    assert message.startswith("1,234 arrivals waited in the load generator: 960 connections were open")


def test_the_lateness_of_a_load_is_the_99th_percentile_of_its_reads() -> None:
    reads_s = [number / 1e5 for number in range(1, 201)]
    assert OpenLoad([], 0.1, read_late_s=reads_s[::-1]).loop_late_p99_ms == pytest.approx(1.98)
    assert OpenLoad([], 0.1).loop_late_p99_ms is None
