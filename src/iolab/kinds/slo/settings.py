"""The settings of the search for the highest rate."""

from typing import Annotated, Literal

from pydantic import Field

from iolab.experiment import OneLimit, Seed, ServedExperiment, Settings
from iolab.kinds.slo.plan import Objective
from iolab.loadgen.workers import ALONE, Senders
from iolab.options import Option

Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]


class Search(Settings):
    """How long a trial is: it is measured for at least `least_s`, for `most_s` where requests depend on earlier ones.

    At most `lead_s` before are not counted: a trial begins with an empty queue, which makes its first responses fast.
    More than `most_s` are measured where it takes longer to know the percentile of the objective.
    """

    least_s: Seconds = 10.0
    most_s: Seconds = 20.0
    lead_s: Seconds = 10.0


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
