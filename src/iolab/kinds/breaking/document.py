"""The report of work that blocks: the response time of users and of a bystander, and the code that blocks the loop."""

from collections.abc import Iterator, Sequence
from functools import partial

from iolab.kinds.breaking.cells import Analysis, StrategyResult
from iolab.kinds.breaking.culprit import Culprit
from iolab.kinds.breaking.figure import HARMED, KINDS, harmed, picture
from iolab.kinds.breaking.plan import trial_name
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import document, doubts, numbers, run_report
from iolab.report.document import Block, Column, Document, Figure, Quote, Section, Sentences
from iolab.report.marked import Answer
from iolab.theory.enough import least_count


def _median(one: StrategyResult) -> str:
    return numbers.TOO_FEW if one.median_ms is None and one.samples else numbers.milliseconds(one.median_ms)


COLUMNS = (
    Column[StrategyResult]("Strategy", lambda one: one.strategy.name, numeric=False),
    Column[StrategyResult]("Median", _median, bold=True),
    Column[StrategyResult](
        "Theory: response time",
        lambda one: numbers.milliseconds(one.expected.latency_s * 1000),
        short="Theory",
        answer=True,
    ),
    Column[StrategyResult]("Rate", lambda one: numbers.rate(one.rate_rps)),
    Column[StrategyResult](
        "Theory: rate", lambda one: numbers.rate(one.expected.throughput_rps), short="Theory", answer=True
    ),
    Column[StrategyResult](
        "Bystander's median", lambda one: numbers.milliseconds(one.bystander_median_ms), bold=True, short="Bystander"
    ),
    Column[StrategyResult]("of its requests", lambda one: str(one.bystander_answered), short="of"),
    Column[StrategyResult]("its slowest", lambda one: numbers.milliseconds(one.bystander_slowest_ms), short="slowest"),
)
METHOD = (
    "Each strategy has a server of its own. A strategy that works in the event loop is loaded once more, with asyncio's"
    " debug mode and a watchdog: a thread that reads the loop's stack when an iteration of the loop takes longer than"
    " three times the work of a request (services/asyncio/watchdog.py). The cost of that is not part of any figure.",
    "In the kernel: make trace SERVICE=broken shows how long the loop's thread stays away from epoll_wait, and in"
    " which system call.",
)


def report(analysis: Analysis) -> Document:
    """Return the report of a run."""
    run, experiment, number = analysis.run, analysis.experiment, len(analysis.records)
    return run_report.report(
        run,
        number,
        question=experiment.question.replace("{users}", str(experiment.concurrency[0])),
        verdict=verdict(analysis.results),
        answer=[Section("", _answer(analysis), brief=True)],
        noun="trial",
        findings=doubts.of_trials(
            run, ((trial_name(each.strategy, seeks=each.seeks), each) for each in analysis.records), experiment.cpus[0]
        ),
        details=[
            Section(f"{KINDS[each.work]} in the loop: which code blocks it?", [*culprit(each)], answer=True)
            for each in analysis.culprits
        ],
        method=[settings(experiment), *METHOD],
        rows="a row for each request of the users and of the bystander",
    )


def _answer(analysis: Analysis) -> list[Block]:
    """Return the sentences, the figure, and the table; grouped by kind of work."""
    results = [each for kind in KINDS for each in analysis.results if each.strategy.work == kind]
    if not results:
        return []
    dots = "Dots: responses to the bystander; the vertical line is their median."
    if healthy(results):
        dots += f" Orange: this median is more than {HARMED:g} times the median with requests that await."
    draw = partial(picture, results, healthy(results), analysis.experiment)
    return [
        Sentences([Answer(text) for text in sentences(results, analysis.experiment.cpus[0])]),
        Figure(
            draw,
            f"Bars: requests per second; the vertical line is the prediction. {dots}",
            Figure(partial(draw, theory=False), f"Bars: requests per second. {dots}"),
        ),
        document.table(COLUMNS, results, group=lambda one: one.strategy.work),
    ]


def settings(experiment: BreakExperiment) -> str:
    """Return the settings of servers and loads."""
    server, broken = experiment.server, experiment.broken
    return (
        f"Settings: {numbers.users(experiment.concurrency[0])} without a pause, for about {broken.seconds:g} s per"
        f" strategy; a request that waits takes {server.wait_ms:g} ms, a request that computes {server.cpu_ms:g} ms;"
        f" servers with {experiment.cpus[0]:g} CPUs; the bystander requests /healthz, which does no work,"
        f" {broken.bystander_ms:g} ms after each response."
    )


def healthy(results: Sequence[StrategyResult]) -> StrategyResult | None:
    """Return the strategy whose requests await, with which the others are compared."""
    return next((one for one in results if one.strategy.place == "await"), None)


def verdict(results: Sequence[StrategyResult]) -> str:
    """Say how long the bystander waited in the strategies that delayed it, compared with requests that await."""
    baseline = healthy(results)
    if not baseline or baseline.bystander_median_ms is None:
        return ""
    compared = f"the median with requests that await ({numbers.milliseconds(baseline.bystander_median_ms)})"
    delayed = [
        f"{numbers.milliseconds(each.bystander_median_ms)} ({each.strategy.name}{_few(each)})"
        for each in sorted(results, key=lambda one: one.bystander_median_ms or 0.0, reverse=True)
        if harmed(each, baseline)
    ]
    if delayed:
        text = f"A bystander, whose requests do no work, waits {numbers.listed(delayed)}"
        return f"{text}: more than {HARMED:g} times {compared}."
    others = len([each for each in results if each is not baseline and each.bystander_median_ms is not None])
    return (
        f"In {numbers.counted(others, 'other strategy')} the bystander waits at most {HARMED:g} times {compared}."
        if others
        else ""
    )


def _few(one: StrategyResult) -> str:
    """Return the number of the bystander's requests where a median of others like these is not known."""
    number = one.bystander_answered
    return f", {numbers.counted(number, 'request')}" if number < least_count(0.5) else ""


Rates = dict[tuple[str, str], float]


def sentences(results: Sequence[StrategyResult], cpus: float) -> list[str]:
    """Return the conclusions, each only if the data show it."""
    baseline = healthy(results)
    found = []
    if any(each.strategy.place == "loop" and harmed(each, baseline) for each in results):
        found.append("What blocks the loop blocks every connection.")
    rates: Rates = {
        (one.strategy.work, one.strategy.place): one.rate_rps for one in results if one.strategy.service == "broken"
    }
    if _above(rates, ("wait", "thread"), ("wait", "loop"), 2.0):
        found.append("Threads help if requests wait: a thread that sleeps does not stop the loop.")
    if _alike(rates, ("compute", "thread"), ("compute", "loop")):
        found += _threads_compute(results, baseline, cpus)
    if cpus > 1 and _above(rates, ("compute", "process"), ("compute", "loop"), 1.3):
        ratio = rates["compute", "process"] / rates["compute", "loop"]
        found.append(
            f"Processes help if requests compute: {ratio:.1f} times the rate of the loop, because each has an"
            " interpreter of its own."
        )
    return found


def _threads_compute(results: Sequence[StrategyResult], baseline: StrategyResult | None, cpus: float) -> Iterator[str]:
    """Say why threads do not help: on one CPU, the lock cannot be told from the CPU."""
    threads = [one for one in results if (one.strategy.place, one.strategy.work) == ("thread", "compute")]
    delayed = any(harmed(one, baseline) for one in threads)
    if cpus <= 1:
        yield f"Threads do not help if requests compute: with {cpus:g} CPU, the CPU alone explains that."
    elif all(one.lock for one in threads):
        text = "Threads do not help if requests compute: only one thread at a time has the interpreter lock."
        waits = " The loop's own thread must wait for the lock, too, which delays the bystander."
        yield f"{text}{waits if delayed else ''}"


def _above(rates: Rates, one: tuple[str, str], other: tuple[str, str], factor: float) -> bool:
    return one in rates and other in rates and rates[one] > factor * rates[other]


def _alike(rates: Rates, one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one in rates and other in rates and rates[one] < 1.2 * rates[other]


def culprit(found: Culprit) -> Iterator[Block]:
    """Yield the code that the server's own log names, each with a line of the log."""
    if it := found.coroutine:
        yield Sentences(
            [
                f"asyncio's warnings about slow callbacks name a coroutine, and the line where it begins: {it.what},"
                f" {it.where} ({it.count} of {it.of} warnings)."
            ]
        )
        yield Quote(it.said)
    else:
        yield Sentences(["asyncio logged no warning about a slow coroutine."])
    if it := found.line:
        yield Sentences(
            [
                f"The watchdog, which reads the loop's stack, names the line itself: {it.where}, {it.what}"
                f" ({it.count} of {it.of} readings)."
            ]
        )
        yield Quote(it.said)
    else:
        yield Sentences(["The watchdog names no line."])
