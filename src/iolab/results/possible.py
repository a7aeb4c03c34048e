"""Values that cannot be: such a value is not known, and no report may make a headline of it.

The one place that decides it, for the records of every kind. A name says what a value is (its unit stands in it), so
the bounds hold for fields of a new kind, too; which counts are parts of others, a record's class says (`parts`).
"""

import math
from typing import Any, NamedTuple, TypeVar, get_args

from iolab.results.records import ClientUsage, CoreUsage, MachineUsage, Record, ServerUsage, TrialRecord
from iolab.results.run_info import RunInfo

R = TypeVar("R", bound=TrialRecord)
S = TypeVar("S", bound=Record)

MOST_THREADS = 4 * 2**20  # of a machine: PID_MAX_LIMIT, include/linux/threads.h
LONGEST_S = 1e8  # three years: no run is that long
SPARE_SHARE, SPARE_S = 0.1, 0.1  # two readings of the kernel are not of the same moment
SIGNED = ("clock_step_s", "growth_bytes")  # the ends of names of what can be negative
SOME = ("rss_bytes", "rss_peak_bytes", "virtual_bytes", "slab_bytes", "stacks_bytes", "tables_bytes", "ceiling_rps")
OF_THE_TIME = ("cpu_s", "busy_s", "steal_s", "own_s", "throttled_s")
OF_THE_TRIAL = (ServerUsage, ClientUsage, MachineUsage, CoreUsage)  # their times are of the trial alone


class Bounds(NamedTuple):
    """What limits a trial: its duration, the machine's cores and memory; None: not known."""

    span_s: float
    cores: int | None
    memory_bytes: int | None

    @classmethod
    def of(cls, record: TrialRecord, run: RunInfo) -> "Bounds":
        """Return those of a trial of a run."""
        memory, cores = run.environment.get("memory_bytes"), run.environment.get("cores")
        return cls(
            max(record.duration_s, record.machine.span_s or 0.0),
            record.machine.cores or (cores if isinstance(cores, int) else None),
            memory if isinstance(memory, int) else None,
        )

    def most(self, name: str, record: Record) -> float:
        """Return the most that a field of a record can be."""
        if name.endswith("_bytes") and "virtual" not in name:
            return self.memory_bytes or math.inf
        if "threads" in name:
            return MOST_THREADS
        if name.endswith("_share"):
            return 1 + SPARE_SHARE
        if name.endswith(OF_THE_TIME) and isinstance(record, OF_THE_TRIAL) and self.cores:
            return (1 if isinstance(record, CoreUsage) else self.cores) * (self.span_s * (1 + SPARE_SHARE) + SPARE_S)
        if name.endswith(("_s", "_ms")):
            return LONGEST_S * (1 if name.endswith("_s") else 1000)
        return math.inf


def within(value: float | None, least: float, most: float | None = None) -> float | None:
    """Return a value, or None if it is below `least` or above `most`."""
    return None if value is None or value < least or (most is not None and value > most) else value


def possible(record: R, run: RunInfo) -> R:
    """Return a trial's record without values that cannot be; where one cannot be missing, the trial is not valid."""
    wrong: list[str] = []
    found = _possible(record, Bounds.of(record, run), record, wrong)
    if not wrong:
        return found
    return found.model_copy(update={"valid": False, "reason": found.reason or f"impossible values: {'; '.join(wrong)}"})


def _possible(record: S, bounds: Bounds, trial: TrialRecord, wrong: list[str]) -> S:
    changes: dict[str, Any] = {}
    for name, value in record:
        if isinstance(value, Record):
            inner = _possible(value, bounds, trial, wrong)
            if inner is not value:
                changes[name] = inner
        elif isinstance(value, tuple) and value and isinstance(value[0], CoreUsage):
            if any(_why(each, key, one, bounds, trial) for each in value for key, one in each):
                changes[name] = None
        elif why := _why(record, name, value, bounds, trial):
            if type(None) in get_args(type(record).model_fields[name].annotation):
                changes[name] = None
            else:
                wrong.append(why)
    return record.model_copy(update=changes) if changes else record


def _why(record: Record, name: str, value: object, bounds: Bounds, trial: TrialRecord) -> str:
    """Return why a field of a record cannot have a value; "" if it can."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if name in record.parts:
        whole = getattr(record, record.parts[name], None)
        whole = getattr(trial, record.parts[name], None) if whole is None else whole
        if whole is not None and value > whole:
            return f"{name.replace('_', ' ')} are {value:,} of {whole:,} {record.parts[name].replace('_', ' ')}"
    if name.endswith(SIGNED):
        return ""
    least = 1 if name in SOME or "threads" in name else 0
    if least <= value and (value == math.inf or value <= bounds.most(name, record)):
        return ""
    return f"{name.replace('_', ' ')} is {value:g}"
