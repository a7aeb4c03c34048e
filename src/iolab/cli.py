"""The command line: each command stands in a module of its own, which is imported when that command is called."""

from importlib import import_module

import click

import iolab
from iolab.errors import LabError

COMMANDS = {
    "bench": "cli_bench:bench",
    "break": "cli_break:broken",
    "chess": "cli_chess:exhibition",
    "compare": "cli_runs:compare",
    "crosscheck": "cli_crosscheck:crosscheck",
    "crowd": "cli_crowd:crowd_command",
    "doctor": "cli_live:doctor_command",
    "down": "cli_live:down",
    "explain": "cli_runs:explain",
    "export": "cli_runs:export",
    "faults": "cli_faults:faults_command",
    "freeze": "cli_freeze:freeze",
    "locust": "cli_locust:locust",
    "queue": "cli_queue:queue",
    "report": "cli_runs:report",
    "run": "cli_run:run",
    "slo": "cli_queue:slo",
    "trace": "cli_trace:trace",
    "trace-compare": "cli_trace:trace_compare",
    "up": "cli_live:up",
    "worker": "cli_locust:worker",
}


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


class Lazy(click.Group):
    """A group that imports a command when it is called: numpy, scipy and Docker's client take a second together."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(f"iolab.{module}"), name)
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(iolab.__version__)
def commands() -> None:
    """The Event-Driven I/O Lab: measure how servers wait."""
