"""`iolab models`: the table of all models."""

import math
from collections.abc import Sequence
from pathlib import Path

import click

from iolab.cli.console import Console
from iolab.host import ports
from iolab.lab import Lab, Model, find_root
from iolab.live.models import Idle, all_models
from iolab.report import document, numbers
from iolab.report.brief import rich_table
from iolab.report.document import Column

TEACHES = "docs/models.md says what each teaches."


@click.command()
def models() -> int:
    """Print the table of all models: letter, title, workers, use of memory and threads while idle, and what to read.

    Each server is started for a moment as a local process.
    """
    console = Console()
    lab = Lab.read(find_root(Path.cwd()))
    found = list(all_models(lab, ports.free))
    console.print(rich_table(document.table(COLUMNS, found), console.width))
    for each in found:
        if each.lacks:
            console.print(f"{each.model.letter} {each.lacks}.", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{_optional(lab)} {TEACHES}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _optional(lab: Lab) -> str:
    """Return which models MODELS= takes by main, by all, and by their letters alone."""
    named = ", ".join(model.letter for model in lab.measured if model not in lab.family)
    sets = f"MODELS=main takes {_letters(lab.models)}, MODELS=all takes {_letters(lab.family)}"
    return f"{sets}; {named} is measured only if it is named." if named else f"{sets}."


def _letters(models: Sequence[Model]) -> str:
    return ", ".join(model.letter for model in models)


def _workers(each: Idle) -> str:
    return "any" if math.isinf(each.model.workers) else str(int(each.model.workers))


def _count(number: int | None) -> str:
    return numbers.NOT_KNOWN if number is None else str(number)


def _memory(each: Idle) -> str:
    return numbers.NOT_KNOWN if each.memory_bytes is None else f"{each.memory_bytes / 2**20:.0f} MiB"


COLUMNS = (
    Column[Idle]("Model", lambda each: f"{each.model.letter}  {each.model.title}", numeric=False),
    Column[Idle]("Workers", _workers),
    Column[Idle]("Processes", lambda each: _count(each.processes), rank=2),
    Column[Idle]("Threads", lambda each: _count(each.threads)),
    Column[Idle]("Memory", _memory),
    Column[Idle]("In services/", lambda each: each.read, numeric=False),
)
