"""The commands of the course: learn, answer, hint."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from rich.padding import Padding
from rich.text import Text

from iolab.cli import output
from iolab.cli.console import Console
from iolab.cli.handout import Handout
from iolab.errors import UsageError
from iolab.lab import find_root
from iolab.learn import reading
from iolab.learn.checks import Result
from iolab.learn.course import Learning, Status
from iolab.learn.evidence import MYLAB, STUDENT
from iolab.learn.plan import Step
from iolab.learn.texts import Texts, language

MARKS = {"agrees": ("✓", "green"), "differs": ("✗", "red"), "cannot tell": ("?", "yellow"), "open": ("·", "dim")}
MOST_COLUMNS = 100  # of a handout
CODE = re.compile(r"^```[^\n]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)

step_option = click.option("--step", "name", envvar="STEP", help="The step, such as 2.1.  [default: the next one]")


@click.command()
@click.option("--student", envvar="STUDENT", help="Your student id, once: it determines your personal values.")
@step_option
def learn(student: str | None, name: str | None) -> int:
    """Look for new evidence, check it, and show the next step of the course, or another STEP."""
    console, root = Console(), find_root(Path.cwd())
    texts = Texts(root, language())
    if student is None and not (root / MYLAB / STUDENT).is_file():
        raise UsageError(texts.say("begin"))
    learning = Learning.begin(root, student) if student else Learning.open(root)
    status = learning.look()
    if student:
        say(console, texts.say("begun", **learning.student.values.texts()))
    show_results(console, status, texts)
    step = learning.plan.named(name) if name else next(iter(learning.plan)) if student else status.next
    if step is None:
        say(console, texts.say("done"))
    else:
        show_step(console, learning, step, texts)
    return 0


@click.command()
@step_option
@click.option("--values", envvar="VALUES", help="The values, in the order in which they are asked.")
@click.option("--text", envvar="TEXT", help="The reason of a prediction, or the text.")
def answer(name: str | None, values: str | None, text: str | None) -> int:
    """Record a prediction, a reading or a text of a STEP; what is not given is asked for."""
    console, root = Console(), find_root(Path.cwd())
    learning, texts = Learning.open(root), Texts(root, language())
    step = _step(learning, name)
    learning.check(step)
    section = texts.sections.get(step.id)
    console.print(Text(f"{step.id} {section.title if section else ''}", style="bold"))
    given = _given_values(step, values) if values is not None else _asked_values(step, texts)
    if text is None:
        text = _asked_text(step, texts)
    learning.answer(step, given, text)
    say(console, texts.say("recorded", step=step.id))
    result = next(each for each in learning.look().results if each.step == step)
    show_result(console, result, texts)
    return 0


@click.command()
@step_option
def hint(name: str | None) -> int:
    """Show the next hint of the current step, or of another STEP; it is recorded, and costs nothing."""
    console, root = Console(), find_root(Path.cwd())
    learning, texts = Learning.open(root), Texts(root, language())
    step = _step(learning, name)
    hints = texts.hints(step.id)
    found = learning.hint(step, hints)
    if found is None:
        say(console, texts.say("no_hint", step=step.id))
        return 0
    number, said = found
    console.print(Text(texts.say("hint", number=number, most=len(hints), step=step.id), style="bold"))
    console.print(Padding(Handout(learning.student.values.fill(said)), (0, 0, 0, 2)))
    return 0


def _step(learning: Learning, name: str | None) -> Step:
    if name:
        return learning.plan.named(name)
    found = learning.look().next
    if found is None:
        raise UsageError("STEP: all steps are done; say which one: make answer STEP=2.1")
    return found


def show_results(console: Console, status: Status, texts: Texts) -> None:
    """Print a line for each step that has begun, and the points."""
    for each in status.results:
        if each.verdict != "open":
            show_result(console, each, texts)
    points = {"points": f"{status.points:g}", "most": f"{status.most:g}", "texts": status.texts}
    console.print(Text(texts.say("points", **points), style="bold"))


def show_result(console: Console, result: Result, texts: Texts, points: str = "") -> None:
    """Print what a check found, with the lines that show it, and with points on a sheet."""
    mark, style = MARKS[result.verdict]
    said = texts.result(result)
    console.print(Text.assemble((f"{mark} {result.step.id:<5}{points}", style), said), soft_wrap=True)
    if result.verdict == "differs":
        for line in result.shows:
            console.print(Text(f"        {line[:300]}", style="dim"), soft_wrap=True)


def show_step(console: Console, learning: Learning, step: Step, texts: Texts) -> None:
    """Print the section of a step; the first one of a part comes with the part's introduction."""
    section = texts.sections.get(step.id)
    fill = learning.student.values.fill
    width = min(console.width, MOST_COLUMNS)
    if step.id == next(each.id for each in learning.plan if each.part == step.part):
        console.print(Handout(fill(texts.introductions.get(step.part, ""))), width=width)
    console.rule(f"{step.id} {section.title if section else ''}", align="left", style="dim")
    if section:
        if section.stale:
            say(console, texts.say("stale"))
        show_text(console, fill(section.text), width)
    if step.kind in ("observe", "predict", "explain"):
        say(console, texts.say("answer_with", step=step.id))
    if texts.hints(step.id):
        say(console, texts.say("hint_with"))


def show_text(console: Console, text: str, width: int) -> None:
    """Print Markdown; lines of code are printed whole, so that they can be copied."""
    for place, part in enumerate(CODE.split(text)):
        if place % 2:
            for line in part.rstrip().splitlines():
                console.print(Text(line, style="bold"), soft_wrap=True)
            console.print()
        elif part.strip():
            console.print(Handout(part.strip()), width=width)
            console.print()


def _given_values(step: Step, text: str) -> Mapping[str, float]:
    words = text.replace(";", " ").split()
    if len(words) != len(step.asks):
        names = " ".join(ask.name for ask in step.asks)
        raise UsageError(f"VALUES={text[:60]}: step {step.id} asks for {len(step.asks)} values: {names or 'none'}")
    values = {ask.name: _number(word) for ask, word in zip(step.asks, words, strict=True)}
    for word, (name, value) in zip(words, values.items(), strict=True):
        if value is None:
            raise UsageError(f"VALUES: {name}={word[:40]}: {reading.MUST}")
    return {name: value for name, value in values.items() if value is not None}


def _asked_values(step: Step, texts: Texts) -> Mapping[str, float]:
    return {ask.name: _asked_number(texts.prompt(step.id, ask.name)) for ask in step.asks}


def _asked_number(prompt: str) -> float:
    """Ask until the answer is a number; raises UsageError at the end of the input."""
    while (value := _number(text := _line(prompt))) is None:
        output.line(f"{text[:40]}: {reading.MUST}")
    return value


def _asked_text(step: Step, texts: Texts) -> str:
    if step.kind == "observe":
        return ""
    if step.kind == "predict":
        return _line(texts.say("why"))
    output.line(f"{texts.say('text')}:")
    lines: list[str] = []
    for line in sys.stdin:
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines)


def _line(prompt: str) -> str:
    output.question(f"{prompt}: ")
    line = sys.stdin.readline()
    if not line:
        raise UsageError("the input has ended before all was answered: nothing is recorded")
    return line.strip()


def _number(text: str) -> float | None:
    """Return a reading; None for what cannot be one. 10,5 and 1,000 would be ambiguous: there is no comma."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if reading.is_reading(value) else None


def say(console: Console, text: str) -> None:
    """Print a sentence; the terminal breaks its lines."""
    console.print(Text(text), soft_wrap=True)
