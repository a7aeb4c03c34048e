"""The report of a freeze: the percentiles of both ways of measuring, and every request over time."""

from collections.abc import Sequence
from functools import partial

from iolab.kinds.freeze.cells import LATE_S, PERCENTILES, Analysis, Standstill, percent
from iolab.kinds.freeze.run import ROOM
from iolab.kinds.freeze.settings import Freeze, FreezeExperiment
from iolab.report import document, doubts, drawing, numbers, run_report
from iolab.report.document import Block, Document, Figure, Section, Sentences, Table
from iolab.report.marked import Answer
from iolab.report.settings import servers
from iolab.theory.enough import least_count

COLOURS = {"closed loop": drawing.COLOURS[1], "planned": drawing.COLOURS[0]}
MUCH_MORE = 3.0  # times the closed loop's share of late requests, or that before the freeze
SOME = 0.5  # of the share of planned requests that a freeze makes late


def report(analysis: Analysis) -> Document:
    """Return the report of a run."""
    run, experiment, number = analysis.run, analysis.experiment, len(analysis.records)
    return run_report.report(
        run,
        number,
        question=question(experiment),
        verdict=verdict(analysis.standstills),
        answer=[Section("", _answer(analysis), brief=True)],
        noun="trial",
        findings=doubts.of_trials(run, ((each.name, each) for each in analysis.records), experiment.cpus[0]),
        method=[settings(analysis)],
        rows="a row for each request",
    )


def question(experiment: FreezeExperiment) -> str:
    """Return the question, with its numbers."""
    freeze = experiment.freeze
    known = {"{freeze_s}": freeze.for_s, "{run_s}": freeze.run_s, "{users}": experiment.concurrency[0]}
    text = experiment.question
    for name, value in known.items():
        text = text.replace(name, f"{value:g}")
    return text


def _answer(analysis: Analysis) -> list[Block]:
    standstills, stop = analysis.standstills, analysis.experiment.freeze
    if not standstills:
        return []
    return [
        Sentences(sentences(standstills, stop)),
        Figure(partial(picture, standstills, stop), "Each dot is a request. The server is frozen in the shaded time."),
        percentiles(standstills),
    ]


def verdict(standstills: Sequence[Standstill]) -> str:
    """Say which share of late requests each way of measuring counts, as far as it was measured."""
    closed, planned = _late(standstills)
    parts = [] if closed is None else [f"{closed:.1%} of the requests of the closed loop took longer than 100 ms"]
    if planned is not None:
        parts.append(
            f"{planned:.1%} of the requests planned at a constant rate took longer than 100 ms, counted from when each"
            " was planned"
        )
    return f"{'; '.join(parts)}." if parts else ""


def _late(standstills: Sequence[Standstill]) -> tuple[float | None, float | None]:
    """Return the shares of late requests of the closed loop and of planned requests; None if one was not measured."""
    late = {each.name: each.late() for each in standstills}
    return late.get("closed loop"), late.get("planned")


def sentences(standstills: Sequence[Standstill], stop: Freeze) -> list[str]:
    """Say how long the server was frozen, and why both ways of measuring differ if they do."""
    share = f"{stop.for_s / stop.run_s:.0%} of the {stop.run_s:g} s of planned requests"
    texts = [f"The server was frozen for {stop.for_s:g} s, {share}."]
    closed, planned = _late(standstills)
    if closed is None or planned is None:
        return texts
    by_plan = next(each for each in standstills if each.name == "planned")
    if planned > MUCH_MORE * closed and not frozen_out(by_plan, stop):
        why = _not_the_freeze(by_plan, stop)
    elif planned > MUCH_MORE * closed:
        why = (
            "The users of the closed loop waited for their responses and sent no other requests meanwhile. The requests"
            " that would have waited were never sent: this is coordinated omission, and the percentiles of the closed"
            " loop are too low."
        )
    else:
        why = (
            "In this run, the share of planned requests that took longer than 100 ms is not more than"
            f" {MUCH_MORE:g} times that of the closed loop."
        )
    texts.append(Answer(why))
    return texts


def frozen_out(planned: Standstill, stop: Freeze) -> bool:
    """Return whether the freeze explains the late planned requests: as many as it makes late, and few before it."""
    late, expected = planned.late() or 0.0, _expected(stop)
    enough = round(late * len(planned.latencies_s)) >= least_count(0.5)
    return enough and late >= SOME * expected > 0 and late > MUCH_MORE * planned.late_before(stop.after_s)


def _expected(stop: Freeze) -> float:
    """Return the share of planned requests that a freeze makes late: those that were planned long before its end."""
    return max(0.0, stop.for_s - LATE_S) / stop.run_s


def _not_the_freeze(planned: Standstill, stop: Freeze) -> str:
    late = round((planned.late() or 0.0) * len(planned.latencies_s))
    number = len(planned.latencies_s)
    few = f" Fewer than {least_count(0.5)} are too few to tell." if late < least_count(0.5) else ""
    return (
        f"{late:,} of {numbers.counted(number, 'planned request')} took longer than 100 ms; a freeze of {stop.for_s:g}"
        f" s makes about {_expected(stop) * number:.0f} of them so late.{few} So this run does not show what the closed"
        " loop omits."
    )


def percentiles(standstills: Sequence[Standstill]) -> Table:
    """Return the table with a column for each way of measuring."""
    found = [each.percentiles_ms() for each in standstills]
    names = (*(f"p{share * 100:g}" for share in PERCENTILES), "slowest")
    return document.plain(
        ["Response time", *(each.name for each in standstills)],
        [
            *([name, *(_known(values[name]) for values in found)] for name in names),
            ["later than 100 ms", *(percent(each.late()) for each in standstills)],
            ["requests", *(f"{len(each.samples):,}" for each in standstills)],
        ],
    )


def _known(value: float | None) -> str:
    return numbers.TOO_FEW if value is None else numbers.milliseconds(value)


def settings(analysis: Analysis) -> str:
    """Return the settings of server and loads."""
    experiment, (model,) = analysis.experiment, analysis.run.models
    stop = experiment.freeze
    loads = (
        f"Settings: {model.title}, {', '.join(servers(experiment.server))}; {numbers.users(experiment.concurrency[0])}"
        " in the closed loop, and requests at"
    )
    frozen = f"; the server is frozen {stop.after_s:g} s after the load begins, for {stop.for_s:g} s."
    return Answer(
        f"{loads} {ROOM:g} times the rate that theory expects of these users{frozen}",
        f"{loads} a constant rate{frozen}",
    )


def picture(standstills: Sequence[Standstill], stop: Freeze, narrow: bool) -> str:
    """Draw every request of both ways over time, on the same axes; the standstill is shaded."""
    with drawing.sheet(narrow, 0.5 + 2.6 * len(standstills)) as drawn:
        grid = drawn.subplots(len(standstills), 1, sharex=True, sharey=True, squeeze=False)
        latencies_ms = []
        for (axes,), each in zip(grid, standstills, strict=True):
            timed = [
                (one.start_s, one.latency_s * 1000)
                for one in each.samples
                if one.start_s is not None and one.latency_s is not None
            ]
            latencies_ms += [latency for _, latency in timed]
            axes.axvspan(stop.after_s, stop.after_s + stop.for_s, color=drawing.GRID, alpha=0.6, linewidth=0)
            axes.text(
                stop.after_s + stop.for_s / 2, 0.94, "frozen", transform=axes.get_xaxis_transform(), ha="center",
                va="top", color=drawing.MUTED,
            )  # fmt: skip
            axes.scatter(
                [start for start, _ in timed],
                [latency for _, latency in timed],
                s=10,
                color=COLOURS[each.name],
                alpha=0.6,
                linewidths=0,
                rasterized=True,
            )
            axes.set_title(
                f"{each.name}, {len(each.samples):,} requests:{chr(10) if narrow else ' '}"
                f"{percent(each.late())} later than 100 ms"
            )
        if latencies_ms:
            limits = drawing.ends(min(latencies_ms), max(latencies_ms))
            drawing.log_axis(axes, "y", limits, 6, drawing.duration)
        sent = "planned or actual sending time, s" if narrow else "when the request was sent, or was to be sent, in s"
        drawn.supxlabel(sent, fontsize=drawing.TEXT, color=drawing.MUTED)
        drawn.supylabel("response time (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        return drawing.svg(drawn, "Response time of every request over time, as both ways of counting measure it")
