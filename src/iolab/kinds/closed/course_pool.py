"""The course's questions about the thread pool: in how many turns its threads serve 4 and 16 users."""

import math

from iolab.kinds.closed import words
from iolab.kinds.closed.course_queue import CLOSE
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.numbers import counted, milliseconds

SSD = (
    " The queue depth of an SSD has the same curve: up to the parallelism of the device (its channels, here threads),"
    " more requests under way raise the throughput; beyond it, each further request only lengthens the queue."
)


def few_users(few: Cell | None, threads: int) -> list[str]:
    """Return why the pool is good enough for the users of the cell of B with 4 users, or that it is not."""
    if few is None:
        return [words.missing("B", 4)]
    users, each = few.concurrency, f"{few.service_ms:g} ms"
    text, pool = f"The median is {milliseconds(few.median_ms)}, {few.services:.2f} x {each}", counted(threads, "thread")
    if threads < users:
        if _explained(few, threads):
            return [
                f"{text}: {pool} {_serve(threads)} {users} users in {_turns(few, threads)}, so requests wait for a"
                f" thread. A pool is good enough for as many users as it has threads, and this one has too few for"
                f" {users}."
            ]
        return [
            f"{text}. {pool} {_serve(threads)} {users} users in {_turns(few, threads)}, which does not explain that:"
            " see the findings."
        ]
    if _explained(few, threads):
        return [
            f"{text}: {pool} wait at the same time, so each of the {users} users finds a free thread, and its response"
            f" takes one service time of {each}. Waiting threads need no CPU. {cpu(few)}"
        ]
    if (few.services or 0.0) < 1:
        return [f"{text}, less than one service time, which no number of threads explains: see the findings."]
    return [f"{text}, though {pool} are enough for {users} users: something else took time, see the findings."]


def many_users(few: Cell | None, many: Cell | None, threads: int) -> list[str]:
    """Return how median and throughput of the pool change from 4 to 16 users, and what its threads explain of that."""
    if few is None or many is None:
        return [words.missing("B", 4 if few is None else 16)]
    times, pool = (many.median_ms or 0.0) / (few.median_ms or 1.0), counted(threads, "thread")
    users, turns, each = many.concurrency, _turns(many, threads), f"{many.service_ms:g} ms"
    text = (
        f"From {few.concurrency} to {users} users the median changes from {milliseconds(few.median_ms)} to"
        f" {milliseconds(many.median_ms)}, {times:.2f} times."
    )
    explained = _explained(many, threads)
    if threads >= users:
        text += f" {pool} serve all {users} users at the same time, so no request waits for a thread."
        text += "" if explained and _explained(few, threads) else " The threads do not explain that: see the findings."
        return [text, _throughput(few, many, threads)]
    if explained:
        text += (
            f" {pool} {_serve(threads)} {users} users in {turns}: while {counted(threads, 'request')}"
            f" {'waits its' if threads == 1 else 'wait their'} {each} in a thread, the others wait for a thread."
        )
    else:
        text += f" {turns} of {pool} would be {turns.removesuffix(' turns')} times {each}."
    if not _explained(few, threads):
        text += f" The threads do not explain the median with {few.concurrency} users: see question 2."
    return [text, _throughput(few, many, threads)]


def cpu(cell: Cell) -> str:
    """Say how much CPU time of the server a request took."""
    uses = words.cpu_a_request(cell)
    if uses == numbers.NOT_KNOWN:
        return "How much CPU time a request took is not known."
    return f"The server used {uses} of CPU time a request."


def _throughput(few: Cell, many: Cell, threads: int) -> str:
    """Say how the throughput changes; the comparison with an SSD is of a run in which it does so as in theory."""
    ceiling, pool = threads / ((many.service_ms or math.nan) / 1000), counted(threads, "thread")
    for cell in (few, many):
        if not cell.steady_rps:
            return (
                f"How the throughput changes is not known: this run has no rate for {cell.concurrency} users. {pool}"
                f" can serve {ceiling:.0f}/s."
            )
    gain = (many.steady_rps or 0.0) / (few.steady_rps or math.nan)
    text = (
        f"Throughput changes from {numbers.rate(few.steady_rps)} to {numbers.rate(many.steady_rps)} of the"
        f" {ceiling:.0f}/s that {pool} can serve: {gain:.2f} times for"
        f" {many.concurrency / few.concurrency:g} times the users."
    )
    expected = min(many.concurrency, threads) / min(few.concurrency, threads)
    return text + (SSD if abs(gain / expected - 1) <= CLOSE else f" In theory it is {expected:.3g} times.")


def _range(cell: Cell, threads: int) -> tuple[int, int]:
    """Return in how many turns so many threads serve the users, at least and at most: 5 and 6 where 3 serve 16."""
    turns = max(1.0, cell.concurrency / threads)
    return math.floor(turns), math.ceil(turns)


def _turns(cell: Cell, threads: int) -> str:
    least, most = _range(cell, threads)
    return counted(most, "turn") if least == most else f"{least} or {most} turns"


def _explained(cell: Cell, threads: int) -> bool:
    """Return whether the median is as many service times as there are turns."""
    least, most = _range(cell, threads)
    return (1 - CLOSE) * least <= (cell.services or 0.0) <= (1 + CLOSE) * most


def _serve(threads: int) -> str:
    return "serves" if threads == 1 else "serve"
