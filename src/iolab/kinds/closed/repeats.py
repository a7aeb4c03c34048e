"""Findings about repeats: whether they agree."""

import statistics
from collections.abc import Iterator

from iolab.kinds.closed.evidence import Evidence
from iolab.results.records import Finding

DISAGREE = 0.10  # of the lowest median
APART = 1 / 3  # without the odd one, the others lie within so much of what they all did


def repeats_disagree(evidence: Evidence) -> Iterator[Finding]:
    """Medians of repeats lie further apart than on one machine in one state."""
    medians = sorted(evidence.medians_s, key=lambda each: each[1])
    if len(medians) < 3 or medians[-1][1] <= (1 + DISAGREE) * medians[0][1]:
        return
    low_ms, high_ms = medians[0][1] * 1000, medians[-1][1] * 1000
    for odd, others in ((medians[-1], medians[:-1]), (medians[0], medians[1:])):
        if others[-1][1] - others[0][1] > APART * (medians[-1][1] - medians[0][1]):
            continue
        usual_ms = statistics.median(median for _, median in others) * 1000
        which = "the first repeat" if odd[0] == 0 else f"repeat {odd[0] + 1}"
        first = odd[0] == 0
        yield Finding(
            id="first_run" if first else "outlier_repeat",
            severity="warning",
            message=f"{which} differs from the others: its median is {odd[1] * 1000:.1f} ms, theirs {usual_ms:.1f} ms",
            remedy=_remedy(first=first, random=evidence.random_service),
            value=abs(odd[1] * 1000 / usual_ms - 1),
        )
        return
    yield Finding(
        id="repeats_disagree",
        severity="warning",
        message=f"repeats disagree: their medians lie between {low_ms:.1f} and {high_ms:.1f} ms",
        remedy="longer trials (REQUESTS), more of them (REPEATS), or PRECISION=3%; make doctor shows what may disturb",
        value=high_ms / low_ms - 1,
    )


def _remedy(*, first: bool, random: bool) -> str:
    if random:
        return "service times are random, so repeats differ by chance, too: longer trials (REQUESTS) differ less"
    if first:
        return "caches or clock frequency may have been cold in the first repeat: run the benchmark again"
    return "something may have disturbed it: more repeats (REPEATS) show whether that happens again"
