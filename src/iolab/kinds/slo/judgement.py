"""What the response times at one rate say of an objective: a value, its interval, and a verdict. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from iolab.kinds.slo.objective import Objective
from iolab.kinds.slo.search import Verdict
from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import Array


@dataclass(frozen=True)
class Judgement:
    """A value and its interval in seconds, None where they are not known; see SloRecord."""

    value_s: float | None
    low_s: float | None
    high_s: float | None
    counted: int
    independent: int
    open: bool


class Judged(Protocol):
    """What a verdict follows from: a record, or a Judgement of requests that were all answered."""

    @property
    def low_s(self) -> float | None:
        """The lower end of the interval."""

    @property
    def high_s(self) -> float | None:
        """The upper end of the interval."""

    @property
    def open(self) -> bool:
        """Whether more requests are likely to decide."""


def judge(objective: Objective, planned: Sequence[Array], sent: Sequence[Array], times: float) -> Judgement:
    """Return what the response times of each trial at a rate say, counted from planned and from actual sending.

    The lower end is of those from actual sending, so that what the load generator was late cannot break the objective;
    the upper end is of those from planned sending, so that it cannot be hidden. `times` as much can be measured at this
    rate altogether, 1: there is no more to come.
    """
    known, from_sending = objective.known(planned, CONFIDENCE), objective.known(sent, CONFIDENCE)
    hoped = objective.known(planned, CONFIDENCE, times)
    return Judgement(
        value_s=known.value if known else None,
        low_s=from_sending.low if from_sending else None,
        high_s=known.high if known else None,
        counted=sum(map(len, planned)),
        independent=known.independent if known else 0,
        open=times > 1 and (hoped is None or side(hoped.low, hoped.high, objective.limit_s) is not None),
    )


def side(low_s: float | None, high_s: float | None, limit_s: float) -> Verdict | None:
    """Return on which side of a limit an interval lies; None if the limit is in it."""
    if low_s is not None and low_s >= limit_s:
        return "fails"
    return "holds" if high_s is not None and high_s < limit_s else None


def decided(known: Judged, limit_s: float, unanswered: int = 0) -> Verdict | None:
    """Return the verdict of a rate; None if more requests are to decide. One without an answer breaks an objective."""
    found: Verdict | None = "fails" if unanswered else side(known.low_s, known.high_s, limit_s)
    return found or (None if known.open else "undecided")
