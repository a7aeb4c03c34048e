"""The table of contents: each command parses, calls, prints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import iolab
from iolab import doctor, lab, options, session, stack
from iolab.cli_break import broken
from iolab.cli_chess import exhibition
from iolab.cli_crosscheck import crosscheck
from iolab.cli_crowd import crowd_command
from iolab.cli_faults import faults_command
from iolab.cli_freeze import freeze
from iolab.cli_locust import locust, worker
from iolab.cli_queue import queue, slo
from iolab.cli_report import given_or_newest, report_run, run_plan
from iolab.cli_runs import compare, explain, export
from iolab.cli_trace import trace, trace_compare
from iolab.errors import LabError, UsageError
from iolab.experiment import ServerSettings
from iolab.lab import Lab
from iolab.options import Share, Span, Words
from iolab.report import terminal
from iolab.runtime.choice import Wanted
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(iolab.__version__)
def commands() -> None:
    """The Event-Driven I/O Lab: measure how servers wait."""


for command in (
    trace,
    trace_compare,
    broken,
    compare,
    crosscheck,
    crowd_command,
    exhibition,
    explain,
    export,
    faults_command,
    freeze,
    locust,
    queue,
    slo,
    worker,
):
    commands.add_command(command)


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
@options.models
@click.option(
    "--concurrency", envvar="CONCURRENCY", type=Words("LIST", int, "whole numbers, such as 4,16"), help="Users at once."
)
@click.option("--requests", envvar="REQUESTS", type=int, help="Requests a trial.")
@click.option("--repeats", envvar="REPEATS", type=int, help="Trials a cell.")
@click.option(
    "--precision", envvar="PRECISION", type=Share(), help="Add rounds until every median is known so well, such as 3%."
)
@click.option("--budget", "budget_s", envvar="BUDGET", type=Span(), help="The time for that.  [default: 10m]")
@click.option("--seed", envvar="SEED", type=int, help="Of the order of the trials.")
@click.option("--loadgen", envvar="LOADGEN", type=click.Choice(["auto", "hey", "locust"]), help="What makes the load.")
@options.runtime
@options.wait_ms
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=click.Choice(["constant", "exponential"]),
    help="Of the wait.",
)
@click.option("--cpu-ms", envvar="CPU_MS", type=float, help="The computing in a request.")
@click.option("--backlog", envvar="BACKLOG", type=int, help="Length of the listen queue; each server's own otherwise.")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.")
@options.results
@click.option("--resume", envvar="RESUME", type=click.Path(path_type=Path), help="Go on with a run that was stopped.")
def bench(path: Path | None, runtime: Wanted, results: Path | None, resume: Path | None, **given: Any) -> int:
    """Measure the servers, and write a report.

    Every option can be given to make: `make bench CPUS=2 MODELS=asyncio`.
    """
    console = Console()
    root = lab.find_root(Path.cwd())
    if resume:
        if path or any(value is not None for value in given.values()):
            raise UsageError("RESUME goes on with the experiment of that run: leave out what would change it")
        plan = session.resumed(root, resume)
    else:
        plan = session.plan(root, path, _changes(given))
    return run_plan(console, plan, runtime, results or root / "results")


@commands.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@options.results
def report(run: Path | None, results: Path | None) -> int:
    """Make the report of RUN anew, from its raw data; of the newest run otherwise."""
    report_run(Console(), given_or_newest(run, results))
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
