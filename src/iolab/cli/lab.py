"""`iolab lab`: the lab in a browser."""

from pathlib import Path

import click

from iolab import lab
from iolab.cli import output
from iolab.lab import Lab
from iolab.web import app

LOOPBACK = "127.0.0.1"


@click.command(name="lab")
@click.option(
    "--port", envvar="LAB_PORT", metavar="INTEGER", help=f"Port of the page.  [default: {app.PORT}]"
)  # fmt: skip
@click.option(
    "--results",
    envvar="RESULTS",
    type=click.Path(path_type=Path),
    help="Folder of the run folders.  [default: results]",
)
@click.option("--background", envvar="BACKGROUND", is_flag=True, help="Leave the page open, and return.")
def lab_command(port: str | None, results: Path | None, background: bool) -> int:
    """Serve the lab as a web page: see the servers wait, start experiments, read and compare reports.

    The page is for this machine alone, unless BIND is set. Ctrl-C ends it, and `make down` if it is in the background.
    """
    the_lab = Lab.read(lab.find_root(Path.cwd()))
    variables = app.variables_of(the_lab)
    number = app.port_of(variables if port is None else {"LAB_PORT": port})
    address = next((each for each in _addresses(the_lab) if each != LOOPBACK), LOOPBACK)
    if address != LOOPBACK:
        from iolab.live import reach  # noqa: PLC0415 (it imports what the page does not need)

        if said := reach.of_page(the_lab, number):
            output.line(said, err=True)

    if background:
        given = {"LAB_PORT": str(number)} | ({"RESULTS": str(results.absolute())} if results else {})
        output.line(f"The lab: {app.start(the_lab, given)} (make down ends it)")
        output.line("Type first: make learn STUDENT=your-id (make help lists all commands)")
        return 0

    def ready(url: str) -> None:
        output.line(f"The lab: {url} (Ctrl-C ends it)")

    app.serve(the_lab, (results or the_lab.root / "results").absolute(), (address, number), variables, ready)
    return 0


def _addresses(the_lab: Lab) -> list[str]:
    """Return the addresses at which docker-compose.yml publishes ports: BIND, from the environment or .env."""
    return [port.address for service in the_lab.services for port in service.ports]
