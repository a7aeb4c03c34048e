"""How many requests were under way: Little's law as a check of a closed loop. Pure functions; times in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iolab.results.samples import Sample

TOLERANCE = 0.05  # of the users
RESOLUTION_S = 0.00015  # hey prints times to 0.1 ms: an answer may appear to be later than the request that follows it


@dataclass(frozen=True)
class Population:
    """The mean number of requests under way, `mean` = throughput x mean response time, and when users were missing.

    `start`, `middle` and `end` are users missing on average over the whole trial, and `users` = `mean` + all three:
    before the first time at which all had a request under way, after the last such time (users that have sent their
    share end, while others still wait), and between the two (between an answer and the next request, or a request that
    failed and has no response time).
    """

    users: int
    mean: float
    start: float
    middle: float
    end: float

    @property
    def holds(self) -> bool:
        """Whether Little's law finds the planned number of users, within 5%."""
        return abs(self.users - self.mean) <= TOLERANCE * self.users


def population(samples: Sequence[Sample], users: int) -> Population | None:
    """Return the population of a closed loop of `users` users, or None if no request has both its times.

    The number of requests under way, averaged over the span from the first request to the last answer, is the sum of
    all response times divided by that span: throughput x mean response time, without any assumption.
    Source: Little, A Proof for the Queuing Formula L = λW (1961); for finite spans that begin and end empty:
    Little, Graves, Little's Law (2008), section 5.3.
    """
    timed = [(start, start + latency) for start, latency, _ in samples if start is not None and latency is not None]
    if not timed:
        return None
    begins, ends = (np.sort(np.array(times)) for times in zip(*timed, strict=True))
    span_s = ends[-1] - begins[0]
    if span_s <= 0:
        return None
    times = np.concatenate([begins, ends])
    steps = np.concatenate([np.ones(len(begins)), -np.ones(len(ends))])
    order = np.lexsort((steps, times))  # at the same time, answers are before the requests that follow them
    times, under_way = times[order], np.cumsum(steps[order])
    missing_s = (users - under_way[:-1]) * np.diff(times)
    lasting = under_way[:-1][np.diff(times) > RESOLUTION_S]
    most = min(users, lasting.max(initial=0))
    full = np.flatnonzero((under_way[:-1] >= most) & (np.diff(times) > RESOLUTION_S))
    first, last = (int(full[0]), int(full[-1]) + 1) if len(full) else (0, len(times))
    return Population(
        users=users,
        mean=float((ends - begins).sum() / span_s),
        start=float(missing_s[:first].sum() / span_s),
        middle=float(missing_s[first:last].sum() / span_s),
        end=float(missing_s[last:].sum() / span_s),
    )


def span_s(samples: Sequence[Sample]) -> float:
    """Return the time from the first request to the last answer."""
    timed = [(start, start + latency) for start, latency, _ in samples if start is not None and latency is not None]
    return max(end for _, end in timed) - min(start for start, _ in timed) if timed else 0.0


@dataclass(frozen=True)
class Steady:
    """The time of a closed loop in which every user has a request under way, from `begin_s` to `end_s`.

    Times are in seconds after the first request; `answered` is the number of answers in that time.
    """

    begin_s: float
    end_s: float
    answered: int

    @property
    def throughput_rps(self) -> float:
        """Answers per second while every user has a request under way."""
        return self.answered / (self.end_s - self.begin_s)


def steady(samples: Sequence[Sample], users: int) -> Steady | None:
    """Return the steady window of a closed loop of `users` users; None if it contains fewer answers than users.

    It begins with the answer number `users`, so that the common start of all users is not in it. It ends with the last
    answer before the number of requests under way falls below `users` and stays there: a user has sent its share, and
    what follows is the ramp-down, in which the server idles for lack of requests. Both ends are answers, and
    those at the beginning are not counted, so that a server that answers in bursts is not measured too fast.
    """
    timed = [(start, start + latency) for start, latency, _ in samples if start is not None and latency is not None]
    if len(timed) <= users:
        return None
    begins, ends = (np.sort(np.array(times)) for times in zip(*timed, strict=True))
    under_way = np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins + RESOLUTION_S, side="right")
    full = np.flatnonzero(under_way >= users)
    if not len(full):
        return None
    begin_s = float(ends[users - 1])
    last = int(np.searchsorted(ends, begins[full[-1]] + RESOLUTION_S, side="right")) - 1
    answered = last + 1 - int(np.searchsorted(ends, begin_s + RESOLUTION_S, side="right"))
    if answered < users or ends[last] <= begin_s:
        return None
    return Steady(begin_s - float(begins[0]), float(ends[last] - begins[0]), answered)
