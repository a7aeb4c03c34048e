"""Runs that nearly are what a step asks for: what differs says whose run it is, or what to type next time."""

from collections.abc import Mapping
from typing import Any

from iolab.learn.evidence import FoundRun, Place, differing, matches, of_same_load
from iolab.learn.plan import Plan, Step
from iolab.learn.values import Values

MOST_DIFFERING = 1  # settings of a near miss


def near(place: Place, step: Step, values: Values) -> FoundRun | None:
    """Return the newest run that differs from what a step asks for in one setting; None if there is none."""
    wanted = step.evidence
    alike = (each for each in place.runs if of_same_load(each.info, wanted, values))
    return next((each for each in alike if 0 < len(differing(each.info, wanted, values)) <= MOST_DIFFERING), None)


def strangers(place: Place, plan: Plan, values: Values) -> Mapping[str, tuple[Step, Mapping[str, tuple[Any, Any]]]]:
    """Return the runs of a place that are no evidence of any step, each with the step that it is nearest to."""
    wanted = [step for step in plan if step.evidence.kind]
    found = {}
    for run in place.runs:
        if any(matches(run.info, step.evidence, values) for step in wanted):
            continue
        like = [(step, differing(run.info, step.evidence, values)) for step in wanted]
        alike = [each for each in like if of_same_load(run.info, each[0].evidence, values)]
        found[run.names[0]] = min(alike or like, key=lambda each: len(each[1]))
    return found
