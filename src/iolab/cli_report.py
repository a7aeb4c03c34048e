"""Makes the reports of a run folder, for every command that measures one."""

import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from iolab import session
from iolab.host.lock import only_bench
from iolab.kinds.closed import cells as analysis
from iolab.kinds.closed import course as answers
from iolab.kinds.closed import course_chat as chat
from iolab.kinds.crowd import analysis as crowd_analysis
from iolab.lab import find_root
from iolab.progress import BenchProgress
from iolab.report import terminal
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Wanted, choose


def run_plan(console: Console, plan: session.Plan, runtime: Wanted, results: Path) -> int:
    """Measure a closed loop's plan, make its reports, and return the exit status."""
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        terminal.show_place(console, place.runtime.name, place.reason)
        with BenchProgress(console, len(plan.trials)) as progress:
            outcome = session.measure(plan, place, results, progress)
    report_run(console, outcome.folder)
    return outcome.exit_status


def given_or_newest(run: Path | None, results: Path | None) -> RunFolder:
    """Open the run folder `run`, or the newest in `results`; raises UsageError where there is none."""
    return RunFolder.open(run or (results or find_root(Path.cwd()) / "results") / "latest")


def report_run(console: Console, folder: RunFolder) -> None:
    """Make the reports of a run folder anew, and print the shortest of them."""
    run = folder.read_run()
    if run.experiment.get("crowd"):
        _report_crowd(console, folder)
        return
    if run.experiment.get("arrivals"):
        _report_open(console, folder)
        return
    from iolab.kinds.closed import markdown  # noqa: PLC0415 (they draw: 0.5 s, too long for `iolab up`)
    from iolab.kinds.closed import page as html  # noqa: PLC0415 (they draw: 0.5 s, too long for `iolab up`)

    analysed = analysis.analyse(folder)
    if answers.applies(analysed):
        analysed = replace(analysed, crowd=crowd_analysis.newest(folder.path.parent, chat.CHATTERS))
    folder.write("summary.json", analysed.summary.model_dump_json(by_alias=True, indent=2) + "\n")
    folder.write("report.md", markdown.render(analysed))
    folder.write("report.html", html.render(analysed))
    terminal.show(console, analysed, os.path.relpath(folder.path))


def _report_open(console: Console, folder: RunFolder) -> None:
    from iolab.kinds.open import analysis as openanalysis  # noqa: PLC0415 (scipy: 0.5 s, too long for `iolab up`)
    from iolab.kinds.open import page as queue_page  # noqa: PLC0415 (it draws)
    from iolab.kinds.open import summary as opensummary  # noqa: PLC0415 (scipy: 0.5 s, too long for `iolab up`)

    analysis = openanalysis.analyse(folder)
    folder.write("summary.json", opensummary.summary(analysis))
    folder.write("report.md", queue_page.markdown(analysis))
    folder.write("report.html", queue_page.render(analysis))
    queue_page.show(console, analysis, os.path.relpath(folder.path))


def _report_crowd(console: Console, folder: RunFolder) -> None:
    from iolab.kinds.crowd import page as crowd_page  # noqa: PLC0415 (it draws)

    analysis = crowd_analysis.analyse(folder)
    folder.write("summary.json", crowd_analysis.summary(analysis))
    folder.write("report.md", crowd_page.markdown(analysis))
    folder.write("report.html", crowd_page.render(analysis))
    crowd_page.show(console, analysis, os.path.relpath(folder.path))
