"""The names of cells in a crowd report, and the text about how they were measured."""

from iolab.chat.entries import FORMS, TRANSPORTS
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.report import numbers
from iolab.report.numbers import counted, listed

TICK_S = 0.01  # the resolution of CPU time in /proc


def label(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Return the short name of a line, such as C WebSocket, with the conditions that distinguish it."""
    return f"{cell.record.model} {TRANSPORTS[cell.record.transport]}{_condition(cell, analysis)}"


def name(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Return the long name of a line, such as C (asyncio, WebSocket)."""
    return f"{cell.record.model} ({cell.record.title}, {TRANSPORTS[cell.record.transport]}{_condition(cell, analysis)})"


def _condition(cell: CrowdCell, analysis: CrowdAnalysis) -> str:
    """Name the form unless it is the usual one; CPU limit, processes and threads, as far as they distinguish lines."""
    line = cell.line
    same = [each.line for each in analysis.cells if each.line[:3] == line[:3]]
    parts = [line.form] if line.form != "usual" else []
    parts += [f"{line.cpus:g} CPU"] if len({each.cpus for each in same}) > 1 else []
    parts += [counted(line.processes, "process")] if len({each.processes for each in same} | {1}) > 1 else []
    parts += [f"{line.threads} threads"] if len({each.threads for each in same}) > 1 else []
    return "".join(f", {part}" for part in parts)


def idle(cell: CrowdCell) -> str:
    """Return the share of a core that a server uses while no user clicks; zero means less than a clock tick."""
    value = cell.idle_share
    return numbers.share(value) if value or value is None else f"<{TICK_S / cell.record.quiet_s:.1%}"


def settings(analysis: CrowdAnalysis) -> str:
    """Return the settings of the run in a sentence."""
    crowd, experiment = analysis.experiment.crowd, analysis.experiment
    most = f", then as many as the machine allows, up to {crowd.most:,}" if crowd.most else ""
    return (
        f"Settings: {listed([f'{users:,}' for users in crowd.users])} users{most}; {crowd.described()}; each user"
        f" clicks once in {crowd.click_every_s:g} s on average; {counted(crowd.processes, 'process')} a server, a pool"
        f" of {counted(experiment.server.threads, 'thread')}; Python's garbage collector"
        f" {'leaves out' if crowd.freeze_collector else 'goes through'} the objects of connected users; seed"
        f" {experiment.seed}.{_forms(analysis)}"
    )


def _forms(analysis: CrowdAnalysis) -> str:
    """Say what the forms of chat servers are that are not the usual ones."""
    shown = {cell.record.form for cell in analysis.cells} - {"usual"}
    parts = [f"{form}: the chat server {text}" for form, text in FORMS.items() if form in shown]
    return f" {listed(parts).capitalize()}." if parts else ""


def method(analysis: CrowdAnalysis) -> list[str]:
    """Return how it was measured: which users are held, and when and how clicks and memory are measured."""
    crowd = analysis.experiment.crowd
    return [
        f"Each number of users has a new server. A user is held if the server itself has answered within"
        f" {crowd.patience_s:g} s and the connection lasts to the end; a user that was never answered counts as"
        " having waited longer than any other."
        f" When all are connected, no user clicks for {crowd.quiet_s:g} s: memory and the CPU time of an idle crowd are"
        f" measured. Then the connected users click at random moments for {crowd.busy_s:g} s. A click is timed from the"
        " moment for which it was planned; a click without an answer counts as longer than any other.",
        "The server's memory for each user is its growth divided by the number of users that it serves. The kernel's is"
        " the growth of the whole machine divided by the number of connections: it includes both ends of each"
        f" connection, and whatever other programs do meanwhile.{_polls(analysis)}",
    ]


def _polls(analysis: CrowdAnalysis) -> str:
    """Say which CPU time of long polls the quiet seconds do not include."""
    crowd = analysis.experiment.crowd
    users = [cell.record.users for cell in analysis.cells if cell.record.transport == "poll"]
    # A poll lasts three quarters of hold_s at least (services/*/chat*.py).
    if not users or max(users) / crowd.connect_rps + crowd.quiet_s > 0.75 * crowd.hold_s:
        return ""
    return (
        f" A polling user sends a new request about every {crowd.hold_s} s, and none did within the quiet seconds: in"
        " the long run, idle CPU time is higher by that."
    )
