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

from arrivals_rows import ERRORS, WIDTH
from arrivals_sockets import BROKEN, READABLE, WRITABLE, Connection, NoRoom, Poller, Target, kind_of
from http_framing import FramingError, Response

AT_A_TURN: Final = 16  # answers that are read before the loop looks at what is due
CHECK_S: Final = 0.05  # between looks at time limits
TELL_ROWS: Final = 200  # encoding them takes some 20 microseconds
NEVER: Final = float("inf")

clock = time.monotonic


@dataclass(frozen=True)
class Limits:
    """The longest that a request may take, the largest answer, and the most connections that are open at once."""

    answer_s: float
    answer_bytes: int = 1024 * 1024
    connections: int = 10_000


@dataclass
class Counts:
    """What the rows do not say."""

    waited: int = 0  # arrivals that waited because no connection more could be opened
    timed_out: bool = False  # the load was not over at its time limit
    left: bool = False  # the process that asked for the load has gone
    most_open: int = 0


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
        self._open: dict[int, Connection] = {}
        self._idle: dict[Connection, None] = {}  # the last one in is taken first
        self._flying: dict[Connection, float] = {}  # and when their time is over: in the order in which they were sent
        self._waiting: deque[float] = deque()
        self._next: deque[float] = deque()  # of a closed loop
        self._most = self.limits.connections
        self._since = self._begin = 0.0
        self._moment = self._due = NEVER

    def play(self, moments: Iterator[float], begin: float, deadline: float) -> Counts:
        """Send requests at `moments`, in seconds from `begin`, and return when all are answered, or at the deadline."""
        self._begin, self._poller, self._moments = begin, Poller(), moments
        self._advance()
        if self.leave is not None:
            self._poller.register(self.leave, READABLE)
        try:
            self._play(deadline)
        finally:
            self._give_up()
            self._poller.close()
        return self.counts

    def _play(self, deadline: float) -> None:
        check, polled = 0.0, clock()
        while self._due < NEVER or self._flying or self._waiting or self._next:
            self._send_due()
            before, polled = polled, clock()
            events = self._poller.ready()
            self._since = before  # what is ready now was not ready at the last look
            if not events:
                pause_s = min(self._due, max(check, polled)) - polled
                if pause_s > 0:
                    self._poller.wait(pause_s)
                    self._since = polled = clock()
                    events = self._poller.ready()
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
        """Send a request that is due."""
        sent = clock()
        if self._idle:
            connection, _ = self._idle.popitem()
            self._begin_request(connection, planned_s, sent)
            connection.unsent = self.target.request
            self._push(connection)
        else:
            self._send_on_new(planned_s, sent, resent=False)

    def _send_on_new(self, planned_s: float, sent: float, *, resent: bool) -> None:
        """Open a connection, on which the request is sent once it is established."""
        if len(self._open) >= self._most:
            self._wait(planned_s)
            return
        try:
            connection = Connection(self.target)
        except NoRoom:
            self._most = len(self._open)  # less than thought
            if self._most:
                self._wait(planned_s)
            else:
                self._note(planned_s, sent, clock(), "no connection", resent=resent)
            return
        except OSError as error:
            self._note(planned_s, sent, clock(), kind_of(error.errno), resent=resent)
            return
        self._open[connection.fd] = connection
        self.counts.most_open = max(self.counts.most_open, len(self._open))
        self._begin_request(connection, planned_s, sent)
        connection.resent = resent
        self._poller.register(connection.fd, READABLE | WRITABLE)

    def _wait(self, planned_s: float) -> None:
        self.counts.waited += 1
        self._waiting.append(planned_s)

    def _begin_request(self, connection: Connection, planned_s: float, sent: float) -> None:
        connection.planned_s, connection.sent, connection.first_s = planned_s, sent, -1.0
        connection.response, connection.resent = Response(self.limits.answer_bytes), False
        self._flying[connection] = sent + self.limits.answer_s

    def _push(self, connection: Connection) -> None:
        """Send; what the kernel does not take is sent when it says so."""
        try:
            connection.push()
        except OSError as error:
            self._failed(connection, kind_of(error.errno))
            return
        if connection.unsent:
            self._poller.modify(connection.fd, READABLE | WRITABLE)

    def _handle(self, fd: int, mask: int) -> None:
        connection = self._open.get(fd)
        if connection is None:
            self.counts.left = self.counts.left or fd == self.leave
            return
        if connection.unsent:
            if mask & BROKEN and (number := connection.error()):
                self._failed(connection, kind_of(number))
            elif mask & (WRITABLE | BROKEN):
                self._push(connection)
                if not connection.unsent and connection.fd in self._open:
                    self._poller.modify(fd, READABLE)
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
            self._close(connection)
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
            )
        )
        del self._flying[connection]
        connection.response = None
        if response.reusable:
            connection.used = True
            self._idle[connection] = None
        else:
            self._close(connection)
        self._go_on()

    def _failed(self, connection: Connection, kind: str) -> None:
        """Note a failed request, or send it again."""
        response, planned_s, sent = connection.response, connection.planned_s, connection.sent
        self._close(connection)
        if response is None:
            return
        if connection.used and not response.begun and kind in ("reset", "closed early"):
            self._send_on_new(planned_s, sent, resent=True)
        else:
            self._note(planned_s, sent, clock(), kind, first_s=connection.first_s, resent=connection.resent)

    def _note(
        self, planned_s: float, sent: float, now: float, kind: str, *, first_s: float = -1.0, resent: bool = False
    ) -> None:
        """Note a request without an answer."""
        sent_s, done_s = sent - self._begin, now - self._begin
        self._rows.extend((planned_s, sent_s, first_s, done_s, 0, -1.0, ERRORS.index(kind), resent, -1.0))
        self._go_on()

    def _go_on(self) -> None:
        """After the end of a request: send one that waits for a connection, or the next one of a closed loop."""
        if self._waiting and len(self._idle) + self._most - len(self._open) > len(self._next):
            self._next.append(self._waiting.popleft())
        elif self.turns > 0:
            self.turns -= 1
            self._next.append(clock() - self._begin)

    def _close(self, connection: Connection) -> None:
        del self._open[connection.fd]
        self._idle.pop(connection, None)
        self._flying.pop(connection, None)
        self._poller.unregister(connection.fd)
        connection.socket.close()

    def _check(self, now: float) -> None:
        """End requests that have taken too long, and tell the rows."""
        while self._flying:
            connection, limit = next(iter(self._flying.items()))
            if limit > now:
                break
            self._failed(connection, "timeout")
        self._tell()

    def _tell(self) -> None:
        if self._rows:
            self.tell(self._rows)
            del self._rows[:]

    def _give_up(self) -> None:
        """Note all requests that are not answered, and close all connections."""
        self.turns = 0
        for connection in list(self._flying):
            self._note(connection.planned_s, connection.sent, clock(), "timeout", first_s=connection.first_s)
        now = clock()
        for planned_s in (*self._waiting, *self._next):
            self._note(planned_s, now, now, "not sent")
        for connection in list(self._open.values()):
            self._close(connection)
        self._tell()
