"""The search for the highest rate of arrivals at which an objective holds: which rate is tried next, and the bracket.

It knows the verdict of each rate that was tried, and nothing else. Pure functions; rates are arrivals a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# "client": the load generator ended there; "disturbed": each trial at this rate was disturbed.
Verdict = Literal["holds", "fails", "undecided", "client", "disturbed"]

STRIDE = 1.5  # between rates, as long as one side of the bracket is not known
MOST_STEPS = 12  # rates for each model
MOST_DISTURBED = 2  # rates: then the machine is disturbed all the time
LOWEST = 0.02  # of the first rate: lower rates take hours
NEAREST = 0.98  # of what the workers can serve: beyond it, a queue changes too slowly to be measured
DIGITS = 6  # of a rate after the point, as records have it: a rate that is read again is the same number


@dataclass(frozen=True)
class Step:
    """A rate that was tried, and what is known of the objective there."""

    rate_rps: float
    verdict: Verdict


@dataclass(frozen=True)
class Range:
    """The first rate, the highest that can be sent, and what the workers can serve (infinite for any number)."""

    first_rps: float
    highest_rps: float
    capacity_rps: float

    @property
    def top_rps(self) -> float:
        """The highest rate that is tried."""
        return round(min(self.highest_rps, NEAREST * self.capacity_rps), DIGITS)

    def higher(self, rate_rps: float) -> float | None:
        """Return the next rate above one at which the objective does not fail; None at the top.

        With a queue it is halfway to what the workers can serve.
        """
        if rate_rps >= self.top_rps:
            return None
        halfway = (rate_rps + self.capacity_rps) / 2
        return min(self.top_rps, STRIDE * rate_rps, halfway)

    def lower(self, rate_rps: float) -> float | None:
        """Return the next rate below one at which the objective does not hold; None at the lowest."""
        found = rate_rps / STRIDE
        return found if found >= LOWEST * self.first_rps else None


@dataclass(frozen=True)
class Bracket:
    """Between which rates the objective breaks: the highest at which it holds, the lowest at which it fails.

    Each is None if no rate is known. A rate that failed counts against those above it. `open_rps` are the rates
    between them that were tried and not decided; `client_rps` is the lowest at which the load generator ended.
    """

    holds_rps: float | None
    fails_rps: float | None
    open_rps: tuple[float, ...] = ()
    client_rps: float | None = None


def bracket(steps: Sequence[Step]) -> Bracket:
    """Return what the steps say."""
    fails = min((step.rate_rps for step in steps if step.verdict == "fails"), default=None)
    below = [step for step in steps if fails is None or step.rate_rps < fails]
    holds = max((step.rate_rps for step in below if step.verdict == "holds"), default=None)
    between = [step for step in below if holds is None or step.rate_rps > holds]
    client = min((step.rate_rps for step in between if step.verdict == "client"), default=None)
    return Bracket(holds, fails, tuple(sorted(step.rate_rps for step in between)), client)


def next_rate(steps: Sequence[Step], limits: Range, within: float) -> float | None:
    """Return the rate to try after these, of DIGITS; None if the search has ended.

    A bracket, and the gaps on both sides of rates that could not be decided, are halved on a logarithmic scale until
    the ends of each are `within` that share of each other.
    """
    if not steps:
        return round(min(limits.first_rps, limits.top_rps), DIGITS)
    lost = [step.rate_rps for step in steps if step.verdict == "disturbed"]
    if len(steps) >= MOST_STEPS or len(lost) >= MOST_DISTURBED:
        return None
    found = bracket(steps)
    low = found.holds_rps
    # Above a rate that could not be measured, there is nothing to find.
    ends = [found.client_rps, *(rate for rate in lost if rate in found.open_rps)] if found.fails_rps is None else []
    high = min((rate for rate in ends if rate is not None), default=found.fails_rps)
    between = [rate for rate in found.open_rps if high is None or rate < high]
    lower_end = between[0] if between else high  # does not hold, as far as is known
    upper_end = between[-1] if between else low  # does not fail, as far as is known
    wanted: list[tuple[float, float | None]] = []
    if lower_end is not None:
        wanted.append((STRIDE, limits.lower(lower_end)) if low is None else _between(low, lower_end, within))
    if upper_end is not None:
        wanted.append((STRIDE, limits.higher(upper_end)) if high is None else _between(upper_end, high, within))
    _, rate_rps = max(
        ((each, rate) for each, rate in wanted if rate is not None),
        key=lambda each: (each[0], -each[1]),
        default=(0.0, None),
    )
    return None if rate_rps is None else round(rate_rps, DIGITS)


def _between(low: float, high: float, within: float) -> tuple[float, float | None]:
    """Return how wide a gap between two rates is, and the rate that divides it; None if it is narrow enough."""
    return high / low, (low * high) ** 0.5 if high / low > 1 + within else None
