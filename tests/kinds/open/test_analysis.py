"""The analysis of an open loop, on runs that an ideal queue has made up."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iolab import experiment_file
from iolab.kinds.arrival_records import Calibration, OpenRecord
from iolab.kinds.open import analysis as openanalysis
from iolab.kinds.open import document, words
from iolab.kinds.open import summary as opensummary
from iolab.kinds.open.analysis import OpenAnalysis
from iolab.kinds.open.settings import OpenExperiment
from iolab.report.answers import unanswered
from iolab.report.summary import summary
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from iolab.results.samples import OpenSample
from iolab.theory import queueing
from tests import quiet
from tests.conftest import ROOT
from tests.rendered import figures, markdown, page, terminal

KNOWN = Calibration(service_s=0.0205, overhead_s=0.0005, transit_s=0.0004)
Make = Callable[..., OpenAnalysis]


def samples(rate_rps: float, workers: float, plan_s: float, *, exponential: bool = False) -> list[OpenSample]:
    """Return what an ideal queue makes of a plan; the service time is what the server tells, and the overhead."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / rate_rps, int(rate_rps * plan_s)))
    count = len(arrivals)
    told = np.random.default_rng(2).exponential(0.02, count) if exponential else np.full(count, 0.02)
    responses = queueing.many_servers(arrivals, told + KNOWN.overhead_s, workers) + KNOWN.transit_s
    return [
        OpenSample(float(arrival), float(arrival) + 0.0001, float(arrival + response), 200, float(service), 0)
        for arrival, response, service in zip(arrivals, responses, told, strict=True)
    ]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    folder = RunFolder.create(tmp_path, "queue")
    wanted = experiment_file.parsed(ROOT / "experiments" / "queue.toml", {}, OpenExperiment)
    folder.write_run(
        RunInfo(
            kind="open",
            experiment=wanted.model_dump(mode="json", by_alias=True),
            models=(
                ModelInfo(letter="A", title="One", service="one", workers=1),
                ModelInfo(letter="B", title="Eight", service="eight", workers=8),
                ModelInfo(letter="C", title="Any", service="any", workers=float("inf")),
            ),
            runtime="local",
            runtime_reason="a test",
            generator="iolab",
            cpu_plans=(CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True),),
            environment={},
            trials_planned=1,
            started=datetime.now(UTC),
            status="complete",
        )
    )

    def made(
        change: Callable[[list[OpenSample]], list[OpenSample]] = lambda seen: seen,
        record: Mapping[str, Any] | None = None,
        *,
        busy: float | None = 0.8,
        variant: str = "constant",
    ) -> OpenAnalysis:
        rate_rps, workers = (busy or 0.8) / KNOWN.service_s, 1.0 if busy else float("inf")
        seen = change(samples(rate_rps, workers, 60.0, exponential=variant == "exponential"))
        number = len(folder.read_trials(OpenRecord))
        facts = {
            "index": number, "model": "A" if busy else "C", "service": "one" if busy else "any", "cpus": 1.0, "variant": variant, "requested": len(seen), "sent": len(seen),
            "ok": sum(each.status == 200 for each in seen), "errors": 0, "started": datetime.now(UTC),
            "duration_s": 60.0, "valid": True, "reason": None, "rows": folder.write_rows(number, requests=seen),
            "server": quiet.SERVER, "client": quiet.CLIENT, "machine": quiet.machine(60.0), "process": "poisson", "rate_rps": rate_rps,
            "plan_s": 60.0, "seed": 1, "utilisation": busy, "calibration": KNOWN,
        }  # fmt: skip
        folder.append(OpenRecord.model_validate({**facts, **(record or {})}))
        return openanalysis.analyse(folder)

    return made


def ids(analysis: OpenAnalysis) -> set[str]:
    return {finding.id for finding in analysis.cells[-1].findings}


def test_an_ideal_queue_agrees_with_itself(make: Make) -> None:
    (cell,) = make().cells
    assert cell.measured
    assert cell.constant
    assert cell.exponential
    assert cell.off == pytest.approx(0.0, abs=1e-6)
    assert cell.off_p95 == pytest.approx(0.0, abs=1e-6)
    assert cell.chance
    assert cell.likely is True
    assert cell.chance.mean_s[0] < cell.measured.mean_s < cell.chance.mean_s[1]
    assert cell.chance.mean_s[0] < cell.constant.mean_s < cell.chance.mean_s[1]
    assert cell.constant.mean_s < cell.exponential.mean_s
    assert ids(make()) <= {"short_plan"}
    assert "or the theory does not describe this server: the range of simulated plans" in words.proof(make().cells)


def test_a_mean_that_chance_does_not_make_is_said(make: Make) -> None:
    """At 80% for a minute, 95% of simulated plans have means of about 50 to 90 ms."""
    slow = make(lambda seen: [each._replace(done_s=each.done_s + 0.1) for each in seen])
    (cell,) = slow.cells
    assert cell.likely is False
    assert "the measured mean lies in the range of simulated plans in 0 of 1 plan;" in words.sentence(slow.cells)
    written = opensummary.objects(slow)[0]["simulated_plans"]
    assert written["measured_within"] is False
    assert written["mean_ms"][0] < written["mean_ms"][1] < written["p99_ms"][1]


def test_a_short_plan_says_what_chance_does_and_how_long_it_must_be(make: Make) -> None:
    """At 80% a minute is too short, at 30% it is long enough."""
    analysis = make(busy=0.8)
    (finding,) = [each for each in analysis.cells[-1].findings if each.id == "short_plan"]
    assert re.search(
        r"95% of simulated plans of 60 s have a mean between \d+\.\d ms and \d+(\.\d)? ms", finding.message
    )
    seconds = float(re.findall(r"DURATION=(\d+)s", finding.remedy)[0])
    assert 130 < seconds < 350  # by simulation 240
    cell = analysis.cells[-1]
    assert cell.chance
    assert cell.needed_s == pytest.approx(seconds, rel=0.05)  # one length in all places
    assert seconds * 1.05 >= cell.record.plan_s * (cell.chance.half / 0.1) ** 2
    assert finding.measured is not None
    assert not re.search(r"\d", finding.measured)
    text = " ".join(markdown(document.report(analysis)).split())
    assert re.search(
        r"A constant: 95% of plans have a mean within 10% of the true one if they last for about \d min", text
    )
    assert re.search(
        r"95% of [\d,]+ simulated plans of the same rate and length, which begin with an empty queue", text
    )
    quiet = make(busy=0.3).cells[0]
    assert quiet.record.utilisation == 0.3
    assert "short_plan" not in {each.id for each in quiet.findings}


def test_a_queue_that_grows_is_theory_and_of_models_that_have_one(make: Make) -> None:
    grows = "by theory the response time of A grows without bound"
    assert grows in " ".join(markdown(document.report(make(busy=0.3))).split())
    alone = make(busy=None)
    without = replace(alone, cells=tuple(cell for cell in alone.cells if cell.record.utilisation is None))
    assert [cell.record.model for cell in without.cells] == ["C"]
    assert words.closed_loop(without.cells).endswith("requests arrive whether or not the server keeps up.")


def test_a_trace_is_no_matter_of_chance(make: Make) -> None:
    (cell,) = make(record={"process": "trace"}).cells
    assert (cell.chance, cell.likely) == (None, None)
    assert words.chance([cell]) == ""


def test_what_the_trace_does_not_explain_is_said(make: Make) -> None:
    slower = make(lambda seen: [each._replace(done_s=each.done_s + 0.02) for each in seen])
    assert "off_the_trace" in ids(slower)
    assert words.proof(slower.cells).endswith(
        "In 1 of 1 plans the difference is too large: these plans cannot be compared with theory. The findings name them."
    )


def test_a_run_of_the_course_says_that_the_trace_does_not_explain_it_and_not_by_how_much(make: Make) -> None:
    whole = document.report(make(lambda seen: [each._replace(done_s=each.done_s + 0.02) for each in seen]))
    shown = unanswered(whole)
    assert re.search(r"the mean \+\d+%", whole.trust.text)
    assert "the response times differ from those of an ideal queue" in shown.trust.text
    for text in (markdown(shown), terminal(shown)):
        assert "the response times differ from those of" in " ".join(text.split())
        assert "the mean +" not in text
    assert not [each for section in shown.answer for each in section.blocks if "Lines: theory" in repr(each)]
    assert "by theory" not in page(shown)


def test_percentiles_of_too_few_requests_are_shown_of_no_measured_or_simulated_plan(make: Make) -> None:
    analysis = make(lambda seen: seen[:300])  # enough for a p95, not for a p99
    row = dict(
        zip(
            [column.heading for column in document.report(analysis).details[1].blocks[0].columns],  # type: ignore[union-attr]
            document.report(analysis).details[1].blocks[0].rows[0],  # type: ignore[union-attr]
            strict=True,
        )
    )
    assert [row[name] for name in ("p99", "Same trace p99", "Range p99")] == ["too few"] * 3
    for name in ("p95", "Same trace p95", "Range p95", "M/D/c p99"):
        assert "ms" in row[name]
    (written,) = opensummary.objects(analysis)
    assert (written["p99_ms"], written["same_trace"]["p99_ms"], written["simulated_plans"]["p99_ms"]) == (None,) * 3
    assert written["same_trace"]["p95_ms"] > 20
    assert len(written["simulated_plans"]["p95_ms"]) == 2


def test_late_sends_make_it_suspect(make: Make) -> None:
    late = make(
        lambda seen: [
            each._replace(sent_s=each.sent_s + 0.003 * (number % 50 == 0)) for number, each in enumerate(seen)
        ]
    )
    assert "late_sends" in ids(late)
    assert "late_sends" not in ids(make())


def test_a_client_at_its_limit_or_late_to_read_makes_it_suspect(make: Make) -> None:
    client = ClientUsage(cpu_s=50.0, busiest_share=0.83, loop_late_p99_ms=3.0, waited=5, most_open=100)
    assert ids(make(record={"client": client})) >= {"loadgen_bottleneck", "late_reads", "no_connection_left"}
    assert not ids(make()) & {"loadgen_bottleneck", "late_reads", "no_connection_left"}


def test_fewer_than_came_by_any_chance_are_no_poisson_process(make: Make) -> None:
    assert "arrivals" in ids(make(lambda seen: seen[: len(seen) // 2]))


def test_arrivals_that_are_too_even_are_no_poisson_process(make: Make) -> None:
    even = make(lambda seen: [each._replace(sent_s=0.02 * number) for number, each in enumerate(seen)])
    (message,) = [one.message for one in even.cells[-1].findings if one.id == "arrivals"]
    assert "gaps between arrivals is 0.00" in message


def test_a_lost_worker_is_said_and_excuses_what_did_not_come(make: Make) -> None:
    record = {"valid": False, "reason": "load worker 1 (b) was lost: its last rows arrived 2.0 s after the start"}
    lost = make(lambda seen: seen[: len(seen) // 2], {**record, "load_workers": 3, "lost_workers": 1})
    (finding,) = [one for one in lost.cells[-1].findings if one.severity == "error"]
    assert finding.id == "worker_lost"
    assert "its part of the plan ended then, 2 of 3 went on" in finding.message
    assert "arrivals" not in ids(lost)


def test_failures_and_drops_are_said(make: Make) -> None:
    failed = make(record={"valid": False, "errors": 3, "reason": "3 of 9 requests got no answer 200"})
    assert "failed_requests" in ids(failed)
    dropped = make(record={"server": ServerUsage(listen_overflows=5)})
    assert "listen_overflow" in ids(dropped)
    nothing = make(lambda seen: [each._replace(status=0) for each in seen], {"valid": False, "reason": "refused"})
    assert "invalid_trial" in ids(nothing)
    assert nothing.cells[-1].measured is None


def test_a_model_without_a_queue_has_no_theory_of_one(make: Make) -> None:
    (cell,) = make(busy=None).cells
    assert cell.constant is None
    assert cell.exponential is None
    assert cell.off == pytest.approx(0.0, abs=1e-6)


def test_reports_say_which_theory_is_right(make: Make) -> None:
    make(busy=0.5)
    make(busy=0.5, variant="exponential")
    analysis = make(busy=None)
    report = document.report(analysis)
    plain = " ".join(markdown(report).split())
    found = (
        "At 50% utilisation or more, the measured mean lies in the range of simulated plans in 1 of 1 plan; the mean of"
    )
    assert f"{found} M/D/1 does in 1, that of M/M/1 in 0." in plain
    assert f"{found} M/D/1 does in 0, that of M/M/1 in 1." in plain
    assert "**C · Any, constant: 20.9 ms at 39/s.** Mean response time: 20.9 ms at 39/s." in plain
    assert "service times by at most 0.0%" in plain
    assert "| A One | exponential | 50% |" in plain
    assert "load by the lab's client for planned arrivals" in plain
    assert (
        "Settings: wait 20 ms constant or exponential, computing 0 ms, listen backlog 1024, 8 threads in the" in plain
    )
    assert (
        "A one: a request occupies a worker for 20.50 ms, 0.50 ms longer than the server reports; client and" in plain
    )
    assert "C any: a request takes 20.50 ms, 0.50 ms longer than the server reports" in plain
    html = page(report)
    assert figures(html) == 1
    assert 'src="http' not in html
    assert 'href="http' not in html
    written = json.loads(summary(analysis.run, report, opensummary.objects(analysis), {}))
    assert (written["schema"], written["kind"]) == (2, "open")
    assert [cell["model"] for cell in written["cells"]] == ["A", "A", "C"]
    assert written["cells"][0]["mean_ms"] > 20
    assert written["cells"][2]["m_d_c"] is None


@pytest.mark.parametrize(("width", "there", "not_there"), [(80, "Rate", "p95"), (105, "p99", "One"), (150, "One", "…")])
def test_a_narrow_terminal_has_fewer_columns_and_cuts_none(make: Make, width: int, there: str, not_there: str) -> None:
    make(variant="exponential")
    text = terminal(document.report(make(busy=None)), width)
    table = text[text.index(" Model") : text.index("\nTrust:")]
    assert max(len(line) for line in text.splitlines()) <= width
    assert there in table
    assert not_there not in table
    assert "…" not in table


def test_growth_is_explained_where_the_utilisation_does_it(make: Make) -> None:
    def sentence(*cells: tuple[float | None, float, float]) -> str:
        """Return the sentence about cells of (utilisation, rate, mean)."""
        (cell,) = made.cells
        assert cell.measured
        return words.sentence(
            [
                replace(
                    cell,
                    record=cell.record.model_copy(update={"utilisation": busy, "rate_rps": rate_rps}),
                    measured=replace(cell.measured, mean_s=mean_s),
                )
                for busy, rate_rps, mean_s in cells
            ]
        )

    made = make()
    why = "the queue is rarely empty"
    assert f"2.5 times as long, because near 100% utilisation {why}." in sentence((0.3, 15, 0.02), (0.9, 45, 0.05))
    assert why not in sentence((0.3, 15, 0.02), (0.9, 45, 0.04))
    assert why not in sentence((0.3, 15, 0.02), (0.5, 25, 0.05))
    assert sentence((None, 15, 0.02), (None, 45, 0.024)).endswith(
        " Between 15/s and 45/s, the mean response time grew by at most 20%: no queue shows at these rates."
    )
    assert sentence((None, 15, 0.02), (None, 45, 0.019)).endswith("did not grow: no queue shows at these rates.")
    assert sentence((None, 15, 0.02), (None, 45, 0.03)).endswith(
        "grew by at most 50%: the server's limited CPU time can be the reason, or chance, if requests are few."
    )
    assert "grew by at most 50%:" in sentence((None, 15, 0.02), (None, 30, 0.03), (None, 45, 0.02))
    assert sentence((None, 15, 0.06), (None, 45, 0.06)).endswith("did not grow.")  # three times the service time
    assert sentence((None, 45, 0.024)) == "Mean response time: 24.0 ms at 45/s."
    assert sentence((0.4, 20, 0.02)) == "Mean response time: 20.0 ms at 40% utilisation."


def test_a_model_of_which_nothing_came_has_no_panel_beside_one_that_has(make: Make) -> None:
    make()
    busy = {"model": "B", "service": "eight", "utilisation": 0.1}  # at the rate that keeps A busy for 80% of the time
    analysis = make(lambda seen: [each._replace(status=0) for each in seen], busy)
    assert figures(page(document.report(analysis))) == 1
    alone = document.report(replace(analysis, cells=tuple(cell for cell in analysis.cells if not cell.measured)))
    assert "<svg" not in page(alone)
    assert "B · Eight, constant: no result. No request was answered with status 200." in markdown(alone).replace(
        "*", ""
    )


def test_a_run_that_is_not_whole_says_so(make: Make) -> None:
    analysis = make()
    stopped = replace(analysis, run=analysis.run.model_copy(update={"trials_planned": 4, "status": "partial"}))
    assert document.report(stopped).lacks == "This run was interrupted: it has 1 of 4 trials."
    assert document.report(analysis).lacks == ""


def test_nothing_measured_is_a_report_all_the_same(make: Make) -> None:
    report = document.report(replace(make(), cells=()))
    assert "<svg" not in page(report)
    assert "Check of the measurement" not in markdown(report)
    assert "Calibrated" not in terminal(report)


def test_the_verdict_is_each_model_s_mean_at_its_highest_load(make: Make) -> None:
    make()
    analysis = make(variant="exponential")
    found = document.report(analysis).verdict
    assert re.fullmatch(r"Mean response times at the highest load, constant: A [\d.]+ ms at 80%\.", found), found
    assert document.report(replace(analysis, cells=())).verdict == ""
