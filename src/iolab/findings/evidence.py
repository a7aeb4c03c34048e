"""What findings look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from iolab.results.records import ClosedRecord, CpuPlanInfo, ServerUsage, TrialRecord
from iolab.theory.littles_law import Population
from iolab.theory.statistics import Array


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What findings of the machine look at: trials of any kind, what their servers used, and where they ran."""

    trials: Sequence[TrialRecord]
    plan: CpuPlanInfo
    usage: ServerUsage
    duration_s: float
    runtime: str
    are_repeats: bool = False  # else its trials are single, and a message names none

    def during(self, repeat: int) -> str:
        """Return " during repeat 2", or nothing where there are no repeats."""
        return f" during repeat {repeat + 1}" if self.are_repeats else ""


@dataclass(frozen=True, kw_only=True)
class Evidence(Conditions):
    """All that findings of a closed loop look at: the trials of one cell, and what was worked out of them."""

    trials: Sequence[ClosedRecord]
    median_s: float | None
    slowest_s: float | None
    backlog: int | None
    populations: Sequence[tuple[int, Population]] = ()  # (repeat, how many requests were under way in it)
    medians_s: Sequence[tuple[int, float]] = ()  # (repeat, its median)
    spans_s: Sequence[float] = ()
    latencies_s: Array = field(default_factory=lambda: np.empty(0))
    expected_s: float | None = None  # the mean latency by theory, where the service time is constant
    client_cpu_s: float | None = None
    rate_rps: float | None = None  # answered requests a second
    are_repeats: bool = True


def listed(repeats: Sequence[int]) -> str:
    """Return "repeats 1, 3"."""
    numbers = ", ".join(str(repeat + 1) for repeat in repeats)
    return f"repeat{'s' if len(repeats) > 1 else ''} {numbers}"


def cores(number: int) -> str:
    """Return "core" or "2 cores"."""
    return "core" if number == 1 else f"{number} cores"
