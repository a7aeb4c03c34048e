"""What every line of trials.jsonl of a search for the highest rate has."""

from iolab.kinds.arrival_records import OpenRecord


class SloRecord(OpenRecord):
    """A step of a search. `value_s` is what the objective bounds, of the requests planned `lead_s` or later.

    `objective` is its text. The value is None where it is not known, or where a request had no answer; then the
    objective does not hold.
    """

    objective: str = ""
    lead_s: float
    value_s: float | None
    holds: bool
