"""The record of a search for the highest rate."""

from iolab.kinds.arrival_records import OpenRecord
from iolab.kinds.slo.objective import Objective
from iolab.theory.enough import least_count


class SloRecord(OpenRecord):
    """A trial of a search; its rate can be repeated, and the requests of such trials count together.

    `value_s` is the value that the objective bounds, and `low_s` to `high_s` its 95% interval, of the `counted`
    requests of this trial and of the undisturbed ones before it at the same rate, planned at `lead_s` or later. None is
    what is not known. The lower end counts from when requests were sent, so that no lateness of the load generator is
    in it. `independent` is how many independent requests would know as much; `open` says that more requests are likely
    to decide, as far as the time limit allows them. `unanswered` counts requests to which the server gave no answer
    200, each of which breaks the `objective`. `highest_rps` is the highest rate that can be sent.
    `disturbance` says why the trial does not count, "" if it does.
    """

    objective: str
    lead_s: float
    value_s: float | None
    low_s: float | None
    high_s: float | None
    counted: int
    independent: int
    open: bool
    unanswered: int
    late_p99_s: float | None
    highest_rps: float
    disturbance: str = ""

    @property
    def bounded_s(self) -> float | None:
        """The value that the objective bounds; None if too few requests were counted for such a percentile."""
        quantile = Objective.parse(self.objective).quantile
        enough = quantile is None or self.counted >= least_count(quantile)
        return self.value_s if enough else None
