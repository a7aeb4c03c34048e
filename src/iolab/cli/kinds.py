"""A command for each kind of experiment: its entry in the registry, and the options that its settings have."""

import os
from pathlib import Path
from typing import Any

import click

from iolab import options
from iolab.cli import parameters
from iolab.cli.console import Console
from iolab.cli.run import measured, planned
from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kinds import registry
from iolab.lab import find_root
from iolab.runtime.choice import Wanted


def command(name: str) -> click.Command:
    """Return the command of a kind; its help shows the defaults of the experiment that it would measure."""
    entry, kind = registry.KINDS[name], registry.kind(name)
    settings: type[Experiment] = kind.settings

    def measure(
        path: Path | None,
        *,
        runtime: Wanted,
        results: Path | None,
        resume: Path | None,
        quick: bool,
        wait: bool,
        **given: Any,
    ) -> int:
        plan = planned(entry.experiment, path, settings.changes(given), settings, resume, quick=quick)
        return measured(Console(), plan, runtime, results, wait=wait)

    shown = example(entry, settings)
    found = list(options.settings(settings))
    arguments = [f"{each.flag}: {each.help(shown)}" for each in found if not each.flag.startswith("-")]
    help_ = f"TOML file of the experiment.  [default: experiments/{entry.experiment}.toml]"
    path = click.Option(["--experiment", "path"], envvar="EXPERIMENT", type=parameters.PATH, help=help_)
    made = click.command(
        entry.command,
        params=[path, *(parameters.parameter(each, shown) for each in found)],
        help="\n\n".join((f"{entry.title}.", *arguments)),
        epilog=f"For make, an option is a variable: --cpus 2 is `make {entry.command} CPUS=2`.",
    )(parameters.runtime(parameters.results(parameters.resume(parameters.quick(parameters.wait(measure))))))
    for each in made.params:
        if each.name == "resume" and isinstance(each, click.Option):
            each.hidden = bool(kind.not_resumable)  # if given, the error says why
    return made


def example(entry: registry.Entry, settings: type[Experiment]) -> Experiment | None:
    """Return the experiment of EXPERIMENT, or the default one; None if it cannot be read, which a run reports."""
    try:
        path = os.environ.get("EXPERIMENT") or find_root(Path.cwd()) / "experiments" / f"{entry.experiment}.toml"
        return registry.read(Path(path), {}, settings)
    except UsageError:
        return None
