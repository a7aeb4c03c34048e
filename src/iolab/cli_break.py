"""The command `iolab break`: what blocks the loop blocks everyone, and who it is."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options, session
from iolab.errors import TrialFailed
from iolab.host.lock import only_bench
from iolab.kinds.breaking import run as breaking
from iolab.kinds.breaking.plan import Blame, Seen
from iolab.lab import find_root
from iolab.report import terminal
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Place, Wanted, choose
from iolab.session import Plan


@click.command(name="break")
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that a server may use.  [default: 2]")
@click.option("--users", envvar="USERS", type=click.IntRange(1, 1000), help="Users at once.  [default: 16]")
@options.runtime
@options.results
def broken(cpus: float | None, users: int | None, runtime: Wanted, results: Path | None) -> int:
    """Break an event loop by work that blocks, and find out who it was."""
    from iolab.kinds.breaking import page as break_page  # noqa: PLC0415 (templates)

    console = Console()
    root = find_root(Path.cwd())
    changes: dict[str, Any] = {"cpus": [cpus]} if cpus is not None else {}
    changes |= {"concurrency": [users]} if users is not None else {}
    plan = session.plan(root, root / "experiments" / "break.toml", changes)
    with only_bench(), terminal.busy(console) as say:
        place = choose(runtime, plan.lab, breaking.servers(plan), plan.experiment, say)
        try:
            seen, blames = breaking.measure(plan, place, say)
        except TrialFailed as failed:
            console.print(f"No result: {failed}", markup=False, highlight=False, soft_wrap=True)
            return 1
    folder = RunFolder.create(results or root / "results", "break", newest=False)
    folder.write("break.json", json.dumps(facts(plan, place, seen, blames, folder), indent=1) + "\n")
    folder.write("break.html", break_page.render(seen, blames, plan.experiment, place.runtime.name))
    break_page.show(console, seen, blames, plan.experiment)
    console.print(f"Page: {os.path.relpath(folder.path)}/break.html", highlight=False, soft_wrap=True)
    return 0


def facts(plan: Plan, place: Place, seen: list[Seen], blames: list[Blame], folder: RunFolder) -> dict[str, Any]:
    """Return what break.json says, and write the requests of users and bystanders into the folder."""
    return {
        "schema": 1,
        "users": plan.experiment.concurrency[0],
        "cpus": plan.experiment.cpus[0],
        "wait_ms": plan.experiment.server.wait_ms,
        "cpu_ms": plan.experiment.server.cpu_ms,
        "runtime": place.runtime.name,
        "generator": place.generator,
        "ways": [
            {
                **each.way.model_dump(),
                "requests": len(each.samples),
                "median_ms": _rounded(each.median_ms),
                "p95_ms": _rounded(each.p95_ms),
                "throughput_rps": _rounded(each.rate_rps),
                "predicted_mean_ms": _rounded(each.expected.latency_s * 1000),
                "predicted_throughput_rps": _rounded(each.expected.throughput_rps),
                "bystander_requests": len(each.bystander),
                "bystander_median_ms": _rounded(each.bystander_median_ms),
                "bystander_slowest_ms": _rounded(each.bystander_slowest_ms),
                "server": each.usage.model_dump(),
                "rows": folder.write_rows(number, requests=each.samples, bystander=each.bystander),
            }
            for number, each in enumerate(seen)
        ],
        "culprits": [
            {
                "work": each.work,
                "coroutine": each.coroutine and asdict(each.coroutine),
                "line": each.line and asdict(each.line),
            }
            for each in blames
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
