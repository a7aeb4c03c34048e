"""What requests cost a server, and what kept its event loop from waiting, in the terminal."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from iolab.report import numbers
from iolab.report.brief import rich_table
from iolab.report.document import plain
from iolab.report.numbers import milliseconds
from iolab.report.trace_terminal import paragraph
from iolab.trace.costs import Costs
from iolab.trace.turns import Turn

SHOWN_CALLS = 12
LONG_TURN_S = 0.1
SYN_RETRY_S = 1.0  # Linux's TCP_TIMEOUT_INIT: a dropped connection attempt is retried after that


def show_costs(console: Console, found: Sequence[Costs]) -> None:
    """Print what a request costs each server, side by side."""
    names = {name for costs in found for name in costs.calls}
    total = {name: sum(costs.calls.get(name, 0) / costs.requests for costs in found) for name in names}
    rows = [["System calls", *(f"{costs.calls_per_request:.1f}" for costs in found)]]
    rows += [
        [f"  {name}", *(_tenths(costs.calls.get(name, 0) / costs.requests) for costs in found)]
        for name in sorted(names, key=lambda name: -total[name])[:SHOWN_CALLS]
    ]
    rows += [
        ["Context switches", *(_tenth(costs.switches_per_request) for costs in found)],
        [
            "  of them, involuntary",
            *(_tenth(costs.switches.involuntary / costs.requests if costs.switches else None) for costs in found),
        ],
        ["Threads that served", *(str(costs.threads) for costs in found)],
        ["All answered after", *(milliseconds(costs.seconds * 1e3) for costs in found)],
    ]
    shown = replace(plain(("Per request", *(costs.title for costs in found)), rows), ends=frozenset({len(rows) - 3}))
    title = f"{found[0].requests} requests at once, each on its own connection"
    console.print(rich_table(shown, console.width, title))
    paragraph(
        console,
        "System calls and threads are counted under strace. Context switches and times are from the same load without"
        " strace, because strace adds its own.",
    )
    for costs in found:
        if costs.turn and costs.turn.length_s > LONG_TURN_S:
            paragraph(console, f"{costs.title}: {away(costs.turn)}")
    for costs in found:
        if costs.seconds > SYN_RETRY_S:
            paragraph(
                console,
                f"{costs.title} took {milliseconds(costs.seconds * 1e3)}: {costs.requests} connection attempts at once"
                " can overflow a shorter accept queue; TCP retries a dropped attempt after 1 s or more. To measure the"
                " drops: make bench MODELS=A",
            )


def away(turn: Turn) -> str:
    """Say what an event loop did in its longest turn."""
    text = (
        f"its event loop did not wait for events for {milliseconds(turn.length_s * 1e3)}, between lines"
        f" {turn.begin_line} and {turn.end_line} of the log."
    )
    name = turn.blocker
    if name is None:
        return f"{text} No system call held the thread: it computed, or waited for a core."
    spent = milliseconds(turn.in_calls_s[name] * 1e3)
    calls = f"{turn.calls[name]} call{'' if turn.calls[name] == 1 else 's'}"
    return f"{text} It spent {spent} of that in {calls} of {name}: while the loop is blocked, every connection waits."


def _tenths(value: float) -> str:
    return f"{value:.1f}" if value else "·"


def _tenth(value: float | None) -> str:
    return numbers.NOT_KNOWN if value is None else f"{value:.1f}"
