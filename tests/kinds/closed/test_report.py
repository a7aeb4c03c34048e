"""The whole way from a run folder to its reports, on a real run that was recorded on Docker."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.findings import NOT_CHECKED
from iolab.kinds.closed import predicted, words
from iolab.kinds.closed.cells import AnalysedCell, Analysis, analyse
from iolab.kinds.closed.document import report
from iolab.kinds.closed.figures import colours_of
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.table import columns
from iolab.results.folder import RunFolder
from tests import crowds
from tests.conftest import RECORDED
from tests.rendered import figures, markdown, page, terminal
from tests.rendered import summary as summary_of

EXAMPLE = RECORDED


@pytest.fixture(scope="module")
def analysis(recorded: Analysis) -> Analysis:
    return recorded


def cell(analysis: Analysis, model: str, concurrency: int) -> Cell:
    return next(one.cell for one in analysis.cells if (one.cell.model, one.cell.concurrency) == (model, concurrency))


def test_every_cell_of_the_experiment_is_there(analysis: Analysis) -> None:
    assert [(one.cell.model, one.cell.concurrency) for one in analysis.cells] == [
        (m, c) for m in "ABCD" for c in (4, 16)
    ]


def test_measurements_stand_beside_their_predictions(analysis: Analysis) -> None:
    for model, concurrency, predicted_ms, predicted_rps in [
        ("A", 4, 80, 50),
        ("B", 4, 20, 200),
        ("B", 16, 40, 400),
        ("C", 16, 20, 800),
    ]:
        found = cell(analysis, model, concurrency)
        assert found.predicted_median_ms == predicted_ms
        assert found.predicted_throughput_rps == predicted_rps
        assert found.median_ms == pytest.approx(predicted_ms, rel=0.15)
        assert found.repeats == 3
        assert found.requested == found.ok == 3 * (208 if concurrency == 16 else 200)


def test_order_of_the_models(analysis: Analysis) -> None:
    medians = {model: cell(analysis, model, 16).median_ms or 0 for model in "ABC"}
    assert medians["A"] > medians["B"] > medians["C"]


def test_the_overflow_of_a_is_a_finding_and_no_other_cell_has_one(analysis: Analysis) -> None:
    overflowed = [
        (one.cell.model, one.cell.concurrency)
        for one in analysis.cells
        if "listen_overflow" in {f.id for f in one.cell.findings}
    ]
    assert overflowed == [("A", 16)]


def test_littles_law_is_a_gate_on_every_repeat(analysis: Analysis) -> None:
    """Only A with 16 users loses some of them: whose requests were all answered at once leave long before the others."""
    suspect = {(one.cell.model, one.cell.concurrency): one.cell.suspect_repeats for one in analysis.cells}
    assert suspect.pop(("A", 16)) == 3
    assert set(suspect.values()) == {0}
    for one in analysis.cells:
        assert one.cell.users_under_way
        share = one.cell.users_under_way / one.cell.concurrency
        assert share < 0.6 if (one.cell.model, one.cell.concurrency) == ("A", 16) else 0.95 < share < 1.05


def test_every_median_stands_beside_services_and_prediction(analysis: Analysis) -> None:
    four = cell(analysis, "A", 4)
    assert four.services == pytest.approx(4, rel=0.1)
    assert four.residual == pytest.approx(0, abs=0.1)
    assert cell(analysis, "A", 16).predicted_median_ms == 140
    assert cell(analysis, "A", 16).residual == pytest.approx(0, abs=0.05)
    assert [column.heading for column in columns(analysis)][3:6] == ["x 20 ms", "Median, theory", "off"]


def test_the_rate_is_that_of_the_time_in_which_all_users_are_there(analysis: Analysis) -> None:
    """The nine users that wait for TCP do not make the server idle: it does when the seven have sent all requests."""
    dropped = cell(analysis, "A", 16)
    assert dropped.steady_rps == pytest.approx(49, abs=0.5)
    assert dropped.utilisation == pytest.approx(0.98, abs=0.01)
    assert dropped.throughput_rps == pytest.approx(35, abs=0.5)
    assert dropped.throughput_residual == pytest.approx(0, abs=0.03)
    assert cell(analysis, "C", 16).utilisation is None
    assert cell(analysis, "B", 4).utilisation == pytest.approx(0.5, abs=0.03)
    text = markdown(report(analysis))
    assert "| 142 ms | 7.09 | 140 ms | +1% | 145 ms | 2.19 s | 5.42 s | 49/s | 50/s | -1% |" in text
    assert "| 0.99 | 35/s |" in text


@pytest.mark.usefixtures("undrawn")
def test_a_prediction_behind_a_short_queue_is_said_beside_that_of_a_long_one(analysis: Analysis) -> None:
    (told,) = predicted.short_queues(analysis)
    assert "A with 16 users: the accept queue (listen backlog 5) holds fewer connections than there are users" in told
    assert (
        "the 7 users that circulate, (backlog + 2) x S = 140 ms; with a longer accept queue it is c x S = 320 ms"
        in told
    )
    for text in (markdown(report(analysis)), page(report(analysis))):
        assert "(backlog + 2) x S" in text


@pytest.mark.parametrize(
    ("own", "somaxconn", "backlog", "predicted_ms"),
    [(5, 4096, 5, 140), (None, 4096, None, 320), (128, 3, 3, 100), (128, 4096, 128, 320)],
)
def test_the_backlog_is_the_server_s_own_as_the_kernel_limits_it(
    tmp_path: Path, own: int | None, somaxconn: int, backlog: int | None, predicted_ms: float
) -> None:
    def change(run: dict[str, Any]) -> None:
        run["models"][0]["backlog"] = own
        run["environment"]["network settings"] = {"net.core.somaxconn": somaxconn}

    found = cell(analyse(with_run(tmp_path / "run", change)), "A", 16)
    assert (found.backlog, found.predicted_median_ms, found.predicted_mean_ms) == (backlog, predicted_ms, 320)


def looked_at(one: AnalysedCell) -> AnalysedCell:
    """Return a cell of which other programs were checked: the recorded run has no figures of each core."""
    left = tuple(each for each in one.cell.findings if each.id != NOT_CHECKED)
    assert len(left) == len(one.cell.findings) - 1
    return replace(one, cell=one.cell.model_copy(update={"findings": left}))


@pytest.mark.usefixtures("undrawn")
def test_what_an_experiment_is_made_to_show_is_no_reason_for_doubt(analysis: Analysis) -> None:
    cells = [looked_at(one) for one in analysis.cells]
    analysis = replace(analysis, cells=tuple(cells))
    each = next(one for one in analysis.cells if (one.cell.model, one.cell.concurrency) == ("A", 16))
    shown = tuple(one.model_copy(update={"expected": True}) for one in each.cell.findings)
    expected = replace(each, cell=each.cell.model_copy(update={"findings": shown}))
    doubted, trusted = report(analysis), report(replace(analysis, cells=(expected, analysis.cells[0])))
    assert (doubted.trust.level, trusted.trust.level) == ("limited", "good")
    assert [len(doubted.findings), len(doubted.expected)] == [3, 0]
    assert [len(trusted.findings), len(trusted.expected)] == [0, 3]
    assert "## What this shows" in markdown(trusted)
    assert (each.cell.doubtful, expected.cell.doubtful, analysis.cells[0].cell.doubtful) == (True, False, False)
    assert '<tr class="doubt' in page(doubted)
    assert '<tr class="doubt' not in page(trusted)


def test_an_interval_holds_its_median(analysis: Analysis) -> None:
    for one in analysis.cells:
        assert one.cell.median_ci_ms
        assert one.cell.median_ci_ms[0] <= (one.cell.median_ms or 0) <= one.cell.median_ci_ms[1]


def test_summary_has_the_keys_of_the_contract(analysis: Analysis) -> None:
    summary = summary_of(RunFolder.open(EXAMPLE))
    assert (summary["schema"], summary["kind"]) == (2, "closed")
    assert summary["experiment"] == "bench"
    assert summary["runtime"] == "docker"
    contract = {
        "model", "service", "concurrency", "cpus", "repeats", "requested", "ok", "errors", "median_ms", "median_ci_ms", "mean_ms",
        "p95_ms", "p99_ms", "throughput_rps", "predicted_median_ms", "predicted_throughput_rps", "server", "client", "valid", "findings",
    }  # fmt: skip
    assert contract <= set(summary["cells"][0])
    assert {"cpu_s", "throttled_s", "threads_peak", "rss_peak_bytes", "listen_overflows"} <= set(
        summary["cells"][0]["server"]
    )
    assert {"id", "severity", "message", "remedy", "expected", "value"} == set(summary["cells"][1]["findings"][0])


@pytest.mark.parametrize(
    ("model", "verdict"), [("A", "explodes in the tail"), ("B", "steps"), ("C", "stays flat"), ("D", "stays flat")]
)
def test_verdicts_follow_the_data(analysis: Analysis, model: str, verdict: str) -> None:
    group = next(cells for cells in words.by_model(analysis) if cells[0].model == model)
    assert words.verdict(group) == verdict


def test_html_is_one_small_file_that_needs_no_network(recorded_page: str) -> None:
    assert len(recorded_page) < 1_000_000
    assert figures(recorded_page) == 3
    outside = (
        recorded_page.replace("http://www.w3.org/", "")
        .replace("https://www.w3.org/", "")
        .replace("http://purl.org/", "")
    )
    outside = outside.replace("http://creativecommons.org/", "")
    assert "http://" not in outside
    assert "https://" not in outside
    assert "<script" not in recorded_page
    assert "<link" not in recorded_page
    for text in ("explodes", "steps", "stays flat", "accept queue", "624/624", "seed 1991"):
        assert text in recorded_page


def test_html_is_the_same_every_time(recorded_page: str) -> None:
    assert recorded_page == page(report(analyse(RunFolder.open(EXAMPLE))))


def test_markdown_has_the_table_and_the_wall_time(analysis: Analysis) -> None:
    text = markdown(report(analysis))
    assert "| C  asyncio | 16 | 20.7 ms | 1.03 | 20.0 ms | +3% |" in text
    assert (
        "The requests take 36.6 s in theory; the benchmark took 48.0 s, with all starts and stops (limit: 25% and 10 s more, 55.8 s)."
        in text
    )
    assert "memory: 23.5 GiB" in text


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_shows_the_course_table_whole(analysis: Analysis, width: int) -> None:
    text = terminal(report(analysis), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("B ")]
    assert any("40.3" in row and "40.0" in row for row in rows)


Damage = Callable[[Path], object]


def damaged(tmp_path: Path, damage: Damage) -> Analysis:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    damage(copy)
    return analyse(RunFolder.open(copy))


def change_run(**changes: Any) -> Damage:
    def change(folder: Path) -> None:
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, **changes}))

    return change


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_was_killed_can_be_reported(tmp_path: Path) -> None:
    def kill(folder: Path) -> None:
        change_run(status="running", finished=None, wall_s=None)(folder)
        lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
        (folder / "trials.jsonl").write_text("".join(lines[:5]) + lines[5][:50])

    found = damaged(tmp_path, kill)
    assert len(found.cells) == 5
    assert "This run has not ended: it has 5 of 24 trials" in page(report(found))
    assert "The benchmark has not ended." in markdown(report(found))


def test_a_run_without_a_single_trial_can_be_reported(tmp_path: Path) -> None:
    def stop_early(folder: Path) -> None:
        (folder / "trials.jsonl").unlink()
        change_run(status="partial")(folder)

    found = damaged(tmp_path, stop_early)
    assert found.cells == ()
    assert "This run was interrupted: it has 0 of 24 trials" in page(report(found))
    assert "0 of 24 trials" in markdown(report(found))


@pytest.mark.usefixtures("undrawn")
def test_a_cell_without_a_valid_trial_has_nulls_and_says_why(tmp_path: Path) -> None:
    def spoil(folder: Path) -> None:
        lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
        for line in lines:
            if line["model"] == "C" and line["concurrency"] == 4:
                line.update(valid=False, reason="the server ended with status 1", ok=0, sent=0, rows={})
        (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = damaged(tmp_path, spoil)
    spoiled = cell(found, "C", 4)
    assert not spoiled.valid
    assert (spoiled.median_ms, spoiled.p99_ms, spoiled.throughput_rps, spoiled.server.cpu_s) == (None, None, None, None)
    assert "the server ended with status 1" in page(report(found))
    assert "C with 4 users" in markdown(report(found))


@pytest.mark.usefixtures("undrawn")
def test_a_cell_whose_requests_partly_failed_is_shown_and_not_valid(tmp_path: Path) -> None:
    def spoil(folder: Path) -> None:
        lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
        for line in lines:
            if line["model"] == "A" and line["concurrency"] == 16:
                line.update(valid=False, reason="8 of 208 requests got no answer 200", ok=200, errors=8)
        (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = damaged(tmp_path, spoil)
    spoiled = cell(found, "A", 16)
    assert not spoiled.valid
    assert spoiled.median_ms == pytest.approx(145, rel=0.1)
    assert '<tr class="doubt' in page(report(found))


def test_a_single_number_of_users_is_no_comparison(analysis: Analysis) -> None:
    assert words.verdict([cell(analysis, "A", 16)]) == "142 ms"


def test_random_waits_have_no_prediction_and_the_page_says_why(tmp_path: Path) -> None:
    run = json.loads((EXAMPLE / "run.json").read_text())
    run["experiment"]["server"]["wait_distribution"] = "exponential"
    found = damaged(tmp_path, change_run(experiment=run["experiment"]))
    assert cell(found, "C", 16).predicted_median_ms is None
    assert "No prediction is drawn: service times are random" in predicted.prediction(found)
    assert "No prediction is drawn: " in page(report(found))


def test_a_model_looks_alike_in_every_report(analysis: Analysis, tmp_path: Path) -> None:
    run = json.loads((EXAMPLE / "run.json").read_text())

    def leave_one(folder: Path) -> None:
        change_run(models=[model for model in run["models"] if model["letter"] == "C"])(folder)
        lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
        (folder / "trials.jsonl").write_text("".join(line for line in lines if json.loads(line)["model"] == "C"))

    alone = damaged(tmp_path, leave_one)
    assert colours_of(alone)["C"] == colours_of(analysis)["C"] != colours_of(analysis)["A"]


def test_one_slow_answer_among_few_is_no_explosion(analysis: Analysis) -> None:
    few, many = cell(analysis, "C", 4), cell(analysis, "C", 16)
    stray = many.model_copy(update={"p99_ms": None, "max_ms": 900.0})
    assert words.verdict([few, stray]) == "stays flat"


def test_a_damaged_experiment_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run\.json: experiment\.speed: Extra inputs"):
        damaged(
            tmp_path,
            change_run(experiment={**json.loads((EXAMPLE / "run.json").read_text())["experiment"], "speed": 9}),
        )


def test_markup_in_the_data_stays_text(tmp_path: Path) -> None:
    run = json.loads((EXAMPLE / "run.json").read_text())
    run["experiment"]["question"] = "<script>alert(1)</script> [red]x[/red]"
    found = damaged(tmp_path, change_run(experiment=run["experiment"]))
    assert "<script" not in page(report(found))
    assert "[red]x[/red]" in terminal(report(found))


def with_run(folder: Path, change: Callable[[dict[str, Any]], object]) -> RunFolder:
    """Copy the recorded run, and change its run.json."""
    shutil.copytree(EXAMPLE, folder)
    run = json.loads((folder / "run.json").read_text())
    change(run)
    (folder / "run.json").write_text(json.dumps(run))
    return RunFolder.open(folder)


def test_a_run_that_does_not_say_its_cores_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not name the cores of CPUS=1"):
        analyse(with_run(tmp_path / "run", lambda run: run["cpu_plans"].clear()))


def test_a_run_of_another_kind_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    folder = crowds.run(tmp_path, (100,), (crowds.C,))
    with pytest.raises(UsageError, match="is a run of kind crowd, which this does not read"):
        analyse(folder)


def test_what_a_request_used_is_of_the_repeats_that_are_counted(tmp_path: Path) -> None:
    """A repeat that is not valid adds nothing to what was used, so its answers must not share in it."""
    folder = with_run(tmp_path / "run", lambda run: None)
    path = folder.path / "trials.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    bad = next(one for one in records if (one["model"], one["concurrency"]) == ("B", 4))
    bad.update(valid=False, reason="2 of 200 requests got no answer 200", ok=198, errors=2)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    found = cell(analyse(folder), "B", 4)
    assert (found.ok, found.counted, found.repeats) == (598, 400, 2)
    assert words.cpu_a_request(found) == f"{(found.server.cpu_s or 0) / 400 * 1000:.2f} ms"


@pytest.mark.parametrize("cpus", [(1.0,), (0.5, 1.0)])
def test_trials_of_few_requests_have_no_rate_and_a_report(analysis: Analysis, cpus: tuple[float, ...]) -> None:
    """`make bench REQUESTS=1`: no time in which all users are there, so no throughput to draw."""
    cells = tuple(
        replace(
            each, cell=each.cell.model_copy(update={"steady_rps": None, "throughput_residual": None, "cpus": limit})
        )
        for each in analysis.cells
        for limit in cpus
    )
    experiment = analysis.experiment.model_copy(update={"cpus": cpus})
    text = page(report(replace(analysis, cells=cells, experiment=experiment)))
    assert "Infinity" not in text
    assert '<svg role="img"' in text
