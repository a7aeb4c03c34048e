"""Which event loop a story shows, and what that loop does."""

from dataclasses import dataclass, replace
from statistics import mean, median

from iolab.trace.decode import ACCEPTS
from iolab.trace.facts import identity
from iolab.trace.story import Story

LEAST_IDLE_S = 1.0  # a rate of less than that is chance
TICKING_PER_S = 2.0  # more wake-ups than that without a connection are a short timer, not chance


@dataclass(frozen=True)
class LoopFacts:
    """What one log shows of its loop; None where it does not show it. `calls_per_click` is a mean, `open_ms` a median.

    A click's calls are those of all threads from the wake-up to the first answer, as far as strace was asked for them.
    """

    program: str
    streamlit: str | None
    server: str | None
    loop: str | None
    wait_call: str | None
    accept_call: str | None
    registers: str | None
    idle_wakeups_per_s: float | None
    clicks: int
    calls_per_click: float | None
    open_ms: float | None
    kind: str = ""
    evidence: tuple[str, ...] = ()


def facts(story: Story) -> LoopFacts:
    """Return what a story shows of its loop."""
    watch, run, it = story.watch, story.watch.run, identity(story.watch)
    task = run.main if run else None
    listeners = [listener for each in watch.runs for listener in each.listeners]
    registers = "epoll_ctl" if any(each.add for each in listeners) else None
    if registers is None and watch.uring and it.loop == "uvloop":
        registers = "io_uring"
    answered = [click.opened for click in story.clicks if click.opened.answer and click.opened.wake]
    opens = [click.open_ms for click in story.clicks if click.open_ms is not None]
    idle = run.idle if run else None
    return LoopFacts(
        program=program(story),
        streamlit=watch.made.streamlit,
        server=replace(it, loop=None).title or None,
        loop=it.loop,
        wait_call=task.waits_in if task else None,
        accept_call=watch.accept_call,
        registers=registers,
        idle_wakeups_per_s=idle[0] / idle[1] if idle and idle[1] >= LEAST_IDLE_S else None,
        clicks=len(story.clicks),
        calls_per_click=mean(sum(opened.calls.values()) for opened in answered) if answered else None,
        open_ms=median(opens) if opens else None,
        kind=it.unnamed,
        evidence=it.evidence,
    )


def program(story: Story) -> str:
    """Name the program, as far as the log shows it: "Streamlit 1.67.0: Starlette and uvicorn on asyncio"."""
    made, on = story.watch.made, identity(story.watch).title
    return f"Streamlit {made.streamlit}{': ' if on else ''}{on}" if made.streamlit else on


def label(of: LoopFacts) -> str:
    """Say what the sentence is about: a server that waits in accept has no event loop."""
    return "Server" if of.wait_call in ACCEPTS else "Event loop"


def sentence(of: LoopFacts) -> str:
    """Say which loop it is, and what shows that; empty where the log shows too little."""
    signs = []
    if of.wait_call:
        signs.append(f"it waits in {of.wait_call}")
    if of.registers:
        signs.append(f"registers descriptors by {of.registers}")
    if of.accept_call:
        signs.append(f"accepts connections by {of.accept_call}")
    name = of.program or of.kind[:1].upper() + of.kind[1:]
    if not (signs and name):
        return ""
    text = f"{name}: {', '.join(signs)}."
    if of.evidence:
        text += f" What shows it: {'; '.join(of.evidence)}."
    elif not of.program:
        text += " Nothing in the log shows a server or an event loop that the lab knows by name."
    if of.idle_wakeups_per_s is not None:
        rate = of.idle_wakeups_per_s
        if rate > TICKING_PER_S:
            text += f" It woke {rate:.1f} times a second even before the first connection."
        else:
            text += f" Before the first connection it woke only {rate:.1f} times a second."
    return text
