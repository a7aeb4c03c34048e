"""What came of a fault, in a sentence and in a table's rows: only what the record has."""

import math
from collections.abc import Sequence

from iolab.kinds.faults.analysis import FaultsAnalysis
from iolab.kinds.faults.records import (
    Broadcast,
    Fault,
    FaultRecord,
    Figures,
    HalfOpen,
    Herd,
    Killed,
    SlowReaders,
    Vanished,
)
from iolab.report import numbers

NAMES: dict[Fault, str] = {
    "baseline": "baseline",
    "broadcast": "broadcast",
    "slow": "slow readers",
    "vanished": "vanished users",
    "half_open": "half-open flood",
    "killed": "server killed",
    "herd": "herd",
}
NOT_KNOWN = "not known here"


def name(fault: Fault) -> str:
    """Return what a fault is called."""
    return NAMES[fault]


def sentence(record: FaultRecord) -> str:
    """Say what came of a fault."""
    if record.figures is None:
        return f"{'left out' if record.valid else 'invalid'}: {record.reason}"
    return _told(record.figures, record.users)


def clicks(record: FaultRecord) -> tuple[str, str, str, str]:
    """Return the clicks' median, 99th percentile, slowest, and how many of how many were never answered."""
    felt = record.clicks
    median, tail, slowest = (
        "never" if each == math.inf else seconds(each) for each in (felt.p50_s, felt.p99_s, felt.slowest_s)
    )
    return (
        median if felt.p50_s is not None or not felt.answered else numbers.TOO_FEW,
        tail if felt.p99_s is not None or not felt.answered else numbers.TOO_FEW,
        slowest,
        f"{felt.sent - felt.answered:,} of {felt.sent:,}",
    )


def heading(analysis: FaultsAnalysis) -> str:
    """Return the title of a report: which server, and how many users."""
    model = analysis.run.models[0]
    crowd = f"{analysis.experiment.crowd.levels[0]:,} users"
    if analysis.records:
        first = analysis.records[0]
        crowd = f"{first.came:,} users by {first.transport}"
    return f"{model.title}, {crowd}: what goes wrong, and what it costs"


def place(analysis: FaultsAnalysis) -> str:
    """Say where and how it was measured."""
    cpus, rate = analysis.experiment.cpus[0], analysis.experiment.faults.click_rps
    where = numbers.PLACES[analysis.run.runtime]
    capped = f" {analysis.records[0].capped}." if analysis.records and analysis.records[0].capped else ""
    return (
        f"{where[:1].upper()}{where[1:]}, {cpus:g} CPU{'' if cpus == 1 else 's'}; {rate:g} clicks a second, whatever"
        f" else happens.{capped}"
    )


def state(analysis: FaultsAnalysis) -> str:
    """Say what a run lacks that is not whole; nothing of a whole one."""
    there = f"{len(analysis.records)} of {len(analysis.records) + analysis.missing} faults are there"
    if analysis.run.status == "complete":
        return f"Only {there}: trials.jsonl is not whole." if analysis.missing else ""
    return {
        "partial": f"It was interrupted: what is here was measured before ({there}).",
        "failed": f"Not all is as it should be{f': {there}' if analysis.missing else ''}.",
        "running": f"Not finished: what follows is all that is on disk so far ({there}).",
    }[analysis.run.status]


def verdict(records: Sequence[FaultRecord]) -> str:
    """Say whether a click that was acknowledged was lost."""
    done = [record.clicks for record in records if record.valid]
    answered = sum(each.answered for each in done)
    lost = sum(each.lost or 0 for each in done)
    unrecorded = [each.unrecorded for each in done if each.unrecorded is not None]
    if lost or any(unrecorded):
        return (
            f"Of {answered:,} clicks that were acknowledged, {lost:,} are missing in the rows on disk, and the server"
            f" had not written down {sum(unrecorded):,}: they are lost."
        )
    if not answered:
        return "No click was acknowledged."
    text = f"All {answered:,} clicks that were acknowledged are in the rows on disk"
    if len(unrecorded) < len(done):
        return f"{text}; what the server wrote down is {NOT_KNOWN} for {len(done) - len(unrecorded)} faults."
    return f"{text}, and the server had written down every one before it answered: none is lost."


def rows(record: FaultRecord) -> list[tuple[str, str]]:
    """Return a fault's figures, each with what it is."""
    figures = record.figures
    if figures is None:
        return []
    found = []
    for key, value in figures.model_dump(exclude={"fault"}).items():
        label = LABELS[figures.fault, key]
        if key.endswith("_s"):
            text = NOT_KNOWN if value is None else seconds(value)
        elif key.endswith("_bytes"):
            text = NOT_KNOWN if value is None else _mebibytes(value)
        else:
            text = NOT_KNOWN if value is None else f"{value:,}"
        found.append((label, text))
    return found


def seconds(value: float | None) -> str:
    """Return a time span with three digits that matter."""
    return numbers.milliseconds(None if value is None else value * 1000)


LABELS = {
    ("broadcast", "messages"): "messages",
    ("broadcast", "reached"): "users whom each reached, at least",
    ("broadcast", "first_s"): "first user has it (median of messages)",
    ("broadcast", "median_s"): "median user",
    ("broadcast", "last_s"): "last user",
    ("broadcast", "slowest_s"): "last user of the slowest message",
    ("slow", "stuck"): "users who stop reading",
    ("slow", "chars"): "characters in a message",
    ("slow", "messages"): "messages",
    ("slow", "cut"): "cut off by the server",
    ("slow", "cut_s"): "time until all of them were",
    ("slow", "before_s"): "last user has it, when all read (median of messages)",
    ("slow", "last_s"): "last of the others has it",
    ("slow", "slowest_s"): "last of the others, slowest message",
    ("slow", "others_lost"): "others who lost their connection",
    ("slow", "rss_growth_bytes"): "server's memory grew by, at most",
    ("slow", "sockets_growth_bytes"): "the machine's TCP buffers grew by, at most",
    ("vanished", "vanished"): "users who vanished",
    ("vanished", "stated_s"): "noticed within, as stated",
    ("vanished", "first_s"): "first is noticed by the server's kernel",
    ("vanished", "noticed_s"): "last is noticed",
    ("vanished", "freed_s"): "the server itself has none of them any more",
    ("vanished", "left"): "still taken for connected at the end",
    ("half_open", "sent"): "connection attempts that stay half open",
    ("half_open", "kept"): "of them the server's kernel keeps, at most",
    ("half_open", "cookies"): "SYN cookies sent",
    ("half_open", "drops"): "connection attempts dropped",
    ("half_open", "newcomers"): "newcomers meanwhile, and as many before",
    ("half_open", "served_before"): "served before",
    ("half_open", "before_median_s"): "median wait before",
    ("half_open", "before_last_s"): "longest wait before",
    ("half_open", "served"): "served meanwhile",
    ("half_open", "median_s"): "median wait meanwhile",
    ("half_open", "last_s"): "longest wait meanwhile",
    ("killed", "know"): "users who know",
    ("killed", "first_s"): "first user knows",
    ("killed", "median_s"): "median user knows",
    ("killed", "last_s"): "last user knows",
    ("herd", "start_s"): "the server starts in",
    ("herd", "came"): "users who come back at once",
    ("herd", "served"): "served again",
    ("herd", "median_s"): "median user is served",
    ("herd", "last_s"): "last user is served",
    ("herd", "tries"): "tries",
    ("herd", "refused"): "refused tries",
    ("herd", "overflows"): "listen queue overflows",
    ("herd", "drops"): "connection attempts dropped",
}


def _told(figures: Figures, users: int) -> str:  # noqa: PLR0911 (a sentence a fault)
    match figures:
        case Broadcast():
            return (
                f"a message to everyone is with the median user after {seconds(figures.median_s)}, with the last of"
                f" {figures.reached:,} after {seconds(figures.last_s)}"
            )
        case SlowReaders():
            cut = NOT_KNOWN if figures.cut is None else f"{figures.cut:,}"
            memory = NOT_KNOWN if figures.rss_growth_bytes is None else _mebibytes(figures.rss_growth_bytes)
            return (
                f"{cut} of {figures.stuck:,} who do not read were cut off within {figures.messages:,} messages; the"
                f" server's memory grew by {memory}; the last of the others waited {seconds(figures.last_s)},"
                f" {seconds(figures.before_s)} before"
            )
        case Vanished():
            noticed = NOT_KNOWN if figures.left is None else f"all noticed after {seconds(figures.noticed_s)}"
            if figures.left:
                noticed = f"{figures.left:,} not noticed"
            return f"{figures.vanished:,} are gone without a word: {noticed}; stated: {seconds(figures.stated_s)}"
        case HalfOpen():
            kept = NOT_KNOWN if figures.kept is None else f"{figures.kept:,} kept"
            return (
                f"{figures.sent:,} half-open attempts ({kept}): {figures.served:,} of {figures.newcomers:,} newcomers"
                f" are served, the median after {seconds(figures.median_s)}, {seconds(figures.before_median_s)} before"
            )
        case Killed():
            return (
                f"{figures.know:,} of {users:,} know it, the median after {seconds(figures.median_s)}, the last after"
                f" {seconds(figures.last_s)}"
            )
        case Herd():
            return (
                f"{figures.served:,} of {figures.came:,} are served again, the median after"
                f" {seconds(figures.median_s)}, the last after {seconds(figures.last_s)}; {figures.tries:,} tries,"
                f" {figures.refused:,} refused"
            )
        case _:
            return f"{users:,} users, and nothing happens"


def _mebibytes(value: int) -> str:
    return f"{value / 2**20:.1f} MiB"
