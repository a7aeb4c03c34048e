"""The settings of the search for the highest rate."""

from typing import Annotated, Literal

from iolab.experiment import OneLimit, Seed, ServedExperiment
from iolab.kinds.slo.plan import Objective
from iolab.loadgen.workers import ALONE, Senders
from iolab.options import Option


class SloExperiment(ServedExperiment):
    """The objective for every model, such as p99<100ms."""

    kind: Literal["slo"]
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    objective: Annotated[str, Option("The objective: p50, p95, p99 or mean below a time in ms or s.", "SLO")] = (
        "p99<100ms"
    )
    load: Senders = ALONE

    @property
    def host(self) -> str | None:
        """The address by which other machines reach the servers; None if they need not. Raises UsageError."""
        return self.load.address

    @property
    def wanted(self) -> Objective:
        """The parsed objective; raises UsageError if it cannot be read."""
        return Objective.parse(self.objective)
