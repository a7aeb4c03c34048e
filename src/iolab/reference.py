"""`python -m iolab.reference`, which is `make reference`: writes docs/reference.md, and the text of `make help`.

Both are made of the registry of kinds, the commands and their options, and comments in the Makefile.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from iolab.cli.main import GROUPS, Command, commands, table
from iolab.lab import Lab, find_root
from iolab.service import COMPOSE_FILE

WIDTH = 80
HEAD = """# Reference

Every command, its options, and the variables by which `make` gives them. `make bench CPUS=2` and
`.venv/bin/iolab bench --cpus 2` are the same; an option has precedence over a variable. `make reference` writes this
page from the settings of the experiments, and a test compares it.
"""
HEADER = """\
make COMMAND [VARIABLE=VALUE ...], such as: make bench CPUS=2 MODELS=A,C
make help-COMMAND shows the options of a command that measures: make help-bench
The first command installs what it needs into .venv. Times are usual ones.
"""


def targets(makefile: str) -> dict[str, Command]:
    """Return the help entries of all targets: of commands, and of targets with a help comment."""
    own = re.findall(r"^([a-z-]+):.*## ([^|\n]+) \|([^|\n]*)\| (.+)$", makefile, re.MULTILINE)
    found = table() | {name: Command(group, takes.strip(), title) for name, group, takes, title in own}
    return dict(sorted(found.items(), key=lambda item: GROUPS.index(item[1].group)))


def help_text(makefile: str) -> str:
    """Return the text of `make help`."""
    return "\n".join((HEADER, *_help(targets(makefile))))


def _help(found: dict[str, Command]) -> Iterator[str]:
    for group in GROUPS:
        yield group
        for name, each in found.items():
            if each.group == group:
                start = f"  make {name:<13} {each.takes:>6}  "
                yield textwrap.fill(each.title, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
        yield ""


def text(root: Path) -> str:
    """Return the reference page."""
    targets_of_make = ("```text", help_text((root / "Makefile").read_text(encoding="utf-8")).strip(), "```", "")
    return "\n".join([HEAD, *targets_of_make, *_commands(), *_variables(), *_ports(root)]) + "\n"


def _each() -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(commands)
    for name in commands.list_commands(context):
        if command := commands.get_command(context, name):
            yield name, command, context


def _commands() -> Iterator[str]:
    for name, command, context in _each():
        paragraphs = (command.help or "").split("\n\n")
        yield from (f"## iolab {name}", "", "\n\n".join(_cell(each) for each in paragraphs), "")
        rows = [_row(each, context) for each in _shown(command)]
        if rows:
            yield from ("| option | variable of make | values | description |", "| :-- | :-- | :-- | :-- |")
            yield from (f"| {' | '.join(row)} |" for row in rows)
            yield ""


def _shown(command: click.Command) -> list[click.Parameter]:
    return [each for each in command.params if not getattr(each, "hidden", False)]


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str, str]:
    variable = ", ".join(f"`{each}`" for each in _names(parameter))
    if isinstance(parameter, click.Option):
        name = ", ".join(f"`{each}`" for each in parameter.opts)
        values = "" if parameter.is_flag else parameter.make_metavar(context)
        described = parameter.help or ""
        if parameter.show_default and parameter.default is not None:
            described += f"  [default: {parameter.default}]"
        return name, variable, _cell(values), _cell(described)
    return f"`{parameter.make_metavar(context)}`".replace("|", "\\|"), variable, "", "an argument"


def _names(parameter: click.Parameter) -> list[str]:
    """Return the variables of make that give a parameter; an argument without an envvar has them in its name."""
    if isinstance(parameter.envvar, str):
        return [parameter.envvar]
    return re.findall(r"[A-Z]{3,}", parameter.metavar or "") if isinstance(parameter, click.Argument) else []


def _cell(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("|", "\\|")


def variables() -> dict[str, list[str]]:
    """Return all variables of make, sorted, and the commands that use each."""
    found: dict[str, list[str]] = {}
    for name, command, _ in _each():
        for parameter in _shown(command):
            for variable in _names(parameter):
                found.setdefault(variable, []).append(name)
    return dict(sorted(found.items()))


def _variables() -> Iterator[str]:
    yield from ("## Variables", "", "| variable of make | commands |", "| :-- | :-- |")
    for variable, names in variables().items():
        yield f"| `{variable}` | {', '.join(names)} |"
    yield ""


def _ports(root: Path) -> Iterator[str]:
    yield from (
        "## Ports",
        "",
        "All on 127.0.0.1, unless `BIND` says otherwise. `.env.example` shows how to change them.",
    )
    yield from ("", "| port | variable | service | description |", "| --: | :-- | :-- | :-- |")
    compose = (root / COMPOSE_FILE).read_text(encoding="utf-8")
    names = {int(port): name for name, port in re.findall(r"\$\{(\w+_PORT):?-\d+\}:(\d+)", compose)}
    for service in Lab.read(root).services:
        for port in service.ports:
            title = service.labels.get("iolab.title", "")
            yield f"| {port.container} | `{names[port.container]}` | {service.name} | {title} |"


def main() -> None:
    """Write both."""
    root = find_root(Path.cwd())
    (root / "docs" / "reference.md").write_text(text(root), encoding="utf-8")
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    (root / "docs" / "make-help.txt").write_text(help_text(makefile), encoding="utf-8")


if __name__ == "__main__":
    main()
