"""Promises about several clients at once; how many requests wait together follows from the model's workers."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from iolab.contract.broken import Broken
from iolab.contract.server import Starts
from iolab.contract.talk import LIMIT_S, request

USERS, WAIT_S = 16, 0.2
BESIDE, IDLE, LEAVING = 8, 20, 5
AT_ONCE_S = 1.0
SERIAL = (
    "Your server waits for one request before it reads the next. time.sleep stops the whole loop: put the end of the"
    " wait into a heap, and give epoll_wait the time until the first of them."
)


def answers_health_while_others_wait(launcher: Starts) -> None:
    """As many requests wait as leave one worker free."""
    workers = launcher.model.workers
    waiting = int(min(BESIDE, workers - 1))
    sent = f"GET /healthz, while {waiting} other requests wait for 2 s"
    with launcher.start(WAIT_MS="2000") as server, ExitStack() as stack:
        for _ in range(waiting):
            stack.enter_context(server.connect()).send(request())
        answer = server.ask("/healthz")
        if answer.status != 200:
            raise Broken(sent, "status 200 at once", server.seen(answer.seen))
        if answer.took_s > AT_ONCE_S:
            raise Broken(sent, "status 200 at once", f"status 200 after {answer.took_s:.1f} s", SERIAL)


def waits_together(launcher: Starts) -> None:
    """Their wait is one that is set."""
    wait_together(launcher, WAIT_S)


def wait_together(launcher: Starts, each_s: float) -> None:
    """The slowest of some requests at once takes one wait for each time that all workers are busy."""
    workers = launcher.model.workers
    rounds = 1 if math.isinf(workers) else math.ceil(USERS / workers)
    waits = "one wait" if rounds == 1 else f"{rounds} waits"
    sent = f"GET / from {USERS} users at once, with WAIT_MS={each_s * 1000:g}"
    expected = f"all answers after about {waits}, {rounds * each_s:.2g} s"
    with launcher.start(WAIT_MS=f"{each_s * 1000:g}") as server, ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(lambda _: server.ask("/", wait_s=USERS * each_s), range(USERS)))
        failed = [answer.seen for answer in answers if answer.status != 200]
        if failed:
            raise Broken(sent, expected, server.seen(f"{len(failed)} of {USERS} requests failed: {failed[0]}"))
        slowest_s = max(answer.took_s for answer in answers)
        seen = f"the last answer after {slowest_s:.2g} s"
        if slowest_s > (rounds + 2) * each_s:
            raise Broken(sent, expected, seen, SERIAL if slowest_s > USERS * each_s / 2 else "")
        if slowest_s < 0.93 * rounds * each_s:
            raise Broken(sent, expected, seen, "Each request must wait for WAIT_MS before it is answered.")


def serves_beside_idle_connections(launcher: Starts) -> None:
    """A server whose workers accept connections may wait until its own time limit for idle ones has passed."""
    workers, accepts = launcher.model.workers, launcher.model.backlog is not None
    idle, limit_s = (int(workers), LIMIT_S) if accepts or workers == 1 else (IDLE, AT_ONCE_S)
    sent = f"GET /healthz, beside {idle} connections that send nothing"
    with launcher.start() as server, ExitStack() as stack:
        for _ in range(idle):
            stack.enter_context(server.connect())
        answer = server.ask("/healthz")
        if answer.status != 200:
            raise Broken(sent, "status 200", server.seen(answer.seen))
        if answer.took_s > limit_s:
            raise Broken(sent, "status 200 at once", f"status 200 after {answer.took_s:.1f} s")


def survives_clients_that_leave(launcher: Starts) -> None:
    """Clients that close in the middle of their wait, half of them by a reset."""
    sent = f"GET / by {LEAVING} clients that leave before the answer, then GET / by another client"
    with launcher.start(WAIT_MS="100") as server:
        for number in range(LEAVING):
            with server.connect() as talk:
                talk.send(request())
                if number % 2:
                    talk.reset()
        answer = server.ask("/", wait_s=LEAVING * 0.1)
        if answer.status != 200 or server.ended():
            raise Broken(sent, "status 200", server.seen(answer.seen))
        answer = server.ask("/healthz")
        if answer.status != 200:
            raise Broken(f"{sent}, and then GET /healthz", "status 200", server.seen(answer.seen))
