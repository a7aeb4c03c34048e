"""Sentences follow the data: each is tested on data that support it and on data that do not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from iolab.experiment import Variant
from iolab.kinds.closed import cpu_figures, figures
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.cpu_stories import cores, of_limits
from iolab.kinds.closed.document import report
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.stories import backlog, no_open_queue, stories
from iolab.report.drawing import MARKERS
from iolab.results.records import ClientUsage, ServerUsage
from iolab.theory.closed_loop import mm1_response_s
from tests.conftest import ROOT
from tests.rendered import figures as figures_of
from tests.rendered import markdown, page


@pytest.fixture(scope="module")
def run(recorded: Analysis) -> Analysis:
    return recorded


def like(analysis: Analysis, *cells: Cell, **experiment: object) -> Analysis:
    """Return an analysis with these cells."""
    return replace(
        analysis,
        experiment=analysis.experiment.model_copy(update=experiment),
        cells=tuple(AnalysedCell(cell, (np.full(9, (cell.median_ms or 1) / 1000),)) for cell in cells),
    )


def cell(analysis: Analysis, **changes: object) -> Cell:
    """Return the recorded cell of A with 16 users, changed."""
    found = next(one.cell for one in analysis.cells if (one.cell.model, one.cell.concurrency) == ("A", 16))
    return found.model_copy(update=changes)


def queues(analysis: Analysis, short: dict[str, object], long: dict[str, object]) -> Analysis:
    vary = (Variant(name="backlog 5", backlog=5), Variant(name="backlog 1024", backlog=1024))
    again = ClientUsage(syn_retransmits=94)
    cells = (
        cell(analysis, variant="backlog 5", backlog=5, server=ServerUsage(listen_overflows=93), client=again, **short),
        cell(analysis, variant="backlog 1024", backlog=1024, server=ServerUsage(listen_overflows=0), **long),
    )
    return like(analysis, *cells, vary=vary)


def test_the_backlog_s_story_is_told_in_its_numbers(run: Analysis) -> None:
    told = " ".join(backlog(queues(run, {"median_ms": 146.0, "max_ms": 5400.0}, {"median_ms": 334.0, "max_ms": 350.0})))
    for words in (
        "334 ms = 16 x 20.9 ms",
        "The median is only 146 ms = 7.0 x 20.9 ms",
        "The accept queue takes 6 connections, and one is served: 7 users circulate",
        "the kernel drops 93 packets of connection attempts, and attempts are sent again 94 times",
        "5.40 s",
        "the server serves as much: 49/s and 49/s. Over the whole span the short queue has 35/s",
        "(backlog + 2) x S predicts 140 ms",
        "M/M/1 describes another situation",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("drops", "again", "slowest_ms", "words"),
    [
        (93, 94, 5400.0, "TCP sends a dropped attempt again after 1 s or more: the slowest response took 5.40 s."),
        (93, None, 1700.0, "TCP sends a dropped attempt again after 1 s or more: the slowest response took 1.70 s."),
        (
            93,
            94,
            520.0,
            "The slowest response took 520 ms; this run does not show that it waited for a dropped attempt",
        ),
        (
            93,
            0,
            1700.0,
            "The slowest response took 1.70 s; this run does not show that it waited for a dropped attempt",
        ),
        (0, 0, 1700.0, "no connection attempt is dropped. The median is only 146 ms = 7.0 x 20.9 ms, the service time"),
        (0, 0, 1700.0, "with the long queue, and the slowest response took 1.70 s: this run does not show why."),
        (None, None, 520.0, "how many packets of connection attempts were dropped is not known. The median is only"),
        (None, None, 5400.0, "with the long queue, and the slowest response took 5.40 s: why is not known."),
    ],
)
def test_retries_are_told_only_where_drops_were_counted_and_a_response_took_a_second(
    run: Analysis, drops: int | None, again: int | None, slowest_ms: float, words: str
) -> None:
    both = queues(run, {"median_ms": 146.0, "max_ms": slowest_ms}, {"median_ms": 334.0, "max_ms": 100.0})
    used = {"server": ServerUsage(listen_overflows=drops), "client": ClientUsage(syn_retransmits=again)}
    short = replace(both.cells[0], cell=both.cells[0].cell.model_copy(update=used))
    told = " ".join(backlog(replace(both, cells=(short, both.cells[1]))))
    assert words in told
    retried = bool(drops) and again != 0 and slowest_ms >= 1000
    for cause in ("TCP sends", "still wait for TCP", "the server idles"):
        assert (cause in told) == retried
    for cause in ("since fewer requests wait", "7 users circulate"):
        assert (cause in told) == bool(drops)
    assert "Over the whole span the short queue has 35/s" in told


def test_what_theory_expects_without_drops_is_a_product_only_where_it_is_one(run: Analysis) -> None:
    def told(**changes: object) -> str:
        return backlog(
            queues(run, {"median_ms": 146.0, "max_ms": 5400.0} | changes, {"median_ms": 334.0, "max_ms": 350.0})
        )[-1]

    assert told().startswith("The closed loop without drops, 16 x 20 ms, predicts 320 ms. (backlog + 2) x S predicts")
    computes = {"service_ms": 25.0, "predicted_mean_ms": 800.0, "predicted_median_ms": 350.0}  # 5 ms on 0.1 CPU
    assert told(**computes).startswith(
        "The closed loop without drops predicts 800 ms. (backlog + 2) x P / CPUs predicts 350 ms"
    )
    unknown = told(service_ms=None, predicted_mean_ms=None, predicted_median_ms=None)
    assert unknown.startswith("M/M/1 describes another situation")


def test_no_open_queue_is_computed_from_a_rate_without_all_users(run: Analysis) -> None:
    suspect = cell(run, suspect_repeats=3, steady_rps=45.0, utilisation=0.9)
    assert (
        "The measured rate is not that of all users (Little's law, 3 repeats): no value is computed."
        in no_open_queue(suspect)
    )
    whole = cell(run, suspect_repeats=0, steady_rps=45.0, utilisation=0.9, mean_ms=320.0)
    assert no_open_queue(whole).endswith(
        "At the measured utilisation, 0.90, it predicts a mean of 200 ms; the measured mean is 320 ms."
    )
    busy = cell(run, suspect_repeats=0, steady_rps=50.0, utilisation=1.0)
    assert "It has no value at a utilisation of 1." in no_open_queue(busy)


def test_a_backlog_that_no_users_fit_into_is_no_story(run: Analysis) -> None:
    both = queues(run, {"median_ms": 146.0, "max_ms": 5400.0}, {"median_ms": 334.0, "max_ms": 350.0})
    assert backlog(both) != []
    short = tuple(replace(each, cell=each.cell.model_copy(update={"backlog": 5})) for each in both.cells)
    assert backlog(replace(both, cells=short)) == []


def test_data_that_do_not_show_it_are_not_told_as_if(run: Analysis) -> None:
    told = " ".join(backlog(queues(run, {"median_ms": 330.0, "max_ms": 360.0}, {"median_ms": 334.0, "max_ms": 350.0})))
    assert "this run does not show a shorter median together with a longer tail" in told
    assert "The median is only" not in told


def limits(analysis: Analysis, rates: dict[float, float]) -> Analysis:
    cells = [
        cell(
            analysis, model="C", cpus=cpus, steady_rps=rate, throughput_rps=rate, median_ms=16_000 / rate,
            server=ServerUsage(throttled_s=1.5 if cpus < 1 else 0.0),
        )
        for cpus, rate in rates.items()
    ]  # fmt: skip
    return like(analysis, *cells, cpus=tuple(rates))


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({0.1: 740.0, 1.0: 750.0}, "740/s with 0.1 CPU (throttled for 1.50 s), 750/s with 1"),
        (
            {0.1: 20.0, 0.5: 100.0, 1.0: 200.0},
            "The rate rises over the whole range: 10.0 times the rate with 10 times the CPU",
        ),
        ({0.1: 100.0, 0.5: 740.0, 1.0: 750.0}, "Above 0.5 CPU, the rate changes by less than 10% in this run"),
    ],
)
def test_what_a_cpu_limit_did(run: Analysis, rates: dict[float, float], words: str) -> None:
    (told,) = cores(limits(run, rates))
    assert words in told


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({0.25: 50.0, 0.5: 95.0, 1.0: 60.0, 2.0: 100.0}, "it does not rise with every limit: 50/s with 0.25 CPU, 95/s"),
        ({0.25: 50.0, 0.5: 120.0, 2.0: 100.0}, "2.0 times the rate with 8 times the CPU, but it does not rise with"),
        ({0.25: 50.0, 0.5: 95.0, 1.0: 96.0, 2.0: 100.0}, "Above 0.5 CPU, the rate changes by less than 10%"),
        ({0.25: 50.0, 0.5: 60.0, 1.0: 104.0, 2.0: 100.0}, "Above 1 CPU, the rate changes by less than 10%"),
        ({0.25: 50.0, 0.5: 90.0, 1.0: 100.0}, "The rate rises over the whole range"),  # 10% is not less than 10%
        ({0.25: 95.0, 0.5: 60.0, 1.0: 100.0}, "In between, the rate is different: 60/s with 0.5 CPU."),
        ({0.25: 95.0, 0.5: 130.0, 1.0: 100.0}, "In between, the rate is different: 130/s with 0.5 CPU."),
    ],
)
def test_a_rate_that_changes_little_does_so_at_every_limit_from_there_on(
    run: Analysis, rates: dict[float, float], words: str
) -> None:
    (told,) = cores(limits(run, rates))
    assert words in told
    for sentence in ("Above", "rises over", "not rise", "In between"):
        assert (f"{sentence}" in told) == (sentence in words)


@pytest.mark.parametrize(("repeats", "words"), [(1, "1 repeat of each: too few for an interval."), (3, "")])
def test_a_rate_that_changes_little_is_of_so_many_repeats(run: Analysis, repeats: int, words: str) -> None:
    rates = {0.1: 100.0, 0.5: 740.0, 1.0: 750.0}
    (told,) = cores(repeated(limits(run, rates), *((rate,) * repeats for rate in rates.values())))
    assert told.endswith(f"the rate changes by less than 10% in this run.{words and f' {words}'}")


def test_a_sweep_is_drawn_and_told_everywhere(run: Analysis) -> None:
    swept = limits(run, {0.1: 20.0, 1.0: 200.0})
    assert cpu_figures.cores(swept, narrow=False).count("<svg") == 1
    shown = page(report(swept))
    assert figures_of(shown) == 3
    assert "What the CPU limit changes" in shown
    assert "What the CPU limit changes" in markdown(report(swept))
    assert "Throttled" in shown


def test_a_bench_that_varies_nothing_has_no_such_story(run: Analysis) -> None:
    assert stories(run) == []


def test_mm1_is_kleinrock_s() -> None:
    # https://en.wikipedia.org/wiki/M/M/1_queue: 1 / (mu - lambda)
    assert mm1_response_s(30.0, 0.02) == pytest.approx(1 / (50 - 30))
    with pytest.raises(ValueError, match="below 1"):
        mm1_response_s(50.0, 0.02)


def test_the_experiments_are_there() -> None:
    assert {path.stem for path in Path(ROOT / "experiments").glob("*.toml")} >= {"bench", "backlog", "cores"}


def repeated(analysis: Analysis, *rates: tuple[float, ...]) -> Analysis:
    """Return an analysis whose cells have these rates, one a repeat."""
    cells = [replace(each, steady_rps=mine) for each, mine in zip(analysis.cells, rates, strict=True)]
    return replace(analysis, cells=tuple(cells))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ((740.0,), (750.0,), "1 repeat of each: too few for an interval, so whether they differ is not known."),
        ((740.0, 741.0), (750.0, 751.0, 752.0), "2 repeats of each: too few for an interval"),
        ((740.0, 745.0, 742.0), (750.0, 752.0, 749.0), "so they are less than 10% apart."),
        ((700.0, 745.0, 790.0), (750.0, 800.0, 700.0), "so no difference is shown."),
        ((690.0, 691.0, 692.0), (750.0, 751.0, 752.0), "so they are less than 10% apart."),
        ((681.0, 682.0, 683.0), (740.0, 750.0, 760.0), "so they differ."),
    ],
)
def test_rates_that_are_close_are_the_same_only_as_far_as_their_repeats_show(
    run: Analysis, low: tuple[float, ...], high: tuple[float, ...], words: str
) -> None:
    few, many = float(np.mean(low)), float(np.mean(high))
    (told,) = cores(repeated(limits(run, {0.25: few, 1.0: many}), low, high))
    assert words in told
    assert ("95% interval within this run" in told) == (min(len(low), len(high)) >= 3)
    assert ("so they differ" in told) <= ("95% interval within this run" in told)


def test_of_many_ratios_one_that_differs_alone_is_no_difference(run: Analysis) -> None:
    """680 to 700/s against 750/s: the interval of 95% excludes 1, and that of 1 - 0.05/8 does not."""
    low, high = (688.0, 700.0, 712.0), (735.0, 750.0, 765.0)
    one = repeated(limits(run, {0.25: 700.0, 1.0: 750.0}), low, high)
    (told,) = cores(one)
    assert "so they differ." in told
    letters = "ABCDEFGH"
    cells = [
        replace(each, cell=each.cell.model_copy(update={"model": letter})) for letter in letters for each in one.cells
    ]
    assert len(cores(replace(one, cells=tuple(cells)))) == 8
    for said in cores(replace(one, cells=tuple(cells))):
        assert "so no difference is shown: with 8 ratios, one interval that excludes 1 can be chance." in said
        assert "(95% interval within this run" in said


def test_what_a_request_takes_and_what_theory_expects_is_said_where_it_is_known(run: Analysis) -> None:
    same = limits(run, {1.0: 158.0, 2.0: 157.0})
    (told,) = cores(same)
    assert told.endswith("Theory expects the same rate with both.")  # which CPU time a request took is not known
    used = ServerUsage(cpu_s=1.0)
    cells = [
        replace(
            each, cell=each.cell.model_copy(update={"server": used, "counted": 200, "predicted_throughput_rps": rps})
        )
        for each, rps in zip(same.cells, (100.0, 200.0), strict=True)
    ]
    (told,) = cores(replace(same, cells=tuple(cells)))
    assert told.endswith("A request takes 5.00 ms of CPU time.")


def test_what_did_not_happen_is_not_explained(run: Analysis) -> None:
    told = " ".join(backlog(queues(run, {"median_ms": 330.0, "max_ms": 360.0}, {"median_ms": 334.0, "max_ms": 350.0})))
    assert "M/M/1" not in told


def test_the_percentile_plot_ends_at_the_slowest_request(run: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    plot = Axes.plot

    def watched(axes: Axes, x: Any, y: Any, *more: Any, **look: Any) -> Any:
        drawn.append(float(y[-1]))
        return plot(axes, x, y, *more, **look)

    monkeypatch.setattr(Axes, "plot", watched)
    figures.tails(run, narrow=False)
    assert drawn == [pytest.approx(float(one.latencies_s.max()) * 1000) for one in run.cells]


def test_each_setting_has_a_panel_of_the_tails_with_its_name_and_models_look_as_everywhere(
    run: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours: list[str] = []
    plot = Axes.plot

    def watched(axes: Axes, *data: Any, **look: Any) -> Any:
        colours.append(look["color"])
        return plot(axes, *data, **look)

    monkeypatch.setattr(Axes, "plot", watched)
    drawn = figures.tails(queues(run, {"median_ms": 146.0}, {"median_ms": 334.0}), narrow=True)
    assert [f"A  Blocking, {name}" in drawn for name in ("backlog 5", "backlog 1024")] == [True, True]
    assert set(colours) == {figures.colours_of(run)["A"][0]}
    colours.clear()
    figures.tails(run, narrow=False)
    assert len(colours) == 8
    assert len(set(colours)) == 4


def test_the_tails_of_many_settings_are_not_drawn(run: Analysis) -> None:
    assert figures.has_tails(run)
    assert not figures.has_tails(limits(run, {number / 10: 20.0 for number in range(1, figures.MANY_CELLS + 2)}))


def test_marks_of_models_that_measure_the_same_stand_side_by_side(
    run: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C behind D: where both have 750 requests a second, two marks in one place are one."""
    places: list[tuple[float, float]] = []
    plot = Axes.plot

    def watched(axes: Axes, x: Any, y: Any, *more: Any, **look: Any) -> Any:
        if {look.get("marker"), *more} & set(MARKERS):
            places.extend(zip(np.atleast_1d(x).tolist(), np.atleast_1d(y).tolist(), strict=True))
        return plot(axes, x, y, *more, **look)

    monkeypatch.setattr(Axes, "plot", watched)
    same = [
        cell(run, model=model, cpus=cpus, throughput_rps=750.0, median_ms=21.0)
        for model in ("C", "D") for cpus in (0.5, 1.0)
    ]  # fmt: skip
    cpu_figures.cores(like(run, *same, cpus=(0.5, 1.0)), narrow=False)
    cpu_figures.saturation(like(run, *same[1::2]), narrow=False)
    assert len(places) == len(set(places)) > 8


def test_of_many_cpu_limits_the_dots_of_the_lowest_and_the_highest_are_drawn(run: Analysis) -> None:
    drawn = figures.overview(limits(run, {0.1: 20.0, 0.5: 100.0, 1.0: 200.0}), narrow=False)
    assert ["0.1 CPU" in drawn, "0.5 CPU" in drawn, "1 CPU" in drawn] == [True, False, True]


@pytest.mark.usefixtures("undrawn")
def test_as_many_rounds_are_told_as_there_were(run: Analysis, recorded_page: str) -> None:
    added = [one.cell.model_copy(update={"repeats": 46}) for one in run.cells]
    precise = like(run, *added, precision=0.01)
    assert "The trials ran in 46 rounds in random order" in page(report(precise))
    assert "The trials ran in 3 rounds in random order" in recorded_page


def test_tables_have_row_headings_and_pages_are_a4(run: Analysis, recorded_page: str) -> None:
    shown = recorded_page
    assert shown.count('<th scope="row"') == 5 * len(run.cells) + 6
    assert "@page { size: A4" in shown


def test_the_verdict_of_several_limits_says_how_much_more_is_served(run: Analysis) -> None:
    rates = {("A", 0.25): 48.0, ("A", 1.0): 50.0, ("B", 0.25): 200.0, ("B", 1.0): 380.0, ("C", 0.25): 100.0}
    cells = [
        cell(run, model=model, cpus=cpus, steady_rps=rps, variant="waiting") for (model, cpus), rps in rates.items()
    ]
    assert of_limits(cells) == (
        "waiting: the rates of A with 0.25 and with 1 CPU are less than 10% apart, and compared with 0.25 CPU, 1 CPU"
        " serves 1.9 times (B) as much."
    )
    computing = [cell(run, model="D", cpus=cpus, steady_rps=180.0, variant="computing") for cpus in (0.25, 1.0)]
    assert of_limits([*cells[:2], *computing]) == (
        "waiting: the rates of A with 0.25 and with 1 CPU are less than 10% apart; computing: the rates of D with 0.25"
        " and with 1 CPU are less than 10% apart."
    )
    assert of_limits([cell(run, cpus=cpus, steady_rps=None) for cpus in (0.25, 1.0)]) == ""


@pytest.mark.parametrize(
    ("drops", "again", "words"),
    [
        (None, None, "how many packets of connection attempts were dropped is not known"),
        (0, 0, "no connection attempt is dropped"),
        (93, None, "the kernel drops 93 packets of connection attempts."),
        (93, 0, "the kernel drops 93 packets of connection attempts, and attempts are sent again 0 times."),
    ],
)
def test_what_is_not_known_of_drops_is_not_told_as_none(
    run: Analysis, drops: int | None, again: int | None, words: str
) -> None:
    both = queues(run, {"median_ms": 330.0, "max_ms": 360.0}, {"median_ms": 334.0, "max_ms": 350.0})
    used = {"server": ServerUsage(listen_overflows=drops), "client": ClientUsage(syn_retransmits=again)}
    changed = replace(both.cells[0], cell=both.cells[0].cell.model_copy(update=used))
    told = " ".join(backlog(replace(both, cells=(changed, both.cells[1]))))
    assert f"With a listen backlog of 5, {words}" in told
