"""The course's table, filled in, and its five questions, answered with the numbers of a run.

Where the data of a run differ from what the course expects, the answer says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from iolab.kinds.closed import course_chat as chat
from iolab.kinds.closed import course_pool as pool
from iolab.kinds.closed import course_queue as queue
from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.course_queue import CLOSE
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import milliseconds

# Median in ms, and as text, by (letter, users), as the course expects it.
EXPECTED: Mapping[tuple[str, int], tuple[float, str]] = {
    ("A", 4): (80.0, "0.08 s"),
    ("A", 16): (400.0, "very high, over 0.4 s"),
    ("B", 4): (20.0, "0.02 s"),
    ("B", 16): (40.0, "0.04 s"),
    ("C", 4): (20.0, "0.02 s"),
    ("C", 16): (20.0, "0.02 s"),
}
LEAST_ABOVE_MS = 0.1  # the resolution of hey
OPEN_ENDED = ("A", 16)
OF_THE_POOL = 3  # the question that the figure of saturation belongs to


@dataclass(frozen=True)
class Row:
    """One row of the course's table."""

    model: str
    users: int
    expected: str
    measured: str
    predicted: str
    verdict: str


@dataclass(frozen=True)
class Answer:
    """A question of the course, and its answer in paragraphs."""

    question: str
    paragraphs: tuple[str, ...]


class Cells:
    """The cells of a run that the course's questions are about, by letter and users."""

    def __init__(self, analysis: Analysis) -> None:
        experiment = analysis.experiment
        self.threads = experiment.server.threads
        # The course's numbers are for one CPU limit, a constant wait of 20 ms without computing, and no other setting.
        self.of_the_course = (
            len(experiment.cpus) == 1
            and not experiment.vary
            and experiment.server.wait_distribution == "constant"
            and experiment.server.wait_ms == 20
            and not experiment.server.cpu_ms
        )
        self._found = {
            (each.cell.model, each.cell.concurrency): each.cell for each in analysis.cells if each.cell.median_ms
        }

    def get(self, model: str, users: int) -> Cell | None:
        """Return a cell with a result."""
        return self._found.get((model, users))


def applies(analysis: Analysis) -> bool:
    """Return whether the course's questions apply to this run: it has some of the course's cells and its settings."""
    cells = Cells(analysis)
    return cells.of_the_course and any(cells.get(*key) for key in EXPECTED)


def table(analysis: Analysis) -> list[Row]:
    """Return the course's table: expected, measured, predicted."""
    cells, rows = Cells(analysis), []
    for (model, users), (expected_ms, expected) in EXPECTED.items():
        cell = cells.get(model, users)
        if cell is None:
            rows.append(Row(model, users, expected, numbers.NOT_KNOWN, numbers.NOT_KNOWN, "not measured in this run"))
            continue
        measured = cell.median_ms or 0.0
        if (model, users) == OPEN_ENDED:
            short = "lower: its accept queue is short, see question 1"
            lower = short if queue.behind_short_queue(cell) else f"lower: {measured / expected_ms:.1f} times 0.4 s"
            verdict = "as expected" if measured > expected_ms else lower
        else:
            close = abs(measured / expected_ms - 1) <= CLOSE
            verdict = "as expected" if close else f"{measured / expected_ms:.1f} times the expected value"
        rows.append(
            Row(
                f"{model}  {cell.title}",
                users,
                expected,
                milliseconds(measured),
                milliseconds(cell.predicted_median_ms),
                verdict,
            )
        )
    return rows


def answers(analysis: Analysis) -> list[Answer]:
    """Return the five questions with their answers."""
    cells = Cells(analysis)
    return [
        Answer(
            "Server A: why do 4 users wait 4 x 20 ms, and what happens with 16?",
            tuple(queue.paragraphs(cells.get("A", 4), cells.get("A", 16))),
        ),
        Answer(
            "Server B: why is a thread pool good enough for 4 users?",
            tuple(pool.few_users(cells.get("B", 4), cells.threads)),
        ),
        Answer(
            "Server B: why does the median double with 16 users?",
            tuple(pool.many_users(cells.get("B", 4), cells.get("B", 16), cells.threads)),
        ),
        Answer("Server C: how does one thread keep 20 ms for 16 users?", tuple(_loop(cells))),
        Answer(chat.QUESTION, tuple(chat.paragraphs(analysis, cells.threads, cells.get("C", 16)))),
    ]


def _loop(cells: Cells) -> list[str]:
    many = cells.get("C", 16)
    if many is None:
        return [words.missing("C", 16)]
    text = f"The median with 16 users is {milliseconds(many.median_ms)}, {many.services:.2f} x 20 ms"
    if abs((many.services or 0.0) - 1) > CLOSE:
        return [f"{text}: in this run it does not stay at 20 ms. The findings may explain it."]
    told = (
        f"{text}, with {chat.threads_of(many)}. A waiting request needs a timer and an open socket, but no stack: the"
        " event loop starts the wait, handles other requests, and continues when epoll reports that something is ready."
        f" {pool.cpu(many)}"
    )
    return [told, *_above(many)]


def _above(cell: Cell) -> list[str]:
    """Say what is known of the time above the service time, and what is not: which part of it is a late timer."""
    more_ms = (cell.median_ms or 0.0) - (cell.service_ms or math.nan)
    if more_ms < LEAST_ABOVE_MS:
        return []
    uses = [
        f"{cpu_s / cell.counted * 1000:.2f} ms of CPU time of {whose}"
        for whose, cpu_s in (("the server", cell.server.cpu_s), ("the load generator", cell.client.cpu_s))
        if cpu_s and cell.counted
    ]
    known = f" A request takes {numbers.listed(uses)}." if uses else ""
    return [
        f"The median lies {more_ms:.1f} ms above {cell.service_ms:g} ms.{known} A timer that ends late may be"
        " a part of it: epoll counts its timeout in milliseconds, and Python rounds it up. How late it ended was not"
        f" measured. make explain CELL={cell.model}{cell.concurrency} lists the parts."
    ]
