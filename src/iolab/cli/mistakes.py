"""A mistake on the command line in one line: what is wrong, and what to type instead."""

from collections.abc import Sequence

import click


def explained(error: click.ClickException, commands: Sequence[str], given: Sequence[str]) -> str:
    """Return the line; `commands` are the names of all commands, `given` is what was typed after `iolab`."""
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        variable = error.param.envvar if error.param else None
        return f"{variable}: {error.message}" if variable and error.message else error.format_message()
    message = error.format_message().rstrip(".")
    help_ = _help(error, next((f"iolab {each}" for each in given[:1] if each in commands), "iolab"))
    if isinstance(error, click.NoSuchOption):
        return f"No such option {error.option_name!r}: {_option(error, help_)}"
    if isinstance(error, click.NoSuchCommand):
        return f"No such command {error.command_name!r}: {_command(error.command_name, commands)}"
    return f"{message}: {help_} shows what it takes" if isinstance(error, click.UsageError) else message


def _option(error: click.NoSuchOption, help_: str) -> str:
    listed = f"{help_} lists the options"
    return f"did you mean {' or '.join(error.possibilities)}? {listed}" if error.possibilities else listed


def _command(name: str, commands: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (for a mistake alone)

    close = get_close_matches(name, commands, 1)
    listed = "iolab --help lists the commands"
    return f"did you mean {close[0]}? {listed}" if close else listed


def _help(error: click.ClickException, command: str) -> str:
    """Return what to type for the options of a command; not every error of click has one."""
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else command
    return f"{path} --help"
