"""A row of the client for planned arrivals: numbers of 8 bytes each, many of them as one line of text.

Writing numbers as text takes longer than sending the requests. `src/iolab/loadgen/openloop.py` reads this format.
"""

import base64
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from array import array

ERRORS: Final = (
    "", "refused", "reset", "timeout", "closed early", "bad response", "too large", "no connection", "not sent",
)  # fmt: skip


class Row(NamedTuple):
    """One request, in seconds from the start of the plan.

    `status` is 0 without an answer, and `error` then says why, as an index of ERRORS. `first_s` is when the first byte
    of the answer was read (-1: none), `service_s` the server's Server-Timing (-1: none), `resent` whether it was sent
    again, `read_late_s` for how long the answer can have waited until the client read it: since the last look that did
    not show it, since the client woke up, or since it fell asleep if it woke up too late. `process` is which of the
    server's processes served it (-1: not known).
    """

    planned_s: float
    sent_s: float
    first_s: float
    done_s: float
    status: float
    service_s: float
    error: float
    resent: float
    read_late_s: float
    process: float


WIDTH: Final = len(Row._fields)


def packed(rows: "array[float]") -> str:
    """Return numbers, WIDTH of them a row, as text."""
    return base64.b64encode(rows).decode("ascii")


def unpacked(text: str) -> Iterator[Row]:
    """Return the rows of such a text."""
    return (Row(*numbers) for numbers in struct.iter_unpack(f"{WIDTH}d", base64.b64decode(text)))
