"""A student's personal values: they follow from the term and the id, so that each student measures something else."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SERVICE_S = 0.02  # the wait of the servers, which the course does not change


@dataclass(frozen=True)
class Values:
    """Personal values; `rate` is of webhooks a second, each of which takes `handling_ms`."""

    student: str
    term: str
    seed: int
    clicks: int
    backlog: int
    threads: int
    users: int
    rate: int
    handling_ms: int

    @property
    def webhooks_in_flight(self) -> float:
        """The mean number of webhooks that are being handled: rate x time (Little's law)."""
        return self.rate * self.handling_ms / 1000

    def fill(self, text: str) -> str:
        """Return a text with {seed}, {clicks} and the others filled in; other braces stay as they are."""
        names = "|".join(self.texts())
        return re.sub(rf"\{{({names})\}}", lambda match: self.texts()[match[1]], text)

    def filled(self, value: Any) -> Any:
        """Return a value of plan.toml with texts filled in; a text that becomes a number is that number."""
        if isinstance(value, str):
            text = self.fill(value)
            return int(text) if text != value and text.isdigit() else text
        if isinstance(value, list | tuple):
            return [self.filled(each) for each in value]
        return value

    def texts(self) -> Mapping[str, str]:
        """Return the values as texts, by name."""
        return {name: str(value) for name, value in vars(self).items()}


def of(term: str, student: str) -> Values:
    """Return the values of a student in a term."""
    draw = hashlib.sha256(f"{term}:{student}".encode()).digest()

    def one(place: int, choices: int) -> int:
        return int.from_bytes(draw[4 * place : 4 * place + 4], "big") % choices

    threads = 3 + one(3, 4)
    return Values(
        student=student,
        term=term,
        seed=1000 + one(0, 9000),
        clicks=2 + one(1, 3),
        backlog=7 + one(2, 6),  # with 16 users, still too short for all: the median is (backlog + 2) x 20 ms
        threads=threads,
        users=threads * (3 + one(4, 3)),  # whole turns
        rate=10 * (3 + one(5, 10)),
        handling_ms=100 * (4 + one(6, 12)),
    )
