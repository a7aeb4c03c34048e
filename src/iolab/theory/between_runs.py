"""Differences between settings, judged by whole runs: a run's figure is one observation, on a logarithmic scale.

An interval made of the repeats of one run speaks of that run. What differs from run to run, such as the placement of a
process or the state of caches, is the same for all repeats of a run, and only several runs show it.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from iolab.theory.enough import CONFIDENCE
from iolab.theory.statistics import t_quantile, welch


@dataclass(frozen=True)
class Within:
    """The standard error of the logarithm of one run's figure, from the run's repeats, and its degrees of freedom."""

    log_error: float
    freedom: float


@dataclass(frozen=True)
class Difference:
    """The logarithm of a ratio, its standard error (above 0) and that error's degrees of freedom.

    `steps` is how far the logarithm may be off because the values are told in steps; `noise` is the logarithm of the
    ratio up to which runs of the same settings are taken to differ, where that was not measured.
    """

    log_ratio: float
    error: float
    freedom: float
    steps: float = 0.0
    noise: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the ratio; it has the steps, but not the noise, in it."""
        spread = self.steps + t_quantile(self.freedom, (1 + CONFIDENCE) / 2) * self.error
        return math.exp(self.log_ratio - spread), math.exp(self.log_ratio + spread)

    @property
    def p(self) -> float:
        """The p value of "the true ratio is 1, give or take the steps and the noise", two-sided.

        It is below 5% if the 95% interval ends beyond the noise.
        """
        beyond = abs(self.log_ratio) - self.steps - self.noise
        return min(1.0, 2 * _above(beyond / self.error, self.freedom))

    def smallest(self, comparisons: int = 1) -> float:
        """Return the ratio above 1 from which on this error would have shown a difference, one of `comparisons`.

        It is that of the first step of Holm's procedure, so it is enough whatever the other comparisons show.
        """
        probability = 1 - (1 - CONFIDENCE) / 2 / comparisons
        return math.exp(self.steps + self.noise + t_quantile(self.freedom, probability) * self.error)


def between(first: Sequence[float], second: Sequence[float], resolution: float = 0.0) -> Difference | None:
    """Return the difference of two settings, second / first, from the figure (above 0) of each of their runs.

    `resolution` is the distance of the values that can be measured, in their unit: no spread is taken to be smaller
    than that of rounding (Sheppard, 1898). A setting with a single run is taken to vary as the other one does
    (Crawford, Howell, Comparing an individual's test score against norms derived from small samples, 1998). None if
    both have a single run, or if no spread is known.

    Source: Welch, The generalization of Student's problem when several different population variances are involved
    (1947).
    """
    sides = (first, second)
    logs = [[math.log(value) for value in side] for side in sides]
    known = [
        max(statistics.variance(side), _rounding(resolution, values)) if len(side) > 1 else None
        for side, values in zip(logs, sides, strict=True)
    ]
    log_ratio, steps = statistics.fmean(logs[1]) - statistics.fmean(logs[0]), _steps(first, second, resolution)
    if None not in known:
        parts = [((variance or 0.0) / len(side), len(side) - 1.0) for variance, side in zip(known, logs, strict=True)]
        return _difference(log_ratio, parts, steps)
    lone = [variance for variance in known if variance is not None]
    if not lone or not lone[0]:
        return None
    freedom = max(map(len, logs)) - 1.0
    return Difference(log_ratio, math.sqrt(lone[0] * sum(1 / len(side) for side in logs)), freedom, steps)


def of_two_runs(
    values: tuple[float, float], errors: tuple[Within, Within], noise: float, resolution: float = 0.0
) -> Difference | None:
    """Return the difference of two runs, second / first, by the errors within each of them.

    `noise` is the share by which runs of the same settings are taken to differ at most, such as 0.03. None if neither
    run has a spread.
    """
    first, second = values
    parts = [
        (max(each.log_error**2, _rounding(resolution, [value]) / (each.freedom + 1)), each.freedom)
        for value, each in zip(values, errors, strict=True)
    ]
    steps = _steps([first], [second], resolution)
    return _difference(math.log(second / first), parts, steps, math.log1p(noise))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return the p values of several comparisons, adjusted so that all of them together keep the error rate.

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    adjusted, largest = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=lambda each: probabilities[each])):
        largest = max(largest, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        adjusted[place] = largest
    return adjusted


def _difference(
    log_ratio: float, parts: Sequence[tuple[float, float]], steps: float, noise: float = 0.0
) -> Difference | None:
    """Return the difference with errors of (variance, degrees of freedom), which add as Welch says."""
    if all(variance <= 0 for variance, _ in parts):
        return None
    variance, freedom = welch(parts)
    return Difference(log_ratio, math.sqrt(variance), freedom, steps, noise)


def _rounding(resolution: float, values: Sequence[float]) -> float:
    """Return the variance of a logarithm that rounding alone makes: that of an equal distribution over one step."""
    return (resolution / statistics.fmean(values)) ** 2 / 12


def _steps(first: Sequence[float], second: Sequence[float], resolution: float) -> float:
    """Return how far the logarithm of the ratio may be off if each value may be half a step off."""
    return resolution / 2 * sum(1 / statistics.fmean(side) for side in (first, second))


def _above(t: float, freedom: float) -> float:
    """Return the probability that Student's t is above a value."""
    from scipy.special import stdtr  # noqa: PLC0415 (a third of a second: too long for `iolab up`)

    return float(stdtr(freedom, -t))
