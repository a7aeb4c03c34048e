"""The record of a search for the highest rate."""

from iolab.kinds.arrival_records import OpenRecord


class SloRecord(OpenRecord):
    """A step of a search. `value_s` is the value that the objective bounds, of requests planned at `lead_s` or later.

    It is None if it is not known, or if a request had no answer; then the objective does not hold.
    """

    lead_s: float
    value_s: float | None
    holds: bool
