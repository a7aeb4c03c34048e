"""What a quiet machine of two cores did during a made-up trial, and what disturbs it."""

from collections.abc import Sequence
from typing import Any

from iolab.results.records import ClientUsage, CoreUsage, MachineUsage, ServerUsage

SERVER, CLIENT = ServerUsage(cpu_s=0.8), ClientUsage(cpu_s=0.2)


def machine(
    span_s: float = 4.0, busy_s: Sequence[float] = (0.8, 0.3), steal_s: Sequence[float] = (0.0, 0.0), **changes: Any
) -> MachineUsage:
    """Return what each core did: the first is the server's, the second the load generator's."""
    slowed = changes.pop("slowed", 0)
    cores = tuple(
        CoreUsage(core=core, busy_s=busy, steal_s=stolen, slowed=slowed if core == 0 else 0)
        for core, (busy, stolen) in enumerate(zip(busy_s, steal_s, strict=True))
    )
    facts = {"cores": 2, "span_s": span_s, "own_s": 0.1, "clock_step_s": 0.0, "slowed": slowed, "by_core": cores}
    totals = {"busy_s": round(sum(busy_s), 6), "steal_s": round(sum(steal_s), 6)}
    return MachineUsage.model_validate({**facts, **totals, **changes})
