"""The table of contents: each command parses, calls, prints."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import iolab
from iolab import analysis, doctor, lab, session, stack
from iolab.errors import LabError
from iolab.experiment import ServerSettings
from iolab.lab import Lab
from iolab.lock import only_bench
from iolab.report import terminal
from iolab.report.progress import BenchProgress
from iolab.runfolder import RunFolder
from iolab.runtime.choice import Wanted, choose
from iolab.runtime.compose import find_engine


def run() -> int:
    """Run the command line and return its exit status; a user's mistake ends in one line and status 2."""
    try:
        return commands.main(prog_name="iolab", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        return _complain(error.format_message())
    except LabError as error:
        return _complain(str(error))
    except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
        return _complain(f"{error.filename}: {error.strerror}: give it to this user, or use another folder (RESULTS)")
    except BrokenPipeError:
        return 141  # who read us has gone: as a shell reports SIGPIPE


def _complain(message: str) -> int:
    click.echo(f"iolab: {' '.join(message.split())}", err=True)
    return 2


class Words(click.ParamType[tuple[str, ...]]):
    """Words separated by commas or spaces, each of which `convert_one` understands."""

    def __init__(self, name: str, one: type[int] | type[float] | type[str], example: str) -> None:
        self.name, self._one, self._example = name, one, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the words as a tuple."""
        try:
            words = tuple(self._one(word) for word in re.split(r"[,\s]+", value.strip()) if word)
        except ValueError:
            words = ()
        if not words:
            self.fail(f"{value!r} must be {self._example}", param, ctx)
        return words


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(iolab.__version__)
def commands() -> None:
    """The Event-Driven I/O Lab: measure how servers wait."""


@commands.command()
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/bench.toml]",
)
@click.option(
    "--cpus",
    envvar="CPUS",
    type=Words("LIST", float, "a number above 0, such as 0.25, 1 or 2"),
    help="CPUs that a server may use.",
)
@click.option(
    "--models",
    envvar="MODELS",
    type=Words("LIST", str, "names of models"),
    help="Letters or names; all of them otherwise.",
)
@click.option(
    "--concurrency", envvar="CONCURRENCY", type=Words("LIST", int, "whole numbers, such as 4,16"), help="Users at once."
)
@click.option("--requests", envvar="REQUESTS", type=int, help="Requests a trial.")
@click.option("--repeats", envvar="REPEATS", type=int, help="Trials a cell.")
@click.option("--seed", envvar="SEED", type=int, help="Of the order of the trials.")
@click.option("--loadgen", envvar="LOADGEN", type=click.Choice(["auto", "hey", "locust"]), help="What makes the load.")
@click.option(
    "--runtime",
    envvar="RUNTIME",
    type=click.Choice(["auto", "docker", "local"]),
    default="auto",
    help="Where servers run.",
)
@click.option("--wait-ms", envvar="WAIT_MS", type=float, help="The wait in a request.")
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=click.Choice(["constant", "exponential"]),
    help="Of the wait.",
)
@click.option("--cpu-ms", envvar="CPU_MS", type=float, help="The computing in a request.")
@click.option("--backlog", envvar="BACKLOG", type=int, help="Length of the listen queue; each server's own otherwise.")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.")
@click.option(
    "--results", envvar="RESULTS", type=click.Path(path_type=Path), help="Where run folders go.  [default: results]"
)
def bench(path: Path | None, runtime: Wanted, results: Path | None, **given: Any) -> int:
    """Measure the servers, and write a report.

    Every option can be given to make: `make bench CPUS=2 MODELS=asyncio`.
    """
    console = Console()
    root = lab.find_root(Path.cwd())
    plan = session.plan(root, path, _changes(given))
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        terminal.show_place(console, place.runtime.name, place.reason)
        with BenchProgress(console, len(plan.trials)) as progress:
            outcome = session.measure(plan, place, results or root / "results", progress)
    _report(console, outcome.folder)
    return outcome.exit_status


@commands.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
def report(run: Path | None) -> int:
    """Make the report of RUN anew, from its raw data; of the newest run otherwise."""
    path = run or lab.find_root(Path.cwd()) / "results" / "latest"
    _report(Console(), RunFolder.open(path))
    return 0


@commands.command()
@click.option("--cpus", envvar="CPUS", type=float, default=1, show_default=True, help="CPUs that each server may use.")
@click.option(
    "--workers", envvar="WORKERS", type=click.IntRange(1, 64), default=1, show_default=True, help="Locust workers."
)
def up(cpus: float, workers: int) -> int:
    """Start everything: the servers, Streamlit under strace, Locust's web page."""
    console = Console()
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    with terminal.busy(console) as say:
        pages = stack.up(the_lab, find_engine(), cpus, workers, say)
    terminal.show_pages(console, pages)
    return 0


@commands.command()
def down() -> int:
    """Stop everything that `up` has started, and leave nothing behind."""
    console = Console()
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    find_engine()
    stack.down(the_lab)
    console.print("Nothing of the lab runs any more.")
    return 0


@commands.command(name="doctor")
def doctor_command() -> int:
    """Say what this machine has of what the lab uses."""
    terminal.show_facts(Console(), doctor.facts(Lab.read(lab.find_root(Path.cwd()))))
    return 0


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    server = {name: given.pop(name) for name in ServerSettings.model_fields if name in given}
    load = {key: given.pop(name) for name, key in (("requests", "requests"), ("loadgen", "generator")) if name in given}
    return {**given, "server": server, "load": load}


def _report(console: Console, folder: RunFolder) -> None:
    from iolab.report import html, markdown  # noqa: PLC0415 (they draw: 0.5 s, too long for `iolab up`)

    analysed = analysis.analyse(folder)
    folder.write_summary(analysed.summary)
    folder.write("report.md", markdown.render(analysed))
    folder.write("report.html", html.render(analysed))
    terminal.show(console, analysed, os.path.relpath(folder.path))
