"""The settings of the search for the highest rate."""

from typing import Annotated, Literal

from pydantic import Field

from iolab.experiment import OneLimit, Seed, ServedExperiment, Settings
from iolab.kinds.slo.objective import Objective
from iolab.loadgen.workers import ALONE, Senders
from iolab.options import Option

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Search(Settings):
    """How long a rate is measured: for `least_s` at first, and for `most_s` together if that does not decide.

    At most `lead_s` before are not counted: a trial begins with an empty queue, which makes its first responses fast.
    Rates that are `within` that share of each other are not told apart.
    """

    least_s: Seconds = 10.0
    most_s: Annotated[
        Seconds,
        Option("Longest time to measure one rate; what is not decided then is undecided.", "--duration"),
    ] = 120.0
    lead_s: Seconds = 30.0
    within: Annotated[float, Field(ge=0.01, le=1.0)] = 0.15


class SloExperiment(ServedExperiment):
    """The objective for every model, such as p99<100ms."""

    kind: Literal["slo"]
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    objective: Annotated[str, Option("The objective: p50, p95, p99, p99.9 or mean below a time in ms or s.", "SLO")] = (
        "p99<100ms"
    )
    search: Search = Search()
    load: Senders = ALONE

    @property
    def host(self) -> str | None:
        """The address by which other machines reach the servers; None if they need not. Raises UsageError."""
        return self.load.address

    @property
    def wanted(self) -> Objective:
        """The parsed objective; raises UsageError if it cannot be read."""
        return Objective.parse(self.objective)
