"""The story of a trace in the terminal."""

from collections.abc import Mapping
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from iolab.report import numbers
from iolab.report.brief import rich_table
from iolab.report.document import Column, plain, table
from iolab.trace import loops
from iolab.trace.facts import duration_s, longest_held, share_asleep, task_serving_s
from iolab.trace.lanes import mains, roles
from iolab.trace.loops import LoopFacts
from iolab.trace.records import Cited
from iolab.trace.story import Story
from iolab.trace.tasks import Task
from iolab.trace.telling import Click, Status, Step, count

SHOWN_CLICKS = 3
SHOWN_LINES = 8
SHOWN_ROWS = 3  # of a long line
SHOWN_THREADS = 6
MOST_SERVING = 24  # threads that serve, each with a row
GUTTER = 8  # columns: a line number and a blank
TAIL = 22  # characters of a line's end that stay: its result
CLICK_TIMES = {  # since the wake-up, by the fields of a click
    "frame read": "read_ms",
    "thread cloned": "clone_ms",
    "file opened": "open_ms",
    "answer sent": "answer_ms",
}
_BADGES: dict[Status, tuple[str, str]] = {
    "proved": ("✓", "bold green"),
    "inferred": ("~", "bold yellow"),
    "missing": ("✗", "bold red"),
}


def show(console: Console, story: Story) -> None:
    """Print the six steps: each with its lines, what they mean, and whether that is proved."""
    console.print(Text(f"{story.source}: {', '.join(size(story))}", style="bold"), soft_wrap=not console.is_terminal)
    facts = loops.facts(story)
    if which := loops.sentence(facts):
        paragraph(console, f"{loops.label(facts)}: {which}")
    for step in story.steps:
        console.print()
        _step(console, step)
        if step.number == 5 and story.clicks:
            _clicks(console, story)
        if step.number == 6:
            _threads(console, story)
    for note in notes(story):
        console.print()
        console.print(note, style="yellow", markup=False, highlight=False)


def size(story: Story) -> list[str]:
    """Say how many lines and seconds were read."""
    seconds = duration_s(story.watch)
    return [f"{story.lines:,} lines", *([] if seconds is None else [numbers.seconds(seconds)])]


def notes(story: Story) -> list[str]:
    """Say which parts of the log could not be used."""
    found = []
    if story.cut:
        found.append("The last line is incomplete: strace is still writing, or was killed.")
    strange = story.unreadable - story.cut  # a line that is cut cannot be read either
    if strange > 0:
        lines = "1 line is not in strace's format" if strange == 1 else f"{strange} lines are not in strace's format"
        why = f" ({story.foreign} wrote something before it)" if story.foreign else ""
        found.append(f"{lines}{why} and {'is' if strange == 1 else 'are'} left out.")
    if story.damaged:
        found.append(f"The log is damaged after line {story.lines} ({story.damaged}): only the lines before were read.")
    return found


def _step(console: Console, step: Step) -> None:
    sign, style = _BADGES[step.status]
    line = Text.assemble((f"{step.number}  {step.title}", "bold"), "  ", (f"{sign} {step.status}", style))
    console.print(line)
    paragraph(console, step.sentence)
    for cited, means in step.lines[:SHOWN_LINES]:
        _cited(console, cited, means)
    if len(step.lines) > SHOWN_LINES:
        paragraph(console, f"and {len(step.lines) - SHOWN_LINES} more lines (--json has all of them)")
    if step.advice:
        console.print(Text(f"   → {step.advice}", style="cyan"), soft_wrap=not console.is_terminal)


def paragraph(console: Console, text: str) -> None:
    if console.is_terminal:
        grid = Table.grid(padding=0)
        grid.add_column(width=3)
        grid.add_column()
        grid.add_row("", Text(text))
        console.print(grid)
    else:
        console.print(Text(f"   {text}"), soft_wrap=True)


def _cited(console: Console, cited: Cited, means: str) -> None:
    """Print a line of the log, in a terminal folded to a few rows (never in a pipe), and what it means below it."""
    text = "".join(char if char.isprintable() else "·" for char in cited.text)
    rows = [text]
    if console.is_terminal:
        room = max(console.width - GUTTER, 20)
        if len(text) > SHOWN_ROWS * room:
            text = f"{text[: SHOWN_ROWS * room - TAIL - 3]} … {text[-TAIL:]}"
        rows = [text[at : at + room] for at in range(0, len(text), room)] or [""]
    console.print(Text.assemble((f"{cited.line:>{GUTTER - 1}} ", "cyan"), rows[0]), soft_wrap=True)
    for row in rows[1:]:
        console.print(Text(f"{'':{GUTTER}}{row}"), soft_wrap=True)
    console.print(Text(f"{'':{GUTTER}}{means}", style="dim"), soft_wrap=True)


def _clicks(console: Console, story: Story) -> None:
    columns = [
        Column[Click]("Click", lambda click: str(click.number)),
        Column[Click]("Status", lambda click: f"{_BADGES[click.status][0]} {click.status}", numeric=False),
        Column[Click]("Thread", lambda click: str(story.thread(click.opened.tid))),
        Column[Click]("fd", lambda click: str(click.opened.wake.fd) if click.opened.wake else numbers.NOT_KNOWN),
        *(Column[Click](name, partial(_time, field), short=name.split()[1]) for name, field in CLICK_TIMES.items()),
    ]
    console.print(rich_table(table(columns, story.clicks), console.width, "   Milliseconds since the wake-up"))
    for click in story.clicks[:SHOWN_CLICKS]:
        _click(console, click)
    if len(story.clicks) > SHOWN_CLICKS:
        others = len(story.clicks) - SHOWN_CLICKS
        paragraph(
            console, f"The lines of the other {others} are in --json; the page (--html) has those of the first 40."
        )


def _time(field: str, click: Click) -> str:
    return _ms(getattr(click, field))


def _click(console: Console, click: Click) -> None:
    console.print(Text(f"   Click {click.number}", style="bold"))
    for cited, means in click.lines:
        _cited(console, cited, means)


def _threads(console: Console, story: Story) -> None:
    """Print a row for each thread that serves or waits, then those with most calls."""
    watch = story.watch
    if not watch.calls:
        return
    first = mains(story)
    tasks = {task.tid: task for process in watch.processes.all for task in process.threads.values()}
    said_of = roles(story)
    several = len(watch.processes.all) > 1
    numbered = several or sum(1 for task in tasks.values() if task.served) > 1
    busiest = sorted(
        watch.calls.items(), key=lambda item: (item[0] not in first, not said_of.get(item[0]), -sum(item[1].values()))
    )
    served = sum(1 for tid in said_of if said_of[tid])
    shown = min(max(SHOWN_THREADS, served), MOST_SERVING)
    rows = []
    for tid, counts in busiest[:shown]:
        task = tasks.get(tid)
        process = [str(story.thread(task.process.pid)) if task else ""] if several else []
        said = _said(task, said_of.get(tid, "")) if task and numbered else said_of.get(tid, "")
        common = ", ".join(f"{name} {number}" for name, number in counts.most_common(4))
        number = str(story.thread(tid)) if tid >= 0 else "others"
        rows.append([number, *process, said, str(sum(counts.values())), common])
    rest = busiest[shown:]
    if rest:
        rows.append(
            [f"{len(rest)} more", *([""] if several else []), "", str(sum(sum(c.values()) for _, c in rest)), ""]
        )
    head = ("Thread", *(("Process",) if several else ()), "Role", "Calls", "Most frequent calls")
    console.print(rich_table(plain(head, rows, text=len(head)), console.width))


def _said(task: Task, said: str) -> str:
    """Say what a thread does, with how much it accepted and how long it waited."""
    run = task.process.run
    if run and task.serves:
        share = share_asleep(run, task)
        said += f", accepted {task.accepts}" if task.accepts else ""
        said += f", {count(task.requests, 'request')}" if task.requests not in {0, task.accepts} else ""
        said += f", idle {100 * share:.1f}%" if share is not None else ""
        held, total_s = longest_held(run, task), task_serving_s(run, task)
        said += f", in {held[0]} {min(100, 100 * held[1] / total_s):.1f}%" if held and total_s else ""
    return said


def show_loops(console: Console, found: Mapping[str, LoopFacts]) -> None:
    """Print a table of the loops, and a sentence for each."""
    each = list(found.values())
    rows = [
        ["Streamlit", *(of.streamlit or numbers.NOT_KNOWN for of in each)],
        ["Server", *(of.server or numbers.NOT_KNOWN for of in each)],
        ["Loop", *(of.loop or numbers.NOT_KNOWN for of in each)],
        ["Waits in", *(of.wait_call or numbers.NOT_KNOWN for of in each)],
        ["Accepts by", *(of.accept_call or numbers.NOT_KNOWN for of in each)],
        ["Registers by", *(of.registers or numbers.NOT_KNOWN for of in each)],
        ["Wake-ups a second, idle", *(_ms(of.idle_wakeups_per_s) for of in each)],
        ["Clicks", *(str(of.clicks) for of in each)],
        ["System calls a click", *(_rounded(of.calls_per_click) for of in each)],
        ["From wake-up to open, ms", *(_ms(of.open_ms) for of in each)],
    ]
    console.print(rich_table(plain(("", *found), rows), console.width))
    for name, of in found.items():
        paragraph(console, f"{name}: {loops.sentence(of)}")
    if "uvloop" in found:
        paragraph(
            console,
            "System calls are those in strace's filter. uvloop uses read and write for sockets, as other programs do"
            " for files: its filter has those calls too, so its count includes a few reads of files.",
        )


def _rounded(value: float | None) -> str:
    return numbers.NOT_KNOWN if value is None else f"{value:.0f}"


def _ms(value: float | None) -> str:
    return numbers.NOT_KNOWN if value is None else f"{value:.1f}"
