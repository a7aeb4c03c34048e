"""`iolab contract`: does a server keep the promises that all servers of the lab keep?"""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from iolab import experiment_file, options
from iolab.cli import output, parameters
from iolab.cli.console import Console
from iolab.contract import outcome, running, suite
from iolab.contract.promise import Kept
from iolab.errors import UsageError
from iolab.experiment import Target
from iolab.host import ports, programs
from iolab.host.lock import only_bench
from iolab.lab import Lab, find_root
from iolab.report import numbers

_wait = click.Option(
    ["--wait-ms"],
    envvar="WAIT_MS",
    type=parameters.Value(options.WORDS[float]),
    help="Wait in a request of the server of URL, in ms, for promises about time.",
)


@click.command(params=[*(parameters.parameter(each) for each in options.own(Target)), _wait])
@click.option("--model", envvar="MODEL", help="A letter or a name.  [default: yours]")
@click.option("--json", "as_json", envvar="JSON", is_flag=True, help="Print the outcome as JSON, and nothing else.")
@parameters.results
@parameters.wait
def contract(model: str | None, results: Path | None, *, as_json: bool, wait: bool, **given: Any) -> int:
    """Check which promises of all servers one server keeps; each failure has a hint where to look.

    The server runs as a local process; that of URL already runs, and is asked only what needs no access to it. Extras
    need not be kept. Exit status 1: a promise is not kept.
    """
    console = Console(quiet=as_json)
    known = {name: value for name, value in given.items() if value is not None}
    target = experiment_file.validated(known, Target, known, "make contract")
    if target.url:
        if model:
            raise UsageError(f"MODEL={model}: the server of URL already runs: give MODEL or URL")
        with only_bench("contract", wait=output.line if wait else None):
            return _running(console, target, as_json=as_json)
    model = model or "yours"
    lab = Lab.read(find_root(Path.cwd()))
    chosen = lab.select([model], "MODEL")
    if len(chosen) != 1:
        raise UsageError(f"MODEL={model}: one server at a time: give a letter or a name")
    if lacks := programs.lacking(chosen[0].service):
        raise UsageError(f"MODEL={model}: server {chosen[0].letter} {lacks}")
    program = suite.source(lab, chosen[0])
    with only_bench("contract", wait=output.line if wait else None):
        found = []
        for each in suite.check(chosen[0], ports.free):
            found.append(each)
            _show(console, each)
    whole = outcome.outcome(lab, chosen[0], program, tuple(found))
    path = outcome.write(results or lab.root / "results", whole)
    if as_json:
        output.line(whole.model_dump_json(indent=1))
    needed = [each for each in found if not each.extra]
    kept = sum(each.kept for each in needed)
    console.print(
        f"{whole.file} keeps {kept} of {numbers.counted(len(needed), 'promise')}. Written to {os.path.relpath(path)}.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 0 if whole.passed else 1


def _running(console: Console, target: Target, *, as_json: bool) -> int:
    """Check the server of a URL, print what is known of each promise, and return the exit status."""
    found = []
    for each in running.check(target):
        found.append(each)
        if each.promise:
            _show(console, each.promise)
        else:
            console.print(
                f"[cyan]?[/] {escape(each.says)}: not known, because {each.why}", highlight=False, soft_wrap=True
            )
    if as_json:
        output.line(
            json.dumps({"url": target.url, "promises": [each.model_dump(mode="json") for each in found]}, indent=1)
        )
    needed = [each for each in found if not (each.promise and each.promise.extra)]
    counts = [sum(each.kept is value for each in needed) for value in (True, False, None)]
    console.print(
        f"{target.url} keeps {counts[0]} of {numbers.counted(len(needed), 'promise')}; {counts[1]} not kept,"
        f" {counts[2]} not known.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 1 if counts[1] else 0


def _show(console: Console, each: Kept) -> None:
    """Print a line for a promise; for one that is not kept, also what was seen, and a hint."""
    mark = "[green]✓[/]" if each.kept else "[yellow]-[/]" if each.extra else "[red]✗[/]"
    name = f"extra: {each.says}" if each.extra else each.says
    console.print(f"{mark} {escape(name)}", highlight=False, soft_wrap=True)
    if not each.kept:
        told = f"{each.sent}: expected {each.expected}; seen: {each.seen}."
        for text in filter(None, (told, each.hint)):
            console.print(f"    {text}", markup=False, highlight=False, soft_wrap=True)
