"""The data that findings are derived from."""

from collections.abc import Sequence
from dataclasses import dataclass

from iolab.results.records import ServerUsage, TrialRecord
from iolab.results.run_info import CpuPlanInfo


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The data for findings of the machine: trials of any kind, their servers' use of resources, and their cores."""

    trials: Sequence[TrialRecord]
    plan: CpuPlanInfo
    usage: ServerUsage
    duration_s: float
    runtime: str
    are_repeats: bool = False  # else messages name no repeat

    def during(self, repeat: int) -> str:
        """Return " during repeat 2", or "" if there are no repeats."""
        return f" during repeat {repeat + 1}" if self.are_repeats else ""


def listed(repeats: Sequence[int]) -> str:
    """Return "repeats 1, 3"."""
    numbers = ", ".join(str(repeat + 1) for repeat in repeats)
    return f"repeat{'s' if len(repeats) > 1 else ''} {numbers}"


def cores(number: int) -> str:
    """Return "core" or "2 cores"."""
    return "core" if number == 1 else f"{number} cores"
