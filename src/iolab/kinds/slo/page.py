"""What each model sustains: in the terminal, as Markdown, and as a page that needs nothing else."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.slo.analysis import SloAnalysis
from iolab.kinds.slo.plan import Found, Objective, Step
from iolab.report import numbers
from iolab.report.pages import template

HEADINGS = ("Model", "Holds at", "there", "not at", "there", "Theory, M/D/c")
STEPS = ("Model", "Arrivals", "Busy", "Measured for", "Requests", "Failed", "Value", "Holds")
NOTE = (
    "Times are in the system, waiting and service, from the moment at which each request was to be sent. Requests that"
    " were planned before the step is in its steady state are not counted."
)


def show(console: Console, analysis: SloAnalysis, folder: str) -> None:
    """Print a row a model, what it says, and where the rest is."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = escape(question(analysis))
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "Model" else "right", no_wrap=True)
    for row in rows(analysis):
        table.add_row(*map(escape, row))
    console.print(table)
    if text := state(analysis):
        console.print(f"[bold red]{escape(text)}[/]", highlight=False)
    for each in analysis.found:
        console.print(f"- {escape(sentence(each, analysis.objective))}", highlight=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def markdown(analysis: SloAnalysis) -> str:
    """Return report.md."""
    lines = [f"# {analysis.experiment.name}: {question(analysis)}", ""]
    if text := state(analysis):
        lines += [f"**{text}**", ""]
    lines += _table(HEADINGS, rows(analysis))
    lines += ["", *(f"- {sentence(each, analysis.objective)}" for each in analysis.found)]
    lines += ["", "## Steps", "", *_table(STEPS, steps(analysis)), "", NOTE, ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterator[tuple[str, ...]]) -> list[str]:
    aligned = " | ".join(":--" if heading == "Model" else "--:" for heading in headings)
    return [f"| {' | '.join(headings)} |", f"| {aligned} |", *(f"| {' | '.join(row)} |" for row in rows)]


def render(analysis: SloAnalysis) -> str:
    """Return report.html, one file that needs nothing else."""
    return template("slo.html.j2").render(
        analysis=analysis,
        question=question(analysis),
        state=state(analysis),
        place=f"Servers ran {numbers.PLACES[analysis.run.runtime]}: {analysis.run.runtime_reason}.",
        sentences=[sentence(each, analysis.objective) for each in analysis.found],
        headings=HEADINGS,
        rows=list(rows(analysis)),
        step_headings=STEPS,
        steps=list(steps(analysis)),
        note=NOTE,
    )


def summary(analysis: SloAnalysis) -> str:
    """Return summary.json: an object a model, with all its steps."""
    whole = {
        "schema": 2,
        "kind": analysis.run.kind,
        "experiment": analysis.experiment.name,
        "runtime": analysis.run.runtime,
        "status": analysis.run.status,
        "objective": analysis.objective.text,
        "cells": [_cell(each) for each in analysis.found],
    }
    return json.dumps(whole, indent=2) + "\n"


def _cell(found: Found) -> dict[str, Any]:
    return {
        "model": found.letter,
        "service": found.name,
        "highest_rps": found.best.rate_rps if found.best else None,
        "broken_rps": found.broken.rate_rps if found.broken else None,
        "theory_rps": found.theory_rps,
        "calibration": found.calibration.model_dump(),
        "steps": [asdict(step) for step in found.steps],
        "valid": not found.reason,
        "reason": found.reason or None,
    }


def question(analysis: SloAnalysis) -> str:
    """Return the experiment's question, with the objective in it."""
    return analysis.experiment.question.replace("{objective}", analysis.objective.text)


def state(analysis: SloAnalysis) -> str:
    """Say what a run lacks that is not whole; nothing of a whole one."""
    there, wanted = len(analysis.found), len(analysis.run.models)
    if analysis.run.status == "complete":
        lacks = there < wanted or any(each.reason for each in analysis.found)
        return "Not all steps are there: trials.jsonl is not whole." if lacks else ""
    ended = sum(not each.reason for each in analysis.found)
    return {
        "partial": f"Interrupted: the search has ended for {ended} of {wanted} models.",
        "failed": f"Not all is as it should be: the search has ended for {ended} of {wanted} models.",
        "running": "Not finished: what follows is all that is on disk so far.",
    }[analysis.run.status]


def rows(analysis: SloAnalysis) -> Iterator[tuple[str, ...]]:
    """Yield a row a model, in the order of HEADINGS."""
    for each in analysis.found:
        best, broken = each.best, each.broken
        yield (
            f"{each.letter} {each.name}",
            _rate(best.rate_rps) if best else "none",
            _value(best),
            _rate(broken.rate_rps) if broken else "-",
            _value(broken),
            _rate(each.theory_rps),
        )


def steps(analysis: SloAnalysis) -> Iterator[tuple[str, ...]]:
    """Yield a row a step, in the order of STEPS."""
    for record in analysis.records:
        yield (
            f"{record.model} {record.service}",
            _rate(record.rate_rps),
            "-" if record.utilisation is None else f"{record.utilisation:.0%}",
            numbers.seconds(record.plan_s - record.lead_s),
            str(record.sent),
            str(record.errors),
            numbers.milliseconds(None if record.value_s is None else record.value_s * 1000),
            "yes" if record.holds else "no" if record.valid else f"invalid: {record.reason}",
        )


def _value(step: Step | None) -> str:
    return numbers.milliseconds(step.value_s * 1000 if step and step.value_s is not None else None)


def _rate(value_rps: float | None) -> str:
    """Return a rate with a digit more than elsewhere: what holds and what does not lie close together."""
    return numbers.rate(value_rps) if value_rps is None or value_rps >= 100 else f"{value_rps:.1f}/s"


def sentence(found: Found, objective: Objective) -> str:
    """Say in words what one model sustains."""
    if found.reason:
        return _unfinished(found, objective)
    letter, best = found.letter, found.best
    if best is None:
        return f"{letter} does not meet {objective.text} at any rate that was tried."
    if found.broken is None:
        return f"{letter} meets {objective.text} at {_rate(best.rate_rps)}, the highest rate that was tried."
    text = f"{letter} meets {objective.text} up to {_rate(best.rate_rps)}"
    if found.theory_rps is None:
        return text + "."
    capacity_rps = found.workers / found.calibration.service_s
    return f"{text}, when it is busy {best.rate_rps / capacity_rps:.0%} of the time; beyond that the queue is too long."


def _unfinished(found: Found, objective: Objective) -> str:
    """Say what is known where the search has not come to its end."""
    known = []
    if found.best:
        known.append(f"meets {objective.text} at {_rate(found.best.rate_rps)}")
    if found.broken:
        known.append(f"does not meet {'it' if known else objective.text} at {_rate(found.broken.rate_rps)}")
    told = f"{found.letter} {' and '.join(known)}. " if known else ""
    return f"{told}The search for {found.letter} has not come to its end: {found.reason}."
