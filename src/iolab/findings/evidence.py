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


def core_count(number: int) -> str:
    """Return "1 core" or "2 cores"."""
    return "1 core" if number == 1 else f"{number} cores"


def cpus(number: float) -> str:
    """Return "0.5 CPU", "1 CPU" or "1.5 CPUs"."""
    return f"{number:g} CPU{'s' if number > 1 else ''}"


def of_all(seconds: float, number: int | None) -> str:
    """Return "0.52 s", or "0.52 s, summed over 4 cores,": such a time can be longer than the trial; None: not known."""
    summed = "" if number == 1 else f", summed over {core_count(number) if number else 'its cores'},"
    return f"{seconds:.2f} s{summed}"
