"""Runs that nearly are what a step asks for: what differs says whose run it is, or what to type next time."""

from collections.abc import Mapping
from typing import Any

from iolab.learn.evidence import Found, FoundRun, Place, matches, setting
from iolab.learn.plan import Evidence, Plan, Step
from iolab.learn.values import Values
from iolab.results.records import RunInfo

MOST_DIFFERING = 1  # settings of a near miss


def near(place: Place, step: Step, values: Values) -> Found | None:
    """Return the newest run that differs from what a step asks for in one setting; None if there is none."""
    wanted = step.evidence
    for found in filter(_whole, place.runs):
        if (
            of_same_load(found.info, wanted, values)
            and 0 < len(differing(found.info, wanted, values)) <= MOST_DIFFERING
        ):
            return found
    return None


def of_same_load(run: RunInfo, wanted: Evidence, values: Values) -> bool:
    """Return whether a run has the kind, models and users that a step asks for, whatever its settings."""
    return matches(run, wanted.model_copy(update={"settings": {}}), values)


def differing(run: RunInfo, wanted: Evidence, values: Values) -> Mapping[str, tuple[Any, Any]]:
    """Return the settings in which a run differs from what a step asks for: those of the run, and those asked for."""
    asked = {name: values.filled(value) for name, value in wanted.settings.items()}
    return {name: (setting(run, name), value) for name, value in asked.items() if setting(run, name) != value}


def strangers(place: Place, plan: Plan, values: Values) -> Mapping[str, tuple[Step, Mapping[str, tuple[Any, Any]]]]:
    """Return the runs of a place that are no evidence of any step, each with the step that it is nearest to."""
    wanted = [step for step in plan if step.evidence.kind]
    found = {}
    for run in filter(_whole, place.runs):
        if any(matches(run.info, step.evidence, values) for step in wanted):
            continue
        like = [(step, differing(run.info, step.evidence, values)) for step in wanted]
        alike = [each for each in like if of_same_load(run.info, each[0].evidence, values)]
        found[run.names[0]] = min(alike or like, key=lambda each: len(each[1]))
    return found


def _whole(run: FoundRun) -> bool:
    return run.whole
