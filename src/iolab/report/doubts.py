"""The findings of a run, each cause once, and the trust in its numbers that follows from them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from iolab.findings import GRAVITY, NOT_CHECKED, generator, machine
from iolab.report import numbers
from iolab.report.marked import Answer
from iolab.results.records import Finding, TrialRecord
from iolab.results.run_info import RunInfo

LISTED = 6  # places of a finding; of more, the first are named
NAMED = 2  # places; more are counted
Places = Iterable[tuple[str, Sequence[Finding]]]


class Found(NamedTuple):
    """A finding of a report; a finding that several places share is shown once, with all of them."""

    severity: str
    place: str
    message: str
    remedy: str


class Trust(NamedTuple):
    """How far the numbers of a run can be trusted, and why, in one sentence."""

    level: Literal["good", "limited", "poor"]
    text: str


def of_trials(run: RunInfo, records: Iterable[tuple[str, TrialRecord]], cpus: float) -> list[tuple[str, list[Finding]]]:
    """Return the findings of each trial of (place, record): not valid, and those of load generator and machine."""
    return [(place, of_record(run, record, cpus)) for place, record in records]


def of_record(run: RunInfo, record: TrialRecord, cpus: float, *others: TrialRecord) -> list[Finding]:
    """Return the findings of a trial, and of the machine and load generator during `others` that belong to it."""
    return [*invalid(record), *during(run, (record, *others), cpus)]


def during(run: RunInfo, records: Sequence[TrialRecord], cpus: float) -> list[Finding]:
    """Return the findings of load generator and machine during trials under one CPU limit."""
    return [*generator.during(run, records, cpus), *machine.during(run, records, cpus)]


def invalid(record: TrialRecord) -> list[Finding]:
    """Return a finding if a trial is not valid."""
    if record.valid:
        return []
    message = f"this trial is not valid: {record.reason}"
    return [Finding(id="invalid_trial", severity="error", message=message, remedy="run the experiment again")]


def found(places: Places, every: str) -> list[Found]:
    """Return the findings of (place, findings), the most severe first; each cause once, with all its places.

    Findings with the same id and a value are one cause, shown as the worst of them; without a value, those with
    the same message are. `every` stands for all places, such as "every cell".
    """
    causes: dict[tuple[str, ...], dict[str, Finding]] = {}
    there = list(places)
    for place, findings in there:
        for each in findings:
            message = each.message if each.value is None else ""
            causes.setdefault((each.severity, each.id, each.remedy, message), {}).setdefault(place, each)
    rows = (_cause(by_place, len(there), every) for by_place in causes.values())
    return sorted(rows, key=lambda row: GRAVITY[row.severity])


def _cause(by_place: Mapping[str, Finding], places: int, every: str) -> Found:
    worst = max(by_place.values(), key=lambda each: -math.inf if each.value is None else each.value)
    named = list(by_place)
    if len(named) > LISTED:
        named = [*named[:NAMED], f"and {len(named) - NAMED} more"]
    where = every if len(by_place) == places > 1 else "; ".join(named)
    several = len({each.message for each in by_place.values()}) > 1
    more = f" (the worst of {len(by_place)})" if several else ""
    return Found(worst.severity, where, _marked(worst, lambda message: f"{message}{more}"), worst.remedy)


def _marked(finding: Finding, told: Callable[[str], str]) -> str:
    """Return a text made of a finding's message, marked if that says what theory predicts."""
    text = told(finding.message)
    return text if finding.measured is None else Answer(text, told(finding.measured))


def trust(places: Places, noun: str, *, some_expected: bool = False) -> Trust:
    """Return how far the numbers of some places can be believed; `noun` is one place, such as "cell".

    `some_expected` says that there are further findings, of what the experiment is made to show.
    """
    all_of_them = list(places)
    there = [(place, [each for each in findings if each.severity != "note"]) for place, findings in all_of_them]
    concerned = {place: findings for place, findings in there if findings}
    if not concerned:
        beyond = " beyond what this experiment is made to show" if some_expected else ""
        text = f"No check found a reason to doubt these numbers{beyond}"
        unchecked = next((each for _, found in all_of_them for each in found if each.id == NOT_CHECKED), None)
        return Trust("limited", f"{text}, but {unchecked.message}.") if unchecked else Trust("good", f"{text}.")
    worst = min((each for findings in concerned.values() for each in findings), key=lambda each: GRAVITY[each.severity])
    reasons = len({each.id for findings in concerned.values() for each in findings})
    number = f"{len(concerned)} of {len(there)} {noun}s" if len(there) > 1 else f"The {noun}"
    named = numbers.listed(list(concerned)) if len(concerned) <= NAMED < len(there) else number
    doubted = f"{named} {'is' if len(concerned) == 1 else 'are'} in doubt: "
    more = f"; {numbers.counted(reasons - 1, 'more reason')} in the findings" if reasons > 1 else ""
    text = _marked(worst, lambda message: f"{doubted}{message.partition('. ')[0].rstrip('.')}{more}.")
    return Trust("poor" if worst.severity == "error" else "limited", text)


def condensed(findings: Sequence[Found], most: int) -> list[Found]:
    """Return the findings where there are no more than `most`; else one for each severity and kind of remedy."""
    if len(findings) <= most:
        return list(findings)
    kinds: dict[tuple[str, str], list[Found]] = {}
    for each in findings:
        kinds.setdefault((each.severity, each.remedy.partition(":")[0]), []).append(each)
    return [
        same[0] if len(same) == 1 else same[0]._replace(place=f"{same[0].place}, and {len(same) - 1} more like it")
        for same in kinds.values()
    ]
