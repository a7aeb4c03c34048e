"""The lab's third part: the course's table filled in, and its five questions answered with the numbers of a run.

What a run's data do not support is said, instead of what the book expects.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from iolab.kinds.closed import course_chat as chat
from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import count, milliseconds
from iolab.theory.closed_loop import mm1_response_s

# Median in ms by (letter, users), as the course expects it; a pair is "over".
EXPECTED: Mapping[tuple[str, int], tuple[float, str]] = {
    ("A", 4): (80.0, "0.08 s"),
    ("A", 16): (400.0, "very high, over 0.4 s"),
    ("B", 4): (20.0, "0.02 s"),
    ("B", 16): (40.0, "0.04 s"),
    ("C", 4): (20.0, "0.02 s"),
    ("C", 16): (20.0, "0.02 s"),
}
OPEN_ENDED = ("A", 16)
OF_THE_POOL = 3  # the question that the figure of saturation belongs to
CLOSE = 0.25


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
    """The cells of a run that the course asks about, by letter and users."""

    def __init__(self, analysis: Analysis) -> None:
        experiment = analysis.experiment
        self.service_ms = experiment.server.service_ms
        self.threads = experiment.server.threads
        # The course's numbers are of one CPU limit, a constant wait of 20 ms, and nothing else.
        self.of_the_course = (
            len(experiment.cpus) == 1
            and not experiment.vary
            and experiment.server.wait_distribution == "constant"
            and self.service_ms == 20
        )
        self._found = {
            (each.cell.model, each.cell.concurrency): each.cell for each in analysis.cells if each.cell.median_ms
        }

    def get(self, model: str, users: int) -> Cell | None:
        """Return a cell with a result."""
        return self._found.get((model, users))


def applies(analysis: Analysis) -> bool:
    """Say whether the course's questions can be asked of this run: it measured some of the course's cells its way."""
    cells = Cells(analysis)
    return cells.of_the_course and any(cells.get(*key) for key in EXPECTED)


def table(analysis: Analysis) -> list[Row]:
    """Return the course's table: expected beside measured beside predicted."""
    cells, rows = Cells(analysis), []
    for (model, users), (expected_ms, expected) in EXPECTED.items():
        cell = cells.get(model, users)
        if cell is None:
            rows.append(Row(model, users, expected, numbers.NOT_KNOWN, numbers.NOT_KNOWN, "not measured in this run"))
            continue
        measured = cell.median_ms or 0.0
        if (model, users) == OPEN_ENDED:
            verdict = "as expected" if measured > expected_ms else "lower: see question 1"
        else:
            close = abs(measured / expected_ms - 1) <= CLOSE
            verdict = "as expected" if close else f"{measured / expected_ms:.1f} times what was expected"
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
        Answer("Server A: why do 4 users wait 4 x 20 ms, and what happens with 16?", tuple(_queue(cells))),
        Answer("Server B: why is a pool of threads good enough for 4 users?", tuple(_pool_few(cells))),
        Answer("Server B: why does the median double with 16 users?", tuple(_pool_many(cells))),
        Answer("Server C: how does one thread keep 20 ms for 16 users?", tuple(_loop(cells))),
        Answer(chat.QUESTION, tuple(chat.paragraphs(analysis, cells.threads, cells.get("C", 16)))),
    ]


def _queue(cells: Cells) -> list[str]:
    few, many = cells.get("A", 4), cells.get("A", 16)
    told = []
    if few:
        times = few.services or 0.0
        base = f"With 4 users the median is {milliseconds(few.median_ms)}, {times:.2f} x {few.service_ms:g} ms."
        if abs(times / 4 - 1) <= CLOSE:
            base += (
                " The users ask again as soon as they have their answer (a closed loop), so all four are always there:"
                " one is served, three stand behind it, and each waits for four services."
            )
        else:
            base += " Four services of 20 ms do not explain that: look at the findings."
        told.append(base)
    else:
        told.append(words.missing("A", 4))
    told += _queue_many(many) if many else [words.missing("A", 16)]
    return told


def _queue_many(many: Cell) -> list[str]:
    predicted = milliseconds(many.predicted_mean_ms)
    overflows, times = many.server.listen_overflows, many.services or 0.0
    measured = f"With 16 users the same reasoning predicts 16 x {many.service_ms:g} ms = {predicted}; measured"
    told = []
    if overflows and (many.residual or 0) < -CLOSE:
        told.append(
            f"{measured} are {milliseconds(many.median_ms)}, {times:.1f} x {many.service_ms:g} ms. It is not the"
            f" server that got faster: its listen queue is short, and {overflows} connection attempts were dropped. Who"
            f" got in stands behind about {times - 1:.0f} others; who was dropped tries again after a second and more"
            f" (slowest answer: {milliseconds(many.max_ms)}). The course's 'very high' is in the tail, not in the"
            " median. make backlog shows it with longer queues."
        )
    elif abs(many.residual or 0) <= CLOSE:
        why = "as no one was dropped" if overflows == 0 else f"though {overflows} connection attempts were dropped"
        why = "though how many were dropped is not known here" if overflows is None else why
        told.append(f"{measured} are {milliseconds(many.median_ms)}: it holds, {why}.")
    else:
        told.append(f"{measured} are {milliseconds(many.median_ms)}, which neither that nor drops explain here.")
    utilisation = (many.throughput_rps or 0.0) * many.service_ms / 1000
    hint = (
        "The hint with M/M/1 is of another situation: there people come at random whether or not the server keeps up,"
        " and service times are random too. Its waiting time grows without end as the utilisation nears 1; here never"
        " more than 16 can wait."
    )
    if 0 < utilisation < 1:
        response = milliseconds(mm1_response_s(many.throughput_rps or 0.0, many.service_ms / 1000) * 1000)
        hint += f" At the utilisation measured, {utilisation:.2f}, it would predict a mean of {response}; the mean was"
        hint += f" {milliseconds(many.mean_ms)}."
    return [*told, hint]


def _pool_few(cells: Cells) -> list[str]:
    few = cells.get("B", 4)
    if few is None:
        return [words.missing("B", 4)]
    text = f"The median is {milliseconds(few.median_ms)}, {few.services:.2f} x {few.service_ms:g} ms"
    if (few.services or 0) <= 1 + CLOSE:
        return [
            f"{text}: {cells.threads} threads wait side by side, so each of the 4 users finds a free one at once and"
            f" waits for its own {few.service_ms:g} ms alone. Waiting threads need no CPU: the server computed"
            f" {_cpu_per_request(few)} a request."
        ]
    return [f"{text}, though {cells.threads} threads are free for 4 users: something else took its time, see Findings."]


def _pool_many(cells: Cells) -> list[str]:
    few, many = cells.get("B", 4), cells.get("B", 16)
    if few is None or many is None:
        return [words.missing("B", 4 if few is None else 16)]
    times = (many.median_ms or 0.0) / (few.median_ms or 1.0)
    gain = (many.throughput_rps or 0.0) / (few.throughput_rps or 1.0)
    ceiling = cells.threads / (many.service_ms / 1000)
    text = (
        f"From 4 to 16 users the median goes from {milliseconds(few.median_ms)} to"
        f" {milliseconds(many.median_ms)}, {times:.2f} times as much."
    )
    if abs(times / (16 / cells.threads) - 1) <= CLOSE and cells.threads < 16:
        text += (
            f" {cells.threads} threads serve 16 users in {16 / cells.threads:g} turns: while {cells.threads} wait their"
            f" 20 ms in a thread, the others wait for a thread."
        )
    else:
        text += (
            f" {16 / cells.threads:g} turns of {cells.threads} threads would make that {16 / cells.threads:g} times."
        )
    disk = (
        f"Throughput rises {gain:.2f} times for four times the users, to {numbers.rate(many.throughput_rps)} of the"
        f" {ceiling:.0f}/s that {cells.threads} threads can do. It is the curve of an SSD's queue depth: up to the"
        " device's own parallelism (its channels, here threads) more requests under way are more work done; past it"
        " the device does no more, and every further request only lengthens the queue."
    )
    return [text, disk]


def _loop(cells: Cells) -> list[str]:
    many = cells.get("C", 16)
    if many is None:
        return [words.missing("C", 16)]
    text = f"The median with 16 users is {milliseconds(many.median_ms)}, {many.services:.2f} x 20 ms"
    if (many.services or 0) > 1 + CLOSE:
        return [f"{text}: in this run it does not stay at 20 ms. The findings may say why."]
    threads = many.server.threads_peak
    told = (
        f"{text}, with {count(threads)} thread{'' if threads == 1 else 's'}. A request that waits is a timer and"
        " an open socket, not a stack: the loop starts the wait, goes on to the next, and comes back when epoll says"
        f" that something is ready. It computes {_cpu_per_request(many)} a request"
    )
    cpu_ms = _cpu_ms(many)
    if cpu_ms:
        told += f", so it could serve some {1000 / cpu_ms:,.0f} requests a second before computing, not waiting, binds"
    more_ms = (many.median_ms or 0.0) - many.service_ms
    return [
        told + ".",
        f"The {more_ms:.1f} ms above {many.service_ms:g} are epoll's clock, which counts in milliseconds and rounds up,"
        " and the HTTP stack of server and client.",
    ]


def _cpu_ms(cell: Cell) -> float | None:
    return cell.server.cpu_s / cell.counted * 1000 if cell.server.cpu_s and cell.counted else None


def _cpu_per_request(cell: Cell) -> str:
    cpu_ms = _cpu_ms(cell)
    return "an unknown time" if cpu_ms is None else f"{cpu_ms:.2f} ms"
