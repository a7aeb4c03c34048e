"""Which requests of a lane are in service, and which wait: derived, or read from the kernel's tables."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from iolab.host import proc
from iolab.host.accept_queues import AcceptQueues
from iolab.lab import Model
from iolab.web.live.client import Exchange
from iolab.web.live.settings import Settings

SENDING, QUEUED, SERVED = "sending", "queued", "served"


@dataclass
class Seats:
    """The `workers` of a server, which share `queues` accept queues.

    Of one queue, the `workers` oldest connections are said to be in service, and the others to be queued: all models
    serve in the order in which connections were accepted. An accept queue has room for its backlog and one more
    (include/net/sock.h of Linux, sk_acceptq_is_full): if more users believe to be connected, the kernel has dropped the
    last packet of their handshake, and they are said to be sending. Of several queues, the kernel says which
    connections are in service, and how long each queue is.
    """

    workers: float
    backlog: int | None = None  # of a server whose accept queue is the kernel's
    queues: int = 1
    seen: AcceptQueues = field(default_factory=AcceptQueues)

    @classmethod
    def of(cls, model: Model, settings: Settings, *, broken: bool = False) -> "Seats":
        """Return the seats of a model's server with these settings."""
        backlog = model.backlog if settings.backlog is None or model.backlog is None else settings.backlog
        if broken:
            return cls(1, backlog)
        written = model.service.written
        changed = {name for name in ("THREADS", "PROCESSES") if f"${{{name}" in written.get(name, "")}
        workers = model.workers
        if math.isfinite(workers) and changed:
            workers = settings.threads if "THREADS" in changed else settings.processes
        return cls(workers, backlog, replace(model, workers=workers).queues(reuseport=settings.reuseport))

    def look(self, port: int) -> None:
        """Read the queues of a port from the kernel's tables, if there are several."""
        if self.queues > 1:
            self.seen = AcceptQueues.parse(proc.tables(), port)

    def states(self, connected: Sequence[Exchange]) -> Iterator[tuple[int, str]]:
        """Yield each user and its state, of requests that are connected and not answered, the oldest first."""
        room = math.inf if self.backlog is None else self.workers + self.queues * (self.backlog + 1)
        for place, each in enumerate(connected):
            served = each.local_port in self.seen.accepted if self.queues > 1 else place < self.workers
            yield each.user, SERVED if served else QUEUED if place < room else SENDING
