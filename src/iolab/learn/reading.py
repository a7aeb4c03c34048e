"""What a student can have read or predicted: the command, the page and the journal agree on it."""

MOST = 1e15  # no reading is larger
MUST = "must be a number such as 20 or 10.5, with a point, and without a unit"


def is_reading(value: object) -> bool:
    """Return whether a value is a number that can be a reading: none is below 0."""
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < MOST
