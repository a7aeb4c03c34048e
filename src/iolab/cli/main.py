"""The command line: the table of its commands. Each is imported when it is called."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click

import iolab
from iolab.cli import mistakes, output, variables
from iolab.errors import LabError, UsageError, explained
from iolab.host.signals import delayed
from iolab.kinds.registry import KINDS

MATRIX_THREADS = "OPENBLAS_NUM_THREADS"
GROUPS = ("Start", "The course", "Experiments", "Look at results", "Standing lab", "Maintain")


class Command(NamedTuple):
    """The help entry of a command, or of a target of make, and where the command is implemented."""

    group: str
    takes: str  # its usual duration
    title: str
    where: str = ""  # module:function; the command of a kind is made by kinds.py


COMMANDS = {
    "doctor": Command("Start", "2 s", "Check whether this machine has what the lab needs", "live:doctor_command"),
    "ready": Command("Start", "1 min", "Install all that local runs and traces need", "live:ready"),
    "lab": Command("Start", "", "Serve the lab as a web page: live view, runs, reports", "lab:lab_command"),
    "learn": Command("The course", "2 s", "Show where you are in the course, and the next step", "learn:learn"),
    "answer": Command("The course", "", "Record a prediction, a reading or a text: STEP=2.1", "learn:answer"),
    "hint": Command("The course", "2 s", "Show the next hint of the current step", "learn:hint"),
    "submit": Command("The course", "5 s", "Write lab-<id>.zip to hand in, and show its sheet", "hand_in:submit"),
    "grade": Command("The course", "1 min", "For the teacher: grade all zips of FOLDER=zips", "hand_in:grade"),
    "run": Command("Experiments", "", "Measure any experiment: EXPERIMENT=file.toml", "run:run"),
    "ab": Command("Experiments", "4 min", 'Compare two settings in turn: A="BACKLOG=5" B="BACKLOG=128"', "ab:ab"),
    "theory": Command("Experiments", "1 s", "Compute queueing theory: RATE=27 USERS=16", "theory:theory"),
    "crosscheck": Command("Experiments", "1 min", "Compare hey, Locust and wrk", "crosscheck:crosscheck"),
    "models": Command("Start", "5 s", "Show all models: what each is, and what it uses", "models:models"),
    "contract": Command("Experiments", "15 s", "Check a server against the contract: MODEL=yours", "contract:contract"),
    "locust": Command("Experiments", "1 min", "Load one server by Locust for a given time", "locust:locust"),
    "open": Command("Look at results", "1 s", "Open the page of all runs in a browser", "runs:open_"),
    "report": Command("Look at results", "2 s", "Rebuild the report of the newest run", "runs:report"),
    "explain": Command("Look at results", "1 s", "Explain the median of a cell: CELL=C16", "runs:explain"),
    "compare": Command("Look at results", "2 s", 'Compare runs: RUNS="results/a results/b"', "compare:compare"),
    "export": Command("Look at results", "1 s", "Write the newest run as CSV tables", "runs:export"),
    "trace": Command("Look at results", "1 s", "Explain an strace log: CLICK=1, or CMD= PORT=", "trace:trace"),
    "trace-compare": Command("Look at results", "1 min", "Compare three event loops", "trace:trace_compare"),
    "up": Command("Standing lab", "30 s", "Start the servers, Streamlit, and Locust's page", "live:up"),
    "down": Command("Standing lab", "5 s", "Stop everything that `up` started", "live:down"),
    "worker": Command("Standing lab", "", "Generate load for another machine: MASTER=address", "locust:worker"),
}


def table() -> dict[str, Command]:
    """Return all commands, those of kinds first."""
    return {each.command: Command(each.group, each.takes, each.title) for each in KINDS.values()} | COMMANDS


def run() -> int:
    """Run the command line and return its exit status; a user's mistake ends in one line and status 2."""
    output.prepare()
    try:
        _check_environment()
        return commands.main(prog_name="iolab", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        output.line(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        return _complain(mistakes.explained(error, sorted(table()), sys.argv[1:]))
    except LabError as error:
        return _complain(str(error))
    except BrokenPipeError:
        return 141  # the reader of our output has ended: as a shell reports SIGPIPE
    except OSError as error:
        if not (why := explained(error)):
            raise
        return _complain(why)


def _check_environment() -> None:
    """Raise UsageError for the command of a copied folder, whose first line names the Python of the old folder."""
    called = Path(sys.argv[0]).absolute()
    if called.parent.name == "bin" and called.parent.parent.name == ".venv" and called.exists():
        folder = called.parent.parent.resolve()
        if folder != Path(sys.prefix).resolve():
            raise UsageError(f"{folder} was copied from {sys.prefix}, and runs the code there: remove it, and run make")


@contextmanager
def _cheap_imports() -> Iterator[None]:
    """Import without collections of garbage, of which modules make none, and without numpy's threads: a quarter less.

    numpy's library for matrices starts a thread a core, and the lab's few are small. Programs of the lab keep theirs. A
    signal waits until it is done: a library loses an interruption of its import, or calls it an error of its own.
    """
    was_enabled, threads = gc.isenabled(), os.environ.get(MATRIX_THREADS)
    gc.disable()
    os.environ[MATRIX_THREADS] = threads or "1"
    try:
        with delayed():
            yield
    finally:
        if threads is None:
            del os.environ[MATRIX_THREADS]
        if was_enabled:
            gc.enable()


def _complain(message: str) -> int:
    output.line(f"iolab: {' '.join(message.split())}", err=True)
    return 2


class Lazy(click.Group):
    """A group that imports a command when it is called: numpy, scipy and Docker's client take a second together."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(table())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, if it takes all variables that were given to make."""
        name, command, rest = super().resolve_command(ctx, args)
        if command and not ctx.resilient_parsing and not {"--help", "-h"} & set(rest):
            variables.check(command)
        return name, command, rest

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported; None if there is no such command."""
        command: click.Command | None = None
        with _cheap_imports():
            if cmd_name in COMMANDS:
                module, name = COMMANDS[cmd_name].where.split(":")
                command = getattr(import_module(f"iolab.cli.{module}"), name)
            for kind in (name for name, entry in KINDS.items() if entry.command == cmd_name):
                command = import_module("iolab.cli.kinds").command(kind)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the titles of all commands, in full, without an import of any."""
        for group in GROUPS:
            if rows := [(name, each.title) for name, each in table().items() if each.group == group]:
                with formatter.section(group):
                    formatter.write_dl(rows)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(iolab.__version__)
def commands() -> None:
    """The Event-Driven I/O Lab: measure how servers wait.

    `iolab COMMAND --help` shows the options of a command.
    """
