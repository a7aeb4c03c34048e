"""The command `iolab crosscheck`: the same cells with hey, Locust and, if it is installed, wrk."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from iolab.cli import output, parameters
from iolab.cli.console import Console
from iolab.cli.run import keeping, planned, report_run, trials, write_reports
from iolab.errors import UsageError
from iolab.host.lock import only_bench
from iolab.kinds.closed import comparison
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.crosscheck import CellName, Told, by_wrk, of_run
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.report import run_report, terminal
from iolab.runtime.choice import Wanted, choose


@click.command(params=parameters.of(ClosedExperiment, "requests", "repeats"))
@parameters.runtime
@parameters.results
@parameters.wait
def crosscheck(runtime: Wanted, results: Path | None, *, wait: bool, **given: Any) -> int:
    """Measure the same cells with every load generator, and compare the results."""
    console = Console()
    told: dict[str, dict[CellName, Told]] = {}
    folders, lacks = [], list[str]()
    exit_status = 0
    plans = {
        name: planned("crosscheck", None, ClosedExperiment.changes({**given, "loadgen": name}), ClosedExperiment)
        for name in ("hey", "locust")
    }
    with only_bench("crosscheck", wait=output.line if wait else None):
        for generator, plan in plans.items():
            try:
                outcome = trials(console, plan, runtime, results)
            except UsageError as error:
                if generator == "hey" and "hey" in str(error):
                    console.print(f"Without hey: {error}", markup=False, highlight=False, soft_wrap=True)
                    continue
                raise
            info = outcome.folder.read_run()
            if info.status == "partial":
                if outcome.folder.has_trials():
                    with keeping(outcome.folder):
                        report_run(console, outcome.folder)
                return outcome.exit_status
            exit_status = max(exit_status, outcome.exit_status)
            if missing := run_report.what_is_missing(info, outcome.folder.count_trials()):
                lacks.append(f"{generator}: {missing}")
            with keeping(outcome.folder):
                write_reports(outcome.folder)
            folders.append(outcome.folder)
            told[generator] = of_run(analyse(outcome.folder))
        with terminal.busy(console) as say:
            say("Measuring with wrk")
            wanted = plan.experiment
            place = choose(runtime, plan.lab, plan.models, wanted, say)
            of_wrk = by_wrk(place.runtime, plan.models, wanted.concurrency, place.plans[wanted.cpus[0]], wanted.repeats)
    if of_wrk:
        told["wrk"] = of_wrk
    else:
        console.print("wrk is not installed (apt install wrk): left out.")
    comparison.show_crosscheck(console, told, " ".join(lacks))
    info = folders[0].read_run()
    content = {
        "started": info.started.isoformat(timespec="seconds"),
        "seed": run_report.seed(info),
        "environment": info.environment,
        "lacks": " ".join(lacks),
        "trust": comparison.crosscheck_trust(told)._asdict(),
        "cells": _plain(told),
    }
    folders[0].write("crosscheck.json", json.dumps(content, indent=1) + "\n")
    console.print(f"Data: {os.path.relpath(folders[0].path)}/crosscheck.json", highlight=False, soft_wrap=True)
    return exit_status


def _plain(told: Mapping[str, Mapping[CellName, Told]]) -> list[dict[str, Any]]:
    return [
        {
            "generator": name,
            "model": model,
            "concurrency": users,
            "median_ms": one.median_ms,
            "client_ms": one.client_ms,
            "findings": [finding.model_dump() for finding in one.findings],
        }
        for name, cells in told.items()
        for (model, users), one in cells.items()
    ]
