"""`iolab up`, `iolab down`, `iolab doctor`: the standing lab, and a check of this machine."""

from pathlib import Path

import click

from iolab import lab
from iolab.cli.console import Console
from iolab.errors import EngineMissing
from iolab.host import leftovers
from iolab.lab import Lab
from iolab.live import app, doctor, reach, standing
from iolab.report import numbers, terminal
from iolab.runtime.compose import find_engine
from iolab.web import app as page
from iolab.web import record


@click.command()
def ready() -> int:
    """Install all that local experiments and traces need: after it, they need no network.

    `make ready` makes .venv first; the command makes the environment of the Streamlit app. A second call does nothing.
    """
    console = Console()
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    with terminal.busy(console) as say:
        app.environment(the_lab.root, app.LOOPS[0], say)
    console.print(f"Ready: .venv (the lab) and {app.ENVIRONMENT} (the Streamlit app).", highlight=False)
    return 0


@click.command()
@click.option("--cpus", envvar="CPUS", type=float, default=1, show_default=True, help="CPUs that each server may use.")
@click.option(
    "--workers", envvar="WORKERS", type=click.IntRange(1, 64), default=1, show_default=True, help="Locust workers."
)
@click.option(
    "--loads", envvar="LOADS", type=click.Choice(["closed", "all"]), default="closed", show_default=True,
    help="Locust's page shows closed loops, or also open loops and chat users.",
)  # fmt: skip
def up(cpus: float, workers: int, loads: str) -> int:
    """Start everything: the servers, Streamlit under strace, Locust's web page, and the lab's own page."""
    console = Console()
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    engine = find_engine()
    if said := reach.of_up(the_lab, page.port_of(page.variables_of(the_lab))):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    with terminal.busy(console) as say:
        pages = standing.up(the_lab, engine, cpus, workers, say, loads=loads)
    own = (page.start(the_lab), "The lab: see the servers wait, start experiments, read reports")
    terminal.show_pages(console, [own, *pages])
    return 0


@click.command()
def down() -> int:
    """Stop and remove everything that `up` started, and what killed runs have left."""
    console = Console()
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    page_ended = record.end(the_lab.root)
    if ended := leftovers.end():
        console.print(f"Ended {numbers.counted(ended, 'program')} of killed runs.")
    try:
        find_engine()
    except EngineMissing:
        if not ended and not page_ended:
            raise
        if page_ended:
            console.print("The page is closed.")
        return 0
    standing.down(the_lab)
    console.print("The lab is stopped.")
    return 0


@click.command(name="doctor")
def doctor_command() -> int:
    """Check whether this machine has what the lab needs."""
    terminal.show_facts(Console(), doctor.facts(Lab.read(lab.find_root(Path.cwd()))))
    return 0
