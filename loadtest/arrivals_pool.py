"""The connections of the client for planned arrivals: which are open, idle, or have a request under way."""

from dataclasses import dataclass

from arrivals_sockets import READABLE, WRITABLE, Connection, NoRoom, Poller, Target
from http_framing import Response


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


class Pool:
    """Connections to one target; `flying` are those with a request under way, and when its time is over.

    They are in the order in which their requests were sent.
    """

    def __init__(self, target: Target, limits: Limits) -> None:
        self.poller = Poller()
        self.open: dict[int, Connection] = {}
        self.flying: dict[Connection, float] = {}
        self.most_open = 0
        self._target, self._limits = target, limits
        self._idle: dict[Connection, None] = {}

    @property
    def room(self) -> int:
        """How many requests can be sent now: on idle connections, and on new ones."""
        return len(self._idle) + self._limits.connections - len(self.open)

    def begin(self, planned_s: float, sent: float) -> Connection | None:
        """Begin a request on the idle connection that was used last, or on a new one; None if there is no room.

        What can be sent at once is not sent yet. Raises NoRoom if no connection can be opened at all, or OSError.
        """
        if self._idle:
            connection, _ = self._idle.popitem()
            connection.unsent = self._target.request
            self._fly(connection, planned_s, sent)
            return connection
        return self.begin_on_new(planned_s, sent)

    def begin_on_new(self, planned_s: float, sent: float) -> Connection | None:
        """Begin a request on a new connection, as `begin` does; idle ones give way to it where there is no room."""
        connection = self._connected()
        if connection is None:
            return None
        self.open[connection.fd] = connection
        self.most_open = max(self.most_open, len(self.open))
        self.poller.register(connection.fd, READABLE | WRITABLE)
        self._fly(connection, planned_s, sent)
        return connection

    def _connected(self) -> Connection | None:
        """Open a connection; None if there is no room, and all that are open have a request under way."""
        while True:
            if len(self.open) < self._limits.connections:
                try:
                    return Connection(self._target)
                except NoRoom:
                    if not self.open:
                        raise
            if not self._idle:
                return None
            self.close(next(iter(self._idle)))  # that which was used longest ago

    def _fly(self, connection: Connection, planned_s: float, sent: float) -> None:
        connection.planned_s, connection.sent, connection.first_s = planned_s, sent, -1.0
        connection.response, connection.resent = Response(self._limits.answer_bytes), False
        self.flying[connection] = sent + self._limits.answer_s

    def land(self, connection: Connection, response: Response) -> None:
        """End a request that is answered: its connection becomes idle, or is closed."""
        del self.flying[connection]
        connection.response = None
        if response.reusable:
            connection.used = True
            self._idle[connection] = None
        else:
            self.close(connection)

    def close(self, connection: Connection) -> None:
        """Close a connection, whatever it is used for."""
        del self.open[connection.fd]
        self._idle.pop(connection, None)
        self.flying.pop(connection, None)
        self.poller.unregister(connection.fd)
        connection.socket.close()

    def overdue(self, now: float) -> Connection | None:
        """Return the first connection whose request has taken too long."""
        if not self.flying:
            return None
        connection, limit = next(iter(self.flying.items()))
        return connection if limit <= now else None

    def close_all(self) -> None:
        """Close all connections."""
        for connection in list(self.open.values()):
            self.close(connection)
        self.poller.close()
