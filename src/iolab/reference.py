"""docs/reference.md, made of the commands themselves: python -m iolab.reference, as `make reference` does."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from iolab.cli import COMMANDS, commands
from iolab.lab import Lab, find_root

HEAD = """# Reference

Every command, its options, and the variables by which `make` gives them. `make bench CPUS=2` and
`.venv/bin/iolab bench --cpus 2` are the same; what is given as an option stands above the variable. This page is made
of the commands themselves (`make reference`), and a test holds it to them.
"""


def text(lab: Lab) -> str:
    """Return the page."""
    return "\n".join([HEAD, *_commands(), *_ports(lab)]) + "\n"


def _commands() -> Iterator[str]:
    context = click.Context(commands)
    for name in COMMANDS:
        command = commands.get_command(context, name)
        if command is None:
            continue
        described = (command.help or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")
        yield from (f"## iolab {name}", "", re.sub(r"\s+", " ", described), "")
        rows = [_row(each, context) for each in command.params]
        if rows:
            yield from ("| option | variable of make | values | what it says |", "| :-- | :-- | :-- | :-- |")
            yield from (f"| {' | '.join(row)} |" for row in rows)
            yield ""


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str, str]:
    variable = f"`{parameter.envvar}`" if isinstance(parameter.envvar, str) else ""
    if isinstance(parameter, click.Option):
        name = ", ".join(f"`{each}`" for each in parameter.opts)
        values = "" if parameter.is_flag else parameter.make_metavar(context)
        described = parameter.help or ""
        if parameter.show_default and parameter.default is not None:
            described += f"  [default: {parameter.default}]"
        return name, variable, _cell(values), _cell(described)
    return f"`{parameter.make_metavar(context)}`".replace("|", "\\|"), variable, "", "an argument"


def _cell(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("|", "\\|")


def _ports(lab: Lab) -> Iterator[str]:
    yield from ("## Ports", "", "All on 127.0.0.1. `.env.example` says how to change them.", "")
    yield from ("| port | service | what it is |", "| --: | :-- | :-- |")
    for service in lab.services:
        for port in service.ports:
            yield f"| {port.container} | {service.name} | {service.labels.get('iolab.title', '')} |"


if __name__ == "__main__":
    root = find_root(Path.cwd())
    (root / "docs" / "reference.md").write_text(text(Lab.read(root)), encoding="utf-8")
