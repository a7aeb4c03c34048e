"""The commands around handing in: submit, and grade for the teacher."""

from pathlib import Path

import click
from rich.text import Text

from iolab.cli import parameters
from iolab.cli.console import Console
from iolab.cli.learn import say, show_result
from iolab.errors import UsageError
from iolab.lab import find_root
from iolab.learn import bundle, gradebook, grading, marks
from iolab.learn.course import Learning
from iolab.learn.grading import Graded
from iolab.learn.sheet import Refusal, Rules, Sheet, graded
from iolab.learn.texts import Texts, language

GRADES = "grades"  # in the folder of the zips


@click.command()
def submit() -> int:
    """Write lab-<id>.zip with your evidence, open it again, grade it, and print the sheet."""
    console, root = Console(), find_root(Path.cwd())
    learning, texts = Learning.open(root), Texts(root, language())
    try:
        learning.look()
    except UsageError as error:  # a journal that was changed can be handed in: the sheet says so
        say(console, str(error))
    path = bundle.write(root, learning.plan, learning.student.values)
    rules = grading.rules_of(root)
    found = graded(path, path.name, rules)
    if isinstance(found, Refusal):
        raise UsageError(f"{path.name}: {found.why}")
    show_sheet(console, found, rules, texts)
    size = f"{path.stat().st_size / 1000:,.0f} kB"
    say(console, texts.say("handed_in", path=path.name, size=size))
    return 0


@click.command()
@click.option("--folder", envvar="FOLDER", type=parameters.PATH, help="The folder with the zips that were handed in.")
@click.option(
    "--results",
    envvar="RESULTS",
    type=parameters.PATH,
    help="Folder for grades.csv, gradescope/, feedback/ and review.html.  [default: grades/ in FOLDER]",
)
def grade(folder: Path | None, results: Path | None) -> int:
    """Grade all zips of a FOLDER, offline, without executing anything that is in them."""
    console, root = Console(), find_root(Path.cwd())
    texts = Texts(root, language())
    if folder is None:
        raise UsageError("FOLDER is missing: make grade FOLDER=zips")
    given = marks.read(folder) if folder.is_dir() else {}
    found = grading.grade(folder, grading.rules_of(root))
    paths = gradebook.write(found, results or folder / GRADES, texts, given)
    show_graded(console, found, texts)
    written = {(sheet.student, step) for sheet in found.sheets for step in sheet.texts}
    if unused := marks.unused(given, written):
        say(console, texts.say("marks_unused", marks="; ".join(unused)))
    for path in paths:
        console.print(Text(str(path), style="dim"), soft_wrap=True)
    return 1 if found.refused else 0


def show_sheet(console: Console, sheet: Sheet, rules: Rules, texts: Texts) -> None:
    """Print a sheet: each step with its points, flags as the teacher sees them."""
    for each in sheet.results:
        points = "" if each.step.kind == "explain" else f"{each.points:g}/{rules.course.points(each.step):g}"
        show_result(console, each, texts, f"{points:<5}")
    total = texts.say("points", points=f"{sheet.points:g}", most=f"{rules.most():g}", texts=len(sheet.texts))
    console.print(Text(total, style="bold"))
    say(console, texts.say("teacher_sees" if sheet.flags else "teacher_sees_none"))
    for flag in sheet.flags:
        say(console, f"  ⚑ {gradebook.flagged(flag, texts)}")


def show_graded(console: Console, found: Graded, texts: Texts) -> None:
    """Print a line for each zip, and one for each that was refused."""
    for sheet in found.sheets:
        flags = " ".join(sorted({flag.id for flag in sheet.flags}))
        line = Text.assemble((f"{sheet.student:<20} {sheet.points:>5g}/{found.rules.most():g}", "bold"))
        console.print(line.append(f"  {flags}", "yellow"), soft_wrap=True)
    for each in found.refused:
        say(console, texts.say("refused", zip=each.zip, why=each.why))
    if any(sheet.flags for sheet in found.sheets):
        say(console, texts.say("flags_are_no_verdicts"))
