"""The loop of the client for planned arrivals: one thread, non-blocking sockets.

At each wake-up it sends all that is due, then reads all that has arrived, then sleeps until the next arrival or answer.
It never spins. A request takes the idle connection that was used last, or a new one. If as many connections are open as
allowed, the arrival waits here, and is counted in `waited`.

A request is sent again, once and on a new connection, only if its connection had served an earlier request and was
closed or reset before a byte of the answer arrived: the server had closed it while it was idle.
"""

import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from arrivals_pool import Counts, Limits, Pool
from arrivals_rows import ERRORS, WIDTH
from arrivals_sockets import BROKEN, READABLE, WRITABLE, Connection, NoRoom, Target, kind_of
from http_framing import FramingError, Response

AT_A_TURN: Final = 16  # answers that are read before the loop looks at what is due
CHECK_S: Final = 0.05  # between looks at time limits, and the longest sleep
OVERSLEPT_S: Final = 0.0015  # timers and the milliseconds of poll explain less
TELL_ROWS: Final = 200  # encoding them takes some 20 microseconds
NEVER: Final = float("inf")

clock = time.monotonic


@dataclass
class Loop:
    """Sends the requests of a plan, or of `users` that each wait for the answer; `tell` takes rows of arrivals_rows.

    `leave` is a descriptor that becomes readable if the load is to be given up.
    """

    target: Target
    limits: Limits
    tell: Callable[["array[float]"], None]
    leave: int | None = None
    turns: int = 0  # requests that are sent when another one is done: a closed loop
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._rows = array("d")
        self._pool = Pool(self.target, self.limits)
        self._waiting: deque[float] = deque()  # for a connection
        self._next: deque[float] = deque()  # to be sent as soon as the loop comes to it
        self._since = self._begin = 0.0
        self._moment = self._due = NEVER

    def play(self, moments: Iterator[float], begin: float, deadline: float) -> Counts:
        """Send requests at `moments`, in seconds from `begin`, and return when all are answered, or at the deadline."""
        self._begin, self._moments = begin, moments
        self._advance()
        if self.leave is not None:
            self._pool.poller.register(self.leave, READABLE)
        try:
            self._play(deadline)
        finally:
            self._give_up()
            self._pool.close_all()
        self.counts.most_open = self._pool.most_open
        return self.counts

    def _play(self, deadline: float) -> None:
        check, polled, poller, flying = 0.0, clock(), self._pool.poller, self._pool.flying
        while self._due < NEVER or flying or self._waiting or self._next:
            self._send_due()
            before, polled = polled, clock()
            events = poller.ready()
            self._since = before  # what is ready now was not ready at the last look
            if not events:
                pause_s = min(self._due, max(check, polled)) - polled
                if pause_s > 0:
                    poller.wait(pause_s)
                    before, polled = polled, clock()
                    # If this process did not run for a while, what is ready now may be so since the sleep began.
                    self._since = before if polled - before > pause_s + OVERSLEPT_S else polled
                    events = poller.ready()
            for number, (fd, mask) in enumerate(events, 1):
                self._handle(fd, mask)
                if number % AT_A_TURN == 0:
                    self._send_due()
            if polled >= check:
                check = polled + CHECK_S
                self._check(polled)
                self.counts.timed_out = polled > deadline
            elif len(self._rows) >= TELL_ROWS * WIDTH:
                self._tell()
            if self.counts.timed_out or self.counts.left:
                break

    def _send_due(self) -> None:
        """Send what is due, but so little at once that answers are read meanwhile.

        What has waited for a connection comes first: while anything waits, no connection is free for what is due now.
        """
        while self._next:
            self._send(self._next.popleft())
        budget = 2 * AT_A_TURN
        while self._due <= clock() and budget:
            self._send(self._moment)
            self._advance()
            budget -= 1

    def _advance(self) -> None:
        self._moment = next(self._moments, NEVER)
        self._due = self._begin + self._moment

    def _send(self, planned_s: float) -> None:
        """Send a request that is due, or let it wait for a connection."""
        connection = self._begun(self._pool.begin, planned_s, clock())
        if connection and connection.used:
            self._push(connection)

    def _send_again(self, planned_s: float, sent: float) -> None:
        """Send a request on a new connection, because the server had closed an idle one."""
        connection = self._begun(self._pool.begin_on_new, planned_s, sent)
        if connection:
            connection.resent = True

    def _begun(
        self, begin: Callable[[float, float], Connection | None], planned_s: float, sent: float
    ) -> Connection | None:
        """Begin a request; None if it has to wait, until one that is under way has ended, or if it has failed."""
        try:
            connection = begin(planned_s, sent)
        except (NoRoom, OSError) as error:
            self._note(planned_s, sent, kind_of(getattr(error, "errno", None)))
            return None
        if connection is None:
            self.counts.waited += 1
            self._waiting.append(planned_s)
        return connection

    def _push(self, connection: Connection) -> None:
        """Send; what the kernel does not take is sent when it says so."""
        try:
            connection.push()
        except OSError as error:
            self._failed(connection, kind_of(error.errno))
            return
        if connection.unsent:
            self._pool.poller.modify(connection.fd, READABLE | WRITABLE)

    def _handle(self, fd: int, mask: int) -> None:
        connection = self._pool.open.get(fd)
        if connection is None:
            self.counts.left = self.counts.left or fd == self.leave
            return
        if connection.unsent:
            if mask & BROKEN and (number := connection.error()):
                self._failed(connection, kind_of(number))
            elif mask & (WRITABLE | BROKEN):
                self._push(connection)
                if not connection.unsent and fd in self._pool.open:
                    self._pool.poller.modify(fd, READABLE)
        elif mask & (READABLE | BROKEN):
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        """Read what has arrived on a connection."""
        try:
            data = connection.read()
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(connection, kind_of(error.errno))
            return
        response, now = connection.response, clock()
        if response is None:  # idle: closed, or bytes without a request
            self._pool.close(connection)
            return
        try:
            if not data:
                if response.end():
                    self._answered(connection, response, now)
                else:
                    self._failed(connection, "closed early")
                return
            if not response.begun:
                connection.first_s = now - self._begin
            if response.feed(data):
                self._answered(connection, response, now)
        except FramingError as error:
            self._failed(connection, error.kind)

    def _answered(self, connection: Connection, response: Response, now: float) -> None:
        self._rows.extend(
            (
                connection.planned_s,
                connection.sent - self._begin,
                connection.first_s,
                now - self._begin,
                response.status,
                response.service_s(),
                0,
                connection.resent,
                now - self._since,
                response.process(),
            )
        )
        self._pool.land(connection, response)
        self._go_on()

    def _failed(self, connection: Connection, kind: str) -> None:
        """Note a failed request, or send it again."""
        response, planned_s, sent = connection.response, connection.planned_s, connection.sent
        self._pool.close(connection)
        if response is None:
            return
        if connection.used and not response.begun and kind in ("reset", "closed early"):
            self._send_again(planned_s, sent)
        else:
            self._note(planned_s, sent, kind, first_s=connection.first_s, resent=connection.resent)

    def _note(self, planned_s: float, sent: float, kind: str, *, first_s: float = -1.0, resent: bool = False) -> None:
        """Note a request without an answer."""
        sent_s, done_s = sent - self._begin, clock() - self._begin
        self._rows.extend((planned_s, sent_s, first_s, done_s, 0, -1.0, ERRORS.index(kind), resent, -1.0, -1.0))
        self._go_on()

    def _go_on(self) -> None:
        """After the end of a request: send one that waits for a connection, or the next one of a closed loop."""
        if self._waiting and self._pool.room > len(self._next):
            self._next.append(self._waiting.popleft())
        elif self.turns > 0:
            self.turns -= 1
            self._next.append(clock() - self._begin)

    def _check(self, now: float) -> None:
        """End requests that have taken too long, and tell the rows."""
        while connection := self._pool.overdue(now):
            self._failed(connection, "timeout")
        self._tell()

    def _tell(self) -> None:
        if self._rows:
            self.tell(self._rows)
            del self._rows[:]

    def _give_up(self) -> None:
        """Note all requests that are not answered."""
        self.turns = 0
        for connection in list(self._pool.flying):
            self._note(connection.planned_s, connection.sent, "timeout", first_s=connection.first_s)
        now = clock()
        for planned_s in (*self._waiting, *self._next):
            self._note(planned_s, now, "not sent")
        self._tell()
