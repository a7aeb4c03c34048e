"""Findings of a search: invalid trials, machine and load generator, disturbed trials, a search that did not end."""

from collections.abc import Iterator

from iolab.kinds.slo.analysis import Found, SloAnalysis
from iolab.report import doubts, numbers
from iolab.report.numbers import slow_rate
from iolab.results.records import Finding


def of_server(analysis: SloAnalysis, found: Found) -> list[Finding]:
    """Return the findings of one server's search; those of the machine are of the trials that count, if any does."""
    own = [record for record in analysis.records if record.model == found.letter]
    invalid = [
        finding.model_copy(update={"message": f"{record.model} at {slow_rate(record.rate_rps)}: {finding.message}"})
        for record in own
        for finding in doubts.invalid(record)
    ]
    counted = [record for tried in found.tried for record in tried.good]
    during = doubts.during(analysis.run, counted or own, own[0].cpus)
    return [*invalid, *during, *_disturbed(found), *([] if invalid else _not_ended(found))]


def _not_ended(found: Found) -> Iterator[Finding]:
    if found.reason:
        yield Finding(
            id="search_not_ended",
            severity="warning",
            message="the search did not end, so the objective may break far from these rates",
            remedy="make slo RESUME= with this folder measures the rest",
        )


def _disturbed(found: Found) -> Iterator[Finding]:
    """Yield what disturbed trials did: a note where they were measured again, a warning where a rate is not known."""
    number = sum(len(each.disturbed) for each in found.tried)
    lost = [each for each in found.tried if each.verdict == "disturbed"]
    worst = next((each.disturbance for each in [*lost, *found.tried] if each.disturbance), None)
    if worst is None:
        return
    where = f"; {numbers.listed([slow_rate(each.rate_rps) for each in lost])} could not be decided" if lost else ""
    yield Finding(
        id="disturbed_trials",
        severity="warning" if lost else "note",
        message=f"{numbers.counted(number, 'trial')} did not count{where}: {worst.message}",
        remedy=worst.remedy if lost else "nothing to do: no verdict depends on them",
        value=number,
    )
