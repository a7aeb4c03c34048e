"""The command `iolab trace`: reads a log or makes one, tells its story, writes its page."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from click.core import ParameterSource

from iolab.cli import addresses, clicking, output, parameters, variables
from iolab.cli.console import Console
from iolab.errors import UsageError
from iolab.host import limits
from iolab.lab import Lab, find_root
from iolab.live import app
from iolab.live.app import LOOPS, Loop, log_name
from iolab.report import brief, costs_terminal, terminal, trace_terminal
from iolab.results import files
from iolab.trace import costs, loops, turns
from iolab.trace.decode import CLONES
from iolab.trace.merged import merged
from iolab.trace.source import open_log
from iolab.trace.story import PORT, SCRIPT, Story, tell
from iolab.trace.truth import as_json

LONG_LOG_BYTES = 20 << 20  # reading it takes seconds: say so


class _Logs(click.Path):
    """Paths of the command line; the variable LOG is one path, whatever characters it has."""

    envvar_list_splitter = "\n"


@click.command()
@click.argument("logs", metavar="[LOG]...", envvar="LOG", type=_Logs(path_type=Path), nargs=-1)
@click.option(
    "--port",
    envvar="PORT",
    type=click.IntRange(1, 65535),
    help=f"Port on which the server of CMD, or of a LOG, listens.  [default of a LOG: {PORT}]",
)
@click.option(
    "--click",
    "clicks",
    envvar="CLICK",
    type=click.IntRange(0, 20),
    default=0,
    help="Press the app's button this number of times.",
)
@click.option(
    "--loop", envvar="LOOP", type=click.Choice(LOOPS), help="Run Streamlit on this event loop, and press the button."
)
@click.option("--service", "services", envvar="SERVICE", help="Trace measured servers instead: letters, names, or all.")
@click.option(
    "--cmd", "command", envvar="CMD", help='Trace any server instead, such as "gunicorn -w 2 app:app"; it needs PORT.'
)
@click.option(
    "--requests",
    envvar="REQUESTS",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Requests to the server of CMD, all at once.",
)
@parameters.runtime
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object instead of the story.")
@click.option("--html", is_flag=True, help="Write results/trace/trace.html too.")
@parameters.results
def trace(  # noqa: PLR0917 (each is an option of the command line)
    logs: tuple[Path, ...],
    port: int | None,
    clicks: int,
    loop: Loop | None,
    services: str | None,
    command: str | None,
    requests: int,
    runtime: str,
    as_object: bool,
    html: bool,
    results: Path | None,
) -> int:
    """Explain an strace log, step by step. LOG can be a .gz file, or - for standard input, or all files of strace -ff.

    Without LOG, the log of the Streamlit app is read: results/trace/log_streamlit.txt. CMD and PORT run any server on
    this machine, and send it requests.
    """
    console = Console()
    log = logs[0] if logs else None
    folder = (results or default_results()) / "trace"
    _check(log, command, services, clicks_here=bool(clicks or loop))
    if command is not None:
        from iolab.cli import trace_command  # noqa: PLC0415 (asyncio: not for a story)

        return trace_command.run(console, command, port, requests, runtime=runtime, folder=folder, as_object=as_object)
    if services:
        return trace_services(console, re.split(r"[,\s]+", services.strip()), runtime, folder, as_object)
    port = port if log or _typed("port") else None  # servers read PORT, too: an exported one is not of the app's log
    live = bool(clicks or loop or runtime == "local") and log is None
    path = log or folder / log_name(None)
    if live:
        with terminal.busy(Console(stderr=as_object)) as say:
            traced = clicking.make_log(loop, clicks, runtime, folder, say)
        path, port = traced.log, port or traced.port
    story = read(path, port or PORT, draw=html, others=logs[1:])
    if as_object:
        output.line(json.dumps(as_json(story), indent=1))
    elif story.lines and not any(story.watch.calls.values()):
        why = f" ({story.foreign} wrote something before each line)" if story.foreign else ""
        raise UsageError(
            f"{story.source}: none of its {story.lines} lines is a system call as strace writes it{why};"
            " give the file that strace -o wrote"
        )
    else:
        trace_terminal.show(console, story)
    if html:
        page = write_page(story, folder / "trace.html")
        if not as_object:
            console.print()
            brief.show_address(console, "Page", addresses.of_trace(page))
    return 1 if live and not story.clicks else 0


def _check(log: Path | None, command: str | None, services: str | None, *, clicks_here: bool) -> None:
    """Raise UsageError for options that exclude each other."""
    for name, is_given, other in (("CMD", command is not None, "SERVICE"), ("SERVICE", bool(services), "CMD")):
        if is_given and (log is not None or clicks_here or (services and command is not None)):
            raise UsageError(f"{name} runs a server of its own: leave out the log, CLICK, LOOP and {other}")
    if log is not None and clicks_here:
        raise UsageError("a LOG is read as it is: leave out CLICK and LOOP, or the log")
    if command is None and _typed("cmd"):
        raise UsageError("CMD is empty: give the command that starts the server")
    if command is None and _typed("requests"):
        raise UsageError('REQUESTS is the number of requests to a server of yours: add CMD="..." and PORT=')


def _typed(name: str) -> bool:
    """Say whether the user typed an option for this command, as one or as a variable of make: not if it is exported."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE or name.upper() in variables.typed(os.environ.get("MAKEFLAGS", ""))


def trace_services(console: Console, names: list[str], runtime: str, folder: Path, as_object: bool) -> int:
    """Show what requests cost measured servers, and write a page for each."""
    from iolab.live import service  # noqa: PLC0415 (asyncio: not for a story)

    the_lab = Lab.read(find_root(Path.cwd()))
    models = the_lab.select(names, option="SERVICE", shown_too=True)
    limits.raise_soft_limits()
    limits.check_open_files()
    engine, _ = app.engine_or_reason(runtime)
    found, pages = [], []
    with terminal.busy(Console(stderr=as_object)) as say:
        for model in models:
            seen = service.observe(the_lab, model, engine, folder / f"log_{model.name}.txt", say)
            with open_log(seen.log) as lines:
                calls, threads = costs.count(lines, seen.start_s, seen.end_s)
            with open_log(seen.log) as lines:
                turn = turns.longest(lines, seen.start_s, seen.end_s)
            # A thread that has ended takes its count of switches along.
            switches = None if any(calls[name] for name in CLONES) else seen.switches
            found.append(
                costs.Costs(model.name, model.title, service.REQUESTS, calls, threads, switches, seen.seconds, turn)
            )
            story = read(seen.log, model.port.container if engine else model.port.host, None)
            title = f"{service.REQUESTS} requests at once to server {model.letter}: {model.title}"
            pages.append(
                write_page(story, folder / f"trace-{model.name}.html", title, (seen.start_s - 0.02, seen.end_s + 0.02))
            )
    if as_object:
        output.line(json.dumps([costs.as_json(each) for each in found], indent=1))
        return 0
    costs_terminal.show_costs(console, found)
    for page in pages:
        brief.show_address(console, "Page", addresses.of_trace(page))
    return 0


@click.command(name="trace-compare")
@click.option(
    "--clicks",
    envvar="CLICK",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    help="Clicks on each event loop.",
)
@parameters.runtime
@parameters.results
def trace_compare(clicks: int, runtime: str, results: Path | None) -> int:
    """Run Streamlit on three event loops, and compare their system calls."""
    console = Console()
    folder = (results or default_results()) / "trace"
    found: dict[str, loops.LoopFacts] = {}
    with terminal.busy(console) as say:
        for loop in LOOPS:
            traced = clicking.make_log(loop, clicks, runtime, folder, say)
            found[loop] = loops.facts(read(traced.log, traced.port, draw=False))
    trace_terminal.show_loops(console, found)
    console.print(f"Logs: {os.path.relpath(folder)}/log_streamlit-*.txt", highlight=False, soft_wrap=True)
    return 0


def read(
    path: Path, port: int, script: str | None = SCRIPT, *, draw: bool = True, others: Sequence[Path] = ()
) -> Story:
    """Return the story of a log, or of it and `others` (strace -ff); `draw` with the timeline that a page needs."""
    if others:
        paths = (path, *others)
        return tell(merged(paths), f"{os.path.relpath(path)} and {len(others)} more files", port, script, draw=draw)
    standard_input = str(path) == "-"
    with open_log(path) as lines, ExitStack() as stack:
        if not standard_input and path.stat().st_size > LONG_LOG_BYTES:
            say = stack.enter_context(terminal.busy(Console(stderr=True)))
            say(f"Reading {path.stat().st_size >> 20} MiB")
        return tell(lines, "standard input" if standard_input else os.path.relpath(path), port, script, draw=draw)


def write_page(
    story: Story, page: Path, title: str = "What the log shows", focus_s: tuple[float, float] | None = None
) -> Path:
    """Write the page of a story; it can be rebuilt from the log at any time, so an older one is replaced."""
    from iolab.report import trace_html  # noqa: PLC0415 (templates: too long for a story without a page)

    page.parent.mkdir(parents=True, exist_ok=True)
    files.write(page.parent.resolve() / page.name, trace_html.render(story, title, focus_s).encode())
    return page


def default_results() -> Path:
    try:
        return find_root(Path.cwd()) / "results"
    except UsageError:
        return Path("results")  # a log from anywhere needs no lab around it
