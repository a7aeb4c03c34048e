"""The record of a search for the highest rate."""

from iolab.kinds.arrival_records import OpenRecord


class SloRecord(OpenRecord):
    """A trial of a search. `value_s` is the value that the objective bounds, of requests planned at `lead_s` or later.

    `objective` is its text. The value is None where it is not known, or where a request had no answer; then the
    objective does not hold.
    """

    objective: str = ""
    lead_s: float
    value_s: float | None
    holds: bool
