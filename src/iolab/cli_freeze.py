"""The command `iolab freeze`: coordinated omission, in numbers and in one picture."""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options, session
from iolab.errors import TrialFailed, UsageError
from iolab.host.lock import only_bench
from iolab.kinds.freeze.run import measure, settings
from iolab.lab import find_root
from iolab.report import terminal
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Wanted, choose


@click.command()
@click.option("--models", "model", envvar="MODELS", help="One server, by letter or name.  [default: C]")
@options.runtime
@options.results
def freeze(model: str | None, runtime: Wanted, results: Path | None) -> int:
    """Let a server stand still for 2 s of 10 s, and measure that in two ways."""
    from iolab.kinds.freeze import page as freeze_page  # noqa: PLC0415 (it draws)

    console = Console()
    root = find_root(Path.cwd())
    changes: dict[str, Any] = {"models": [model]} if model else {}
    plan = session.plan(root, root / "experiments" / "freeze.toml", changes)
    if len(plan.models) != 1:
        raise UsageError(f"MODELS={model}: one server at a time stands still")
    with only_bench(), terminal.busy(console) as say:
        place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        try:
            seen = measure(plan, place, say)
        except TrialFailed as failed:
            console.print(f"No result: {failed}", markup=False, highlight=False, soft_wrap=True)
            return 1
    folder = RunFolder.create(results or root / "results", "freeze", newest=False)
    stop = settings(plan.experiment)
    facts = {
        "model": plan.models[0].letter,
        "users": plan.experiment.concurrency[0],
        "runtime": place.runtime.name,
        "freeze": stop.model_dump(),
        "ways": [
            {
                "name": each.name,
                "generator": each.generator,
                "requests": len(each.samples),
                "rows": folder.write_rows(number, requests=each.samples),
                **each.percentiles_ms(),
                "later_than_100_ms": round(each.late(0.1), 6),
            }
            for number, each in enumerate(seen)
        ],
    }
    folder.write("freeze.json", json.dumps(facts, indent=1) + "\n")
    folder.write("freeze.html", freeze_page.render(plan.models[0].title, seen, stop))
    freeze_page.show(console, seen, stop)
    console.print(f"Picture: {os.path.relpath(folder.path)}/freeze.html", highlight=False, soft_wrap=True)
    return 0
