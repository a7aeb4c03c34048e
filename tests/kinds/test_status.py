"""Only status 200 is a response: an error page that comes at once would make a server look fast, in every kind."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from matplotlib.axes import Axes

from iolab.errors import LoadFailed
from iolab.kind import Measured
from iolab.kinds import registry
from iolab.kinds.breaking import cells as breaking
from iolab.kinds.breaking.figure import picture
from iolab.kinds.breaking.plan import expected
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.kinds.closed import cells as closed
from iolab.kinds.closed.precision import Precision
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.freeze.cells import Standstill
from iolab.kinds.open import analysis as opened
from iolab.kinds.slo.run import series
from iolab.loadgen.boards import Boards
from iolab.results.folder import RunFolder
from iolab.results.records import ServerUsage
from iolab.results.samples import OpenSample, Sample
from tests.conftest import ROOT
from tests.kinds import recordings

QUICK_S = 0.001
# 100 requests that take 20 ms, and between them 300 that a server or something before it refuses at once.
REQUESTS = [
    Sample(number * 0.01, *((0.02, 200) if number % 4 == 0 else (QUICK_S, (500, 503, 404)[number % 3])))
    for number in range(400)
]
CLOSED: dict[str, Any] = {
    "model": "A", "service": "blocking", "concurrency": 4, "cpus": 1.0, "repeat": 0, "requested": 400, "sent": 400,
    "ok": 100, "errors": 300,
}  # fmt: skip
BREAK: dict[str, Any] = {"strategy": recordings.BREAK["broken"]["strategies"][0]}


def record(kind: str, facts: dict[str, Any]) -> Any:
    envelope = {"index": 0, "started": datetime.now(UTC), "duration_s": 4.0, "valid": True, "reason": None}
    return registry.kind(kind).record.model_validate({**envelope, **facts})


def run(results: Path, kind: str, facts: dict[str, Any], **rows: Sequence[NamedTuple]) -> RunFolder:
    return recordings.written(results, kind, facts, rows)


def test_a_closed_loop_has_the_response_times_of_status_200_alone(tmp_path: Path) -> None:
    (analysed,) = closed.analyse(run(tmp_path, "closed", CLOSED, requests=REQUESTS)).cells
    cell = analysed.cell
    assert (cell.counted, cell.median_ms, cell.mean_ms, cell.max_ms) == (100, 20.0, 20.0, 20.0)
    assert cell.throughput_rps == pytest.approx(100 / 3.991, rel=1e-3)


def test_a_trial_that_is_not_valid_does_not_count_beside_one_that_is(tmp_path: Path) -> None:
    folder = run(tmp_path, "closed", CLOSED, requests=REQUESTS)
    slow = [Sample(number * 0.01, 0.5, 200) for number in range(400)]
    facts = {**CLOSED, "repeat": 1, "ok": 400, "errors": 0, "rows": folder.write_rows(1, requests=slow)}
    folder.append(record("closed", {**facts, "index": 1, "valid": False, "reason": "other programs"}))
    (analysed,) = closed.analyse(folder).cells
    assert (analysed.cell.repeats, analysed.cell.median_ms) == (1, 20.0)


def test_precision_is_that_of_status_200_alone() -> None:
    """Requests that fail after any time would keep a median from ever being known."""
    known = Precision(0.05, 0.0001)
    for failed_s in (0.001, 0.1, 0.4, 0.002, 0.2):
        samples = [Sample(0.0, 0.02, 200)] * 20 + [Sample(0.0, failed_s, 503)] * 60
        known.add(ClosedRecord.model_validate(record("closed", CLOSED)), samples)
    assert known.reached()


def test_a_standstill_has_the_response_times_of_status_200_alone() -> None:
    """While a server is frozen, something before it may answer 503 at once: those requests are not quick."""
    slow = [Sample(number * 0.01, 2.0 if number < 50 else 0.02, 200) for number in range(100)]
    seen = Standstill("planned", [*slow, *[Sample(1.0, QUICK_S, 503)] * 900])
    assert len(seen.latencies_s) == 100
    assert seen.late() == 0.5
    assert seen.percentiles_ms()["p90"] == 2000


@pytest.mark.parametrize(("kind", "facts"), [("closed", CLOSED), ("break", BREAK)])
def test_the_line_of_a_trial_has_the_median_of_status_200_alone(kind: str, facts: dict[str, Any]) -> None:
    measured = Measured(record(kind, facts), {"requests": REQUESTS, "bystander": REQUESTS})
    line = registry.kind(kind).line(measured).text
    assert "median  20.0 ms" in line
    assert "1.0 ms" not in line


def test_the_line_of_a_strategy_says_of_how_few_requests_a_median_is() -> None:
    few = [Sample(0.0, 0.02, 200)] * 5
    measured = Measured(record("break", BREAK), {"requests": few, "bystander": few[:3]})
    line = " ".join(registry.kind("break").line(measured).text.split())
    assert line.endswith("median too few bystander 20.0 ms of 3 requests")
    nothing = Measured(record("break", BREAK), {"requests": (), "bystander": ()})
    assert " ".join(registry.kind("break").line(nothing).text.split()).endswith("median - bystander - of 0 requests")


def test_a_strategy_has_the_rate_and_the_response_times_of_status_200_alone() -> None:
    strategy = record("break", BREAK).strategy
    result = breaking.StrategyResult(strategy, expected(strategy, 16, 0.02, 2), REQUESTS, REQUESTS, ServerUsage())
    assert (result.median_ms, result.p95_ms, result.bystander_median_ms) == (20.0, 20.0, 20.0)
    assert result.bystander_slowest_ms == 20.0
    assert result.rate_rps == pytest.approx(100 / 3.98, rel=1e-3)


def test_the_bystander_s_failures_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    scatter = Axes.scatter

    def watched(axes: Axes, x: Any, y: Any, **look: Any) -> Any:
        drawn.append(len(x))
        return scatter(axes, x, y, **look)

    monkeypatch.setattr(Axes, "scatter", watched)
    settings = registry.read(ROOT / "experiments" / "break.toml", {}, BreakExperiment)
    strategy = settings.broken.strategies[0]
    result = breaking.StrategyResult(strategy, expected(strategy, 16, 0.02, 2), REQUESTS, REQUESTS, ServerUsage())
    picture([result], None, settings, narrow=False)
    assert drawn == [100]


def arrivals(failed: int) -> list[OpenSample]:
    return [one._replace(status=500, done_s=one.planned_s + QUICK_S) for one in recordings.ARRIVALS[:failed]]


def test_an_open_loop_has_the_response_times_of_status_200_alone(tmp_path: Path) -> None:
    samples = [*arrivals(60), *recordings.ARRIVALS[60:]]
    facts = {**recordings.LOAD, "ok": 20, "errors": 60, "variant": "constant"}
    folder = run(tmp_path, "open", {**facts, "planned_utilisation": 0.4, "utilisation_of": "A"}, requests=samples)
    (cell,) = opened.analyse(folder).cells
    assert cell.measured
    assert cell.measured.count == 20
    assert cell.measured.mean_s == pytest.approx(0.02)


def test_an_objective_is_judged_by_the_response_times_of_status_200_and_by_failures() -> None:
    planned_s, sent_s, unanswered = series(0.0, [*arrivals(60), *recordings.ARRIVALS[60:]])
    assert planned_s.tolist() == sent_s.tolist() == pytest.approx([0.02] * 20)
    assert unanswered == 60
    own = [one._replace(status=0, failure="not sent") for one in recordings.ARRIVALS]
    assert series(0.0, own)[2] == 0  # the load generator did not send them
    later = series(2.0, recordings.ARRIVALS)[0]
    assert 0 < len(later) < len(recordings.ARRIVALS)


class Driver:
    """Plays every move, and has one of them fail."""

    def ask(self, job: dict[str, Any], timeout_s: float, told: list[dict[str, Any]]) -> dict[str, Any]:
        moves = [(board, move) for board in range(job["boards"]) for move in range(job["moves"])]
        rows = [[board, move, move, move + 0.1, 0.1, 500 if (board, move) == (1, 1) else 200] for board, move in moves]
        told.append({"rows": rows})
        return {"timed_out": False}


def test_a_move_that_failed_is_no_move() -> None:
    with pytest.raises(LoadFailed, match="1 of 6 moves got no answer 200"):
        Boards(Driver()).play("http://fake", 3, 2, 1.0, 10.0)  # type: ignore[arg-type]
