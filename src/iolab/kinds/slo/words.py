"""The sentences of a search for the highest rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from iolab.kind import Line
from iolab.kinds.slo.judgement import decided
from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.search import Bracket
from iolab.kinds.slo.steps import TriedRate
from iolab.report import numbers
from iolab.report.marked import Answer
from iolab.report.numbers import slow_rate

if TYPE_CHECKING:
    from iolab.kinds.slo.analysis import Found

VERDICTS = {
    None: "not decided yet",
    "holds": "holds",
    "fails": "fails",
    "undecided": "undecided",
    "client": "not known: the load generator ended",
    "disturbed": "not known: disturbed",
}


def line(record: SloRecord) -> Line:
    """Return what the terminal shows of a trial: rate, the value that decides, its interval, the verdict."""
    busy = "" if record.utilisation is None else f"  util. {numbers.utilisation(record.utilisation)}"
    place = f"{record.model} {slow_rate(record.rate_rps):>8}{busy}"
    if not record.valid:
        return Line(f"{place} invalid: {record.reason}", "red")
    place += f"   {record.counted:,} responses   {known(record)}"
    if record.disturbance:
        return Line(f"{place}   does not count: {record.disturbance}", "yellow")
    objective = Objective.parse(record.objective)
    verdict = decided(record, objective.limit_s, record.unanswered)
    return Line(f"{place}   {objective.text} {VERDICTS[verdict]}")


def known(record: SloRecord | None) -> str:
    """Return the value that an objective bounds with its interval: p99 81.2 ms (76.0 ms to 95.1 ms)."""
    if record is None or record.value_s is None:
        return "not known"
    name = Objective.parse(record.objective).name
    if record.bounded_s is None:
        return f"{name} not known: {numbers.TOO_FEW} responses ({record.counted:,})"
    return f"{name} {numbers.latency(record.value_s)} ({interval(record)})"


def interval(record: SloRecord) -> str:
    """Return an interval in words; an end that is not known is left out."""
    low, high = (numbers.latency(each) for each in (record.low_s, record.high_s))
    if record.low_s is None:
        return "interval not known" if record.high_s is None else f"at most {high}"
    return f"at least {low}" if record.high_s is None else f"{low} to {high}"


def verdict(found: "Found") -> str:
    """Return between which rates the objective breaks, in few words, and whether the search did not end."""
    known = _known(found.bracket)
    if not found.reason:
        return known or "not known"
    return f"{known} so far (the search did not end)" if known else "not known (the search did not end)"


def _known(bracket: Bracket) -> str:
    holds, fails = bracket.holds_rps, bracket.fails_rps
    if holds and fails:
        return f"between {slow_rate(holds)} and {slow_rate(fails)}"
    if holds:
        return f"at least {slow_rate(holds)}"
    return f"below {slow_rate(fails)}" if fails else ""


def sentences(found: "Found", objective: Objective) -> str:
    """Say between which rates the objective breaks, what stopped the search, and what theory expects."""
    measured = " ".join([*_ends(found, objective), *_between(found, objective), *_ended(found)])
    if found.theory_rps is None:
        return measured
    return Answer(f"{measured} {_theory(found)}", measured)


def _ends(found: "Found", objective: Objective) -> list[str]:
    best, broken = found.best, found.broken
    texts = []
    if best:
        texts.append(f"{found.letter} meets {objective.text} at {slow_rate(best.rate_rps)}{_value(best)}.")
    else:
        texts.append(f"No rate is known at which {found.letter} meets {objective.text}.")
    if broken:
        texts.append(f"At {slow_rate(broken.rate_rps)} it does not{_value(broken)}.")
    return texts


def _value(tried: TriedRate) -> str:
    record = tried.last
    if record is None:
        return ""
    if record.unanswered:
        return f": {numbers.counted(record.unanswered, 'request')} got no answer 200"
    busy = "" if record.utilisation is None else f"{numbers.utilisation(record.utilisation)} utilisation, "
    return f" ({busy}{known(record)})"


def _between(found: "Found", objective: Objective) -> list[str]:
    """Say which rates between the two are not decided, and why."""
    texts = []
    undecided = _rates(found, "undecided")
    if undecided:
        texts.append(
            f"At {numbers.listed(undecided)} the interval of the {objective.name} has the limit in it: a longer time at"
            " each rate (DURATION) decides more."
        )
    disturbed = _rates(found, "disturbed")
    if disturbed:
        texts.append(f"At {numbers.listed(disturbed)} every trial was disturbed, as the findings say: run it again.")
    if found.bracket.client_rps:
        texts.append(
            f"At {slow_rate(found.bracket.client_rps)} the load generator ended, not the server: {found.limit}."
        )
    return texts


def _rates(found: "Found", verdict: str) -> Sequence[str]:
    return [
        slow_rate(each.rate_rps)
        for each in sorted(found.tried, key=lambda each: each.rate_rps)
        if each.verdict == verdict and each.rate_rps in found.bracket.open_rps
    ]


def _ended(found: "Found") -> list[str]:
    if found.reason:
        return [f"The search for {found.letter} did not end: {found.reason}."]
    best = found.best
    if best and not found.bracket.fails_rps and not found.bracket.client_rps and not found.bracket.open_rps:
        if best.rate_rps >= found.highest_rps:
            most = "of which a run holds all requests" if found.is_full else "that the load generator sends in time"
            return [f"{slow_rate(best.rate_rps)} is the most {most}."]
        return ["That is the highest rate that was tried."]
    return []


def _theory(found: "Found") -> str:
    """Return theory's rate, and where it lies if an end of the bracket is known."""
    theory_rps, (holds, fails) = found.theory_rps or 0.0, (found.bracket.holds_rps, found.bracket.fails_rps)
    if not holds and not fails:
        return f"Theory says {slow_rate(theory_rps)}."
    if holds and theory_rps < holds:
        where = "below the bracket: this server does better than the theory"
    elif fails and theory_rps > fails:
        where = "above the bracket: this server does worse than the theory"
    else:
        where = "in the bracket"
    return f"Theory says {slow_rate(theory_rps)}, which is {where}."
